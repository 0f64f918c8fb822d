"""Ctrl-C and SIGTERM, sent to all processes of a command as a terminal does, at any stage of it."""

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
from commands import ROOT, SMALL, environment, here, trials
from optuna.trial import TrialState

DRAWINGS = [str(ROOT / "docs/images" / name) for name in ("a.jpg", "b.png")]
STUDY = ["--data=glyphs", "--image-size=20", "--steps-per-epoch=2", "--max-epochs=400"]
COMMANDS = {
    "run_study": ["run_study.py", *STUDY],
    "compare": ["compare.py", *DRAWINGS],
    "retrain_best": ["retrain_best.py"],
    "reproduce": ["reproduce.py"],
    "dashboard": ["dashboard.py", "--port=0", "--no-browser"],
}


def struck(folder: Path, command: list[str], seconds: float, number: signal.Signals) -> str:
    """Return what a command says that is told to end after some time, with status 130."""
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
    time.sleep(seconds)
    os.killpg(process.pid, number)
    _, said = process.communicate(timeout=60)
    assert process.returncode == 130, said
    return said


@pytest.mark.parametrize("seconds", [0.2, 1.0])
@pytest.mark.parametrize("name", COMMANDS)
def test_a_command_that_is_struck_while_it_starts_says_one_line(
    tmp_path: Path, name: str, seconds: float
) -> None:
    number = signal.SIGTERM if seconds == 1.0 else signal.SIGINT
    said = struck(tmp_path, COMMANDS[name], seconds, number)
    assert [line.split(".")[0] for line in said.split("\n") if line] == ["stopped"]


def wait_for(text: str, log: Path) -> None:
    for _ in range(600):
        if text in log.read_text():
            return
        time.sleep(0.1)
    raise AssertionError(f"{text!r} never came: {log.read_text()}")


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGKILL])
def test_a_study_that_is_stopped_or_killed_goes_on(
    number: signal.Signals, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    flags = [*SMALL, "--steps-per-epoch", "2", "--max-epochs", "10", "--pruner", "none"]
    log = tmp_path / "log"
    command = [sys.executable, str(ROOT / "run_study.py"), *flags, "--search", "lr"]
    with log.open("w") as out:
        process = subprocess.Popen(
            [*command, "--n-trials", "9"], cwd=tmp_path, env=environment(), stdout=out, stderr=out
        )
        try:
            wait_for("trial   0", log)
            time.sleep(0.5)  # into a later trial
            process.send_signal(number)
            code = process.wait(timeout=60)
        finally:
            process.kill()
            process.wait()
    finished = [
        t for t in trials(tmp_path, "glyphs-20-episode-lr") if t.state == TrialState.COMPLETE
    ]
    n = len(finished)
    assert n >= 1
    if number == signal.SIGKILL:
        assert code == -signal.SIGKILL
    else:
        assert code == 130
        assert "run the same command again to resume" in log.read_text()
        assert "Traceback" not in log.read_text()
    flags = [*command[2:], "--n-trials", str(n + 1)]
    assert here(tmp_path, monkeypatch, "run_study.py", *flags) is None
    after = trials(tmp_path, "glyphs-20-episode-lr")
    assert [t.value for t in after[:n]] == [t.value for t in finished]
    assert not [t for t in after if t.state == TrialState.RUNNING]
    assert len([t for t in after if t.state == TrialState.COMPLETE]) == n + 1
