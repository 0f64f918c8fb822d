"""The commands as a person types them, on the built-in glyphs, in an empty folder."""

import json
import os
import signal
import subprocess
import sys
import time
import urllib.request
from pathlib import Path

import optuna
import pandas as pd
import pytest
from optuna.trial import TrialState

from hpo.storage import open_storage

ROOT = Path(__file__).parents[1]
SMALL = ["--data", "glyphs", "--image-size", "20", "--validation", "paper"]
STUDY = [*SMALL, "--epoch-steps", "2", "--max-epochs", "2", "--seed", "1"]


def environment() -> dict[str, str]:
    return {**os.environ, "PYTHONUNBUFFERED": "1"}


def script(folder: Path, name: str, *flags: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, str(ROOT / name), *flags]
    return subprocess.run(
        command, cwd=folder, env=environment(), capture_output=True, text=True, timeout=170
    )


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a folder with a finished study of two trials."""
    folder = tmp_path_factory.mktemp("home")
    done = script(folder, "run_study.py", *STUDY, "--n-trials", "2")
    assert done.returncode == 0, done.stderr
    assert "finished: 2 of 2 trials" in done.stdout
    assert "built-in glyphs" in done.stdout
    assert "\r" not in done.stdout + done.stderr, "a progress bar where there is no terminal"
    return folder


def trials(folder: Path) -> list[optuna.trial.FrozenTrial]:
    storage = open_storage(f"sqlite:///{folder}/study.db")
    return optuna.load_study(study_name="glyphs-20-episode", storage=storage).trials


def test_repeating_the_command_says_finished_and_more_trials_resume(home: Path) -> None:
    again = script(home, "run_study.py", *STUDY, "--n-trials", "2")
    assert again.returncode == 0
    assert "The study is finished" in again.stdout
    assert len(trials(home)) == 2
    more = script(home, "run_study.py", *STUDY, "--n-trials", "3")
    assert "finished: 3 of 3" in more.stdout
    assert [t.state for t in trials(home)] == [TrialState.COMPLETE] * 3


def test_resuming_as_something_else_is_one_line_and_changes_nothing(home: Path) -> None:
    before = len(trials(home))
    done = script(home, "run_study.py", *STUDY[:-1], "7", "--n-trials", "9")
    assert done.returncode == 2
    assert done.stderr.startswith("error: Study 'glyphs-20-episode' was made otherwise")
    assert len(done.stderr.splitlines()) == 1
    assert len(trials(home)) == before


def test_retraining_reports_and_its_checkpoint_evaluates_to_the_same(home: Path) -> None:
    done = script(home, "retrain_best.py", "--seeds", "2", "--max-epochs", "2", "--out", "out")
    assert done.returncode == 0, done.stderr
    result = json.loads((home / "out/result.json").read_text())
    predictions = pd.read_csv(home / "out/predictions.csv")
    assert result["data"] == "glyphs"
    assert "21.7 %" not in done.stdout, "the paper's figure beside glyphs"
    for seed in result["seeds"]:
        rows = predictions[predictions["seed"] == seed["seed"]]
        assert rows["credit"].mean() == pytest.approx(seed["official"]["accuracy"])
    assert {"commit", "versions", "device", "command"} <= set(result["provenance"])
    assert list((home / "out").glob("*.fit.pt")) == []
    first = result["seeds"][0]
    flags = ["--checkpoint", f"out/seed-{first['seed']}.pt", "--out", "again"]
    evaluated = script(home, "retrain_best.py", *flags)
    assert evaluated.returncode == 0, evaluated.stderr
    again = json.loads((home / "again/result.json").read_text())["seeds"][0]
    for name in ("official", "random_episodes", "verification", "validation_accuracy"):
        assert again[name] == first[name]


def test_retraining_on_train_and_val_runs_without_choosing_an_epoch(home: Path) -> None:
    flags = ["--seeds", "1", "--max-epochs", "2", "--train-on", "train+val", "--out", "both"]
    done = script(home, "retrain_best.py", *flags)
    assert done.returncode == 0, done.stderr
    result = json.loads((home / "both/result.json").read_text())
    assert result["train_on"] == "train+val"
    assert result["seeds"][0]["best_epoch"] == result["seeds"][0]["epochs"] == 2
    assert result["seeds"][0]["validation_accuracy"] is None, "it was trained on"
    assert result["summary"]["verification"] is None


def wait_for(text: str, log: Path) -> None:
    for _ in range(600):
        if text in log.read_text():
            return
        time.sleep(0.1)
    raise AssertionError(f"{text!r} never came: {log.read_text()}")


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGKILL])
def test_a_study_that_is_stopped_or_killed_goes_on(
    number: signal.Signals, home: Path, tmp_path: Path
) -> None:
    (tmp_path / "var").symlink_to(home / "var")
    flags = [*SMALL, "--epoch-steps", "2", "--max-epochs", "10", "--pruner", "none"]
    log = tmp_path / "log"
    command = [sys.executable, str(ROOT / "run_study.py"), *flags, "--search", "lr"]
    with log.open("w") as out:
        process = subprocess.Popen(
            [*command, "--n-trials", "9"], cwd=tmp_path, env=environment(), stdout=out, stderr=out
        )
        wait_for("trial   0", log)
        time.sleep(0.5)  # into a later trial
        process.send_signal(number)
        code = process.wait(timeout=60)
    finished = [t for t in trials(tmp_path) if t.state == TrialState.COMPLETE]
    n = len(finished)
    assert n >= 1
    if number == signal.SIGKILL:
        assert code == -signal.SIGKILL
    else:
        assert code == 130
        assert "run the same command again to resume" in log.read_text()
        assert "Traceback" not in log.read_text()
    done = subprocess.run(
        [*command, "--n-trials", str(n + 1)],
        cwd=tmp_path,
        env=environment(),
        capture_output=True,
        text=True,
        timeout=120,
    )
    assert done.returncode == 0, done.stderr
    after = trials(tmp_path)
    assert [t.value for t in after[:n]] == [t.value for t in finished]
    assert not [t for t in after if t.state == TrialState.RUNNING]
    assert len([t for t in after if t.state == TrialState.COMPLETE]) == n + 1


def test_two_workers_share_a_study(home: Path, tmp_path: Path) -> None:
    (tmp_path / "var").symlink_to(home / "var")
    done = script(tmp_path, "run_study.py", *STUDY, "--n-trials", "4", "--workers", "2")
    assert done.returncode == 0, done.stderr
    ended = [t for t in trials(tmp_path) if t.state.is_finished()]
    assert 4 <= len(ended) <= 5  # a second worker may have begun one more
    assert len({t.number for t in ended if "owner" in t.user_attrs}) == len(ended)


@pytest.mark.parametrize(
    ("name", "flags", "message"),
    [
        ("run_study.py", ["--data-root", "nowhere"], "--data-root must be a folder"),
        ("run_study.py", ["--data", "glyphs", "--search", "dropout"], "--search takes groups"),
        ("run_study.py", ["--data", "glyphs", "--device", "abacus"], "--device must name a device"),
        ("run_study.py", ["--data", "glyphs", "--storage", "x"], "--storage must be an address"),
        ("retrain_best.py", [], "study.db does not exist"),
        ("retrain_best.py", ["--checkpoint", "x.pt"], "Checkpoint x.pt does not exist"),
        ("retrain_best.py", ["--checkpoint", "var/cache/glyphs-20.npz"], "torn or not one of"),
        ("run_study.py", ["--data", "glyphs", "--seed", "5000000000"], "0 <= seed"),
        ("dashboard.py", [], "study.db does not exist"),
    ],
)
def test_bad_input_is_one_line_and_status_2(
    name: str, flags: list[str], message: str, home: Path, tmp_path: Path
) -> None:
    (tmp_path / "var").symlink_to(home / "var")
    done = script(tmp_path, name, *flags)
    assert done.returncode == 2
    assert message in done.stderr
    assert len(done.stderr.splitlines()) == 1, done.stderr


def test_the_dashboard_serves_the_study_on_this_machine(home: Path) -> None:
    command = [sys.executable, str(ROOT / "dashboard.py"), "--port", "18080"]
    process = subprocess.Popen(
        command, cwd=home, env=environment(), stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
    )
    try:
        for _ in range(200):
            try:
                with urllib.request.urlopen("http://127.0.0.1:18080/api/studies") as answer:
                    names = [s["study_name"] for s in json.load(answer)["study_summaries"]]
                break
            except OSError:
                time.sleep(0.1)
        assert names == ["glyphs-20-episode"]
    finally:
        process.terminate()
        process.wait(timeout=20)
