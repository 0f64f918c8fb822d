"""Ctrl-C and SIGTERM, sent to all processes of a command as a terminal does, at any stage of it."""

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
from commands import ROOT, SMALL, SPACES, environment, run_in_process, trials
from crashing import wait_until
from optuna.trial import TrialState

pytestmark = pytest.mark.slow

IMAGES = [str(ROOT / "docs/images" / name) for name in ("a.jpg", "b.png")]
STUDY = ["--data=glyphs", "--image-size=20", "--steps-per-epoch=2", "--max-epochs=400"]
COMMANDS = {
    "run_study": ["run_study.py", *STUDY],
    "compare": ["compare.py", *IMAGES],
    "retrain_best": ["retrain_best.py"],
    "reproduce": ["reproduce.py"],
    "dashboard": ["dashboard.py", "--port=0", "--no-browser"],
}
NAME = "glyphs-20-episode-lr"


def stop_after(folder: Path, command: list[str], seconds: float, number: signal.Signals) -> str:
    """Start a command, stop it after some time, require status 130, and return its errors."""
    environment = {k: v for k, v in os.environ.items() if not k.endswith("_ROOT")}
    process = subprocess.Popen(
        [sys.executable, str(ROOT / command[0]), *command[1:]],
        cwd=folder,
        env=environment | {"OMP_NUM_THREADS": "1"},
        text=True,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        start_new_session=True,
    )
    time.sleep(seconds)  # any moment of the start
    os.killpg(process.pid, number)
    _, errors = process.communicate(timeout=60)
    assert process.returncode == 130, errors
    return errors


@pytest.mark.parametrize("seconds", [0.2, 1.0])
@pytest.mark.parametrize("name", COMMANDS)
def test_a_command_that_is_stopped_while_it_starts_prints_one_line(
    tmp_path: Path, name: str, seconds: float
) -> None:
    number = signal.SIGTERM if seconds == 1.0 else signal.SIGINT
    errors = stop_after(tmp_path, COMMANDS[name], seconds, number)
    assert [line.split(".")[0] for line in errors.split("\n") if line] == ["stopped"]


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGKILL])
def test_a_study_that_is_stopped_or_killed_is_resumed(
    number: signal.Signals, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    flags = [*SMALL, "--steps-per-epoch", "2", "--max-epochs", "6", "--pruner", "none"]
    flags += ["--space", str(SPACES / "lr.toml")]
    log = tmp_path / "log"
    with log.open("w") as file:
        process = subprocess.Popen(
            [sys.executable, str(ROOT / "run_study.py"), *flags, "--n-trials", "99"],
            cwd=tmp_path,
            env=environment() | {"OMP_NUM_THREADS": "1"},
            stdout=file,
            stderr=file,
        )
        try:
            wait_until(lambda: "trial   0" in log.read_text())
            wait_until(lambda: has_a_running_trial(tmp_path))
            process.send_signal(number)
            status = process.wait(timeout=60)
        finally:
            process.kill()
            process.wait()
    complete = [t for t in trials(tmp_path, NAME) if t.state == TrialState.COMPLETE]
    n = len(complete)
    assert n >= 1
    if number == signal.SIGKILL:
        assert status == -signal.SIGKILL
    else:
        assert status == 130
        assert "stopped" in log.read_text()
        assert "Traceback" not in log.read_text()
    flags += ["--n-trials", str(n + 1)]
    assert run_in_process(tmp_path, monkeypatch, "run_study.py", *flags) is None
    resumed = trials(tmp_path, NAME)
    assert [t.value for t in resumed[:n]] == [t.value for t in complete]
    assert not [t for t in resumed if t.state == TrialState.RUNNING]
    assert len([t for t in resumed if t.state == TrialState.COMPLETE]) == n + 1


def has_a_running_trial(folder: Path) -> bool:
    return any(t.state == TrialState.RUNNING for t in trials(folder, NAME))
