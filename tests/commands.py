"""The commands as a person types them."""

import os
import runpy
import signal
import subprocess
import sys
import warnings
from pathlib import Path

import optuna
import pytest

from hpo.study.storage import open_storage

ROOT = Path(__file__).parents[1]
SMALL = ["--data", "glyphs", "--image-size", "20", "--validation", "paper", "--finalists", "0"]
OTHER = ["--storage", "sqlite:///other.db"]
REFIT = ["--max-epochs", "2", "--precision", "float32"]
STUDY = [*SMALL, "--steps-per-epoch", "2", "--max-epochs", "2", "--seed", "1"]


def environment() -> dict[str, str]:
    return {**os.environ, "PYTHONUNBUFFERED": "1"}


def script(folder: Path, name: str, *flags: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, str(ROOT / name), *flags]
    return subprocess.run(
        command, cwd=folder, env=environment(), capture_output=True, text=True, timeout=170
    )


def here(
    folder: Path, monkeypatch: pytest.MonkeyPatch, name: str, *flags: str
) -> SystemExit | None:
    """Run a script in this process, which has imported torch already; return how it exited."""
    monkeypatch.chdir(folder)
    monkeypatch.setattr(sys, "argv", [name, *flags])
    handlers = [(number, signal.getsignal(number)) for number in (signal.SIGINT, signal.SIGTERM)]
    shown = warnings.formatwarning
    try:
        runpy.run_path(str(ROOT / name), run_name="__main__")
    except SystemExit as end:
        return end
    finally:
        warnings.formatwarning = shown
        for number, handler in handlers:
            signal.signal(number, handler)
    return None


def trials(folder: Path, name: str = "glyphs-20-episode") -> list[optuna.trial.FrozenTrial]:
    storage = open_storage(f"sqlite:///{folder}/study.db")
    return optuna.load_study(study_name=name, storage=storage).trials
