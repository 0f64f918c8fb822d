"""Runs the scripts, either as processes or within the process of the tests."""

import logging
import os
import runpy
import signal
import subprocess
import sys
import warnings
from pathlib import Path

import optuna
import pytest
import torch

import hpo.cli.study
from hpo.cli.console import LOGGER
from hpo.runtime import processes, step_costs
from hpo.runtime.in_process import InProcessLauncher
from hpo.study.storage import open_storage
from model.config import REFERENCE_COST

ROOT = Path(__file__).parents[1]
SPACES = ROOT / "tests" / "spaces"
SMALL = [
    *("--data", "glyphs", "--image-size", "20", "--validation", "paper"),
    *("--n-finalists", "0", "--n-networks", "0", "--step-cost", "reference"),
]
OTHER = ["--storage", "sqlite:///other.db"]
REFIT = ["--max-epochs", "2", "--precision", "float32"]
STUDY = [*SMALL, "--steps-per-epoch", "2", "--max-epochs", "2", "--seed", "1"]


def environment() -> dict[str, str]:
    return {**os.environ, "PYTHONUNBUFFERED": "1"}


def run_script(folder: Path, name: str, *flags: str) -> subprocess.CompletedProcess[str]:
    """Run a script as a process, as a shell does."""
    command = [sys.executable, str(ROOT / name), *flags]
    return subprocess.run(
        command, cwd=folder, env=environment(), capture_output=True, text=True, timeout=170
    )


def run_in_process(
    folder: Path, monkeypatch: pytest.MonkeyPatch, name: str, *flags: str
) -> SystemExit | None:
    """Run a script and its workers in this process, which has imported torch already.

    Returns:
        How the script exited, or None if its main function returned.
    """
    monkeypatch.chdir(folder)
    monkeypatch.setattr(sys, "argv", [name, *flags])
    monkeypatch.setattr(hpo.cli.study, "ProcessLauncher", InProcessLauncher)
    monkeypatch.setattr(processes, "start_forkserver", lambda: None)
    monkeypatch.setattr(step_costs, "measure_here", lambda *_: REFERENCE_COST)
    handlers = [(number, signal.getsignal(number)) for number in (signal.SIGINT, signal.SIGTERM)]
    formatwarning, n_threads = warnings.formatwarning, torch.get_num_threads()
    torch.set_num_threads(1)  # faster for small networks, most of all on a busy machine
    try:
        runpy.run_path(str(ROOT / name), run_name="__main__")
    except SystemExit as end:
        return end
    finally:
        logger = logging.getLogger(LOGGER)
        logger.handlers[:], logger.propagate = [], True
        logger.setLevel(logging.NOTSET)
        warnings.formatwarning = formatwarning
        torch.set_num_threads(n_threads)
        for number, handler in handlers:
            signal.signal(number, handler)
    return None


def trials(folder: Path, name: str = "glyphs-20-episode") -> list[optuna.trial.FrozenTrial]:
    storage = open_storage(f"sqlite:///{folder}/study.db")
    return optuna.load_study(study_name=name, storage=storage).trials
