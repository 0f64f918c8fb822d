"""The scripts from end to end: once from a shell, and in this process for all other promises."""

import json
import platform
import signal
import socket
import subprocess
import sys
import urllib.request
from pathlib import Path

import pandas as pd
import pytest
from commands import (
    OTHER,
    REFIT,
    ROOT,
    SPACES,
    STUDY,
    environment,
    run_in_process,
    run_script,
    trials,
)
from optuna.trial import TrialState
from shapes import write_image_folder

from data import glyphs
from data.episodes import Dataset
from hpo.settings.base_config import base_config
from hpo.settings.study_settings import StudySettings

FINALISTS = ["--n-finalists", "2", "--n-finalist-seeds", "1"]
OWN_IMAGES = ["--data-root", "mine"]
IMAGES = [str(ROOT / "docs/images" / name) for name in ("a.jpg", "b.png")]


@pytest.fixture(scope="module")
def home(packed_105: Dataset, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a folder with a finished study of two trials on a few glyphs, both of them finalists.

    Commands that run there use the few glyphs, too: they are in its cache.
    """
    folder = tmp_path_factory.mktemp("home")
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(glyphs, "make_glyphs", lambda: packed_105)
        flags = [*STUDY, *FINALISTS, "--n-trials", "2"]
        assert run_in_process(folder, patch, "run_study.py", *flags) is None
    return folder


@pytest.fixture
def empty_folder(home: Path, tmp_path: Path) -> Path:
    """Return an empty folder that shares the data of ``home``."""
    (tmp_path / "var").symlink_to(home / "var")
    return tmp_path


def start(folder: Path, name: str, *flags: str) -> subprocess.Popen[str]:
    command = [sys.executable, str(ROOT / name), *flags]
    one_thread = environment() | {"OMP_NUM_THREADS": "1"}
    return subprocess.Popen(
        command,
        cwd=folder,
        env=one_thread,
        text=True,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
    )


def finish(process: subprocess.Popen[str]) -> str:
    """Return the output of a process that must succeed without a word on standard error."""
    with process:
        output, error = process.communicate(timeout=170)
    assert (process.returncode, error) == (0, "")
    return output


@pytest.fixture(scope="module")
def shell(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a folder in which every script has run as a process, on a few images of its own."""
    folder = tmp_path_factory.mktemp("shell")
    write_image_folder(folder / "mine", ["g1", "g2", "g3"], n_classes=4, n_images=4)
    comparison = start(folder, "compare.py", *IMAGES)
    flags = [
        *STUDY[2:],
        *OWN_IMAGES,
        "--space",
        str(SPACES / "lr.toml"),
        "--n-trials",
        "2",
        "--max-epochs",
        "1",
    ]
    output = finish(start(folder, "run_study.py", *flags))
    assert "finished: 2 of 2 trials" in output
    assert "\r" not in output, "a progress bar, although the output is no terminal"
    assert "the same character" in finish(comparison)
    refit = [*OWN_IMAGES, "--n-seeds", "1", "--max-epochs", "1", "--out", "out"]
    retraining = start(folder, "retrain_best.py", *refit, "--precision", "float32")
    with start(folder, "dashboard.py", "--no-browser", "--port", "0") as dashboard:
        assert dashboard.stdout is not None
        address = dashboard.stdout.readline().split(" on ")[1].split(",")[0]
        with urllib.request.urlopen(f"{address}api/studies") as answer:
            names = [s["study_name"] for s in json.load(answer)["study_summaries"]]
        dashboard.send_signal(signal.SIGINT)
        assert dashboard.wait(timeout=20) == 130
    assert names == ["mine-20-episode-lr"]
    assert "test 48 episodes" in finish(retraining)
    return folder


def test_a_retraining_writes_its_results(shell: Path) -> None:
    out = shell / "out"
    result = json.loads((out / "result.json").read_text())
    predictions = pd.read_csv(out / "predictions.csv")
    assert result["data"] == "mine"
    [seed] = result["seeds"]
    assert set(predictions["seed"]) == {seed["seed"]}
    assert predictions["credit"].mean() == pytest.approx(seed["official"]["accuracy"])
    assert {"commit", "versions", "device", "command"} <= set(result["provenance"])
    assert list(out.glob("*.fit.pt")) == [], "checkpoints of finished fits"
    assert (out / "report.html").stat().st_size < 6e6


def test_evaluating_a_checkpoint_repeats_the_result_of_its_seed(
    shell: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    [first] = json.loads((shell / "out/result.json").read_text())["seeds"]
    flags = ["--checkpoint", f"out/seed-{first['seed']}.pt", "--precision", "float32"]
    flags += [*OWN_IMAGES, "--out", "again"]
    assert run_in_process(shell, monkeypatch, "retrain_best.py", *flags) is None
    assert "21.7 %" not in capsys.readouterr().out, "a figure of the paper for other data"
    [again] = json.loads((shell / "again/result.json").read_text())["seeds"]
    for name in ("official", "random_episodes", "verification", "validation_accuracy"):
        assert again[name] == first[name]


def test_repeating_the_command_says_finished_and_more_trials_resume(
    home: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    before = trials(home)
    n = len(before)
    flags = [*STUDY, *FINALISTS, "--n-trials", str(n)]
    assert run_in_process(home, monkeypatch, "run_study.py", *flags) is None
    text = capsys.readouterr().out
    assert f"finished: {n} of {n} trials" in text
    assert "built-in glyphs" in text
    assert "winner   trial" in text, "one of two finalists"
    assert len(trials(home)) == n
    flags = [*STUDY, "--n-trials", str(n + 1), "--tensorboard", "logs"]
    assert run_in_process(home, monkeypatch, "run_study.py", *flags) is None
    [log] = home.glob("logs/glyphs-20-episode/*/events*")
    assert log.parent.name == f"{n:04}"
    assert f"finished: {n + 1} of {n + 1}" in capsys.readouterr().out
    after = trials(home)
    assert [t.state for t in after] == [TrialState.COMPLETE] * (n + 1)
    assert [t.value for t in after[:n]] == [t.value for t in before]


def test_resuming_with_another_seed_is_refused_and_changes_nothing(
    home: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    before = len(trials(home))
    flags = [*STUDY[:-1], "7", "--n-trials", "9"]
    end = run_in_process(home, monkeypatch, "run_study.py", *flags)
    error = capsys.readouterr().err
    assert end is not None
    assert end.code == 2
    assert error.startswith("error: Study 'glyphs-20-episode'")
    assert "seed: 1 → 7" in error
    assert len(error.splitlines()) == 1
    assert len(trials(home)) == before


@pytest.mark.slow
def test_the_networks_of_a_retraining_are_evaluated_as_an_ensemble(
    home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    refit = [*REFIT, "--n-seeds", "2", "--out", "out"]
    assert run_in_process(home, monkeypatch, "retrain_best.py", *refit) is None
    flags = ["out", "--precision", "float32", "--json", "ensemble.json"]
    assert run_in_process(home, monkeypatch, "benchmarks/ensemble.py", *flags) is None
    ensemble = json.loads((home / "ensemble.json").read_text())
    result = json.loads((home / "out/result.json").read_text())
    official = next(e for e in ensemble["each"] if e["episodes"] == "official")
    assert official["accuracies"] == [seed["official"]["accuracy"] for seed in result["seeds"]]
    assert [row["fits together"] for row in ensemble["Fits that answer together"]] == [1, 2]


@pytest.mark.slow
def test_retraining_on_train_and_val_chooses_no_epoch(
    home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    flags = [*REFIT, "--n-seeds", "1", "--train-on", "train+val", "--out", "both"]
    assert run_in_process(home, monkeypatch, "retrain_best.py", *flags) is None
    result = json.loads((home / "both/result.json").read_text())
    assert result["train_on"] == "train+val"
    assert result["seeds"][0]["best_epoch"] == result["seeds"][0]["epochs"] == 2
    assert result["seeds"][0]["validation_accuracy"] is None, "validation data was trained on"
    assert result["summary"]["verification"] is None


@pytest.mark.slow
def test_at_another_image_size_the_kernels_of_the_winner_are_scaled(
    home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    flags = [*REFIT, "--n-seeds", "1", "--image-size", "30", "--export", "torch"]
    flags += ["--tensorboard", "logs-30px"]
    assert run_in_process(home, monkeypatch, "retrain_best.py", *flags) is None
    assert len(list((home / "var/retrain").glob("*-30px-*/seed-*.*.pt2"))) == 2
    assert len(list((home / "logs-30px").glob("*-30px-*/seed-*/events*"))) == 1
    [path] = (home / "var/retrain").glob("*-train-30px-2epochs-*/result.json")
    model = json.loads(path.read_text())["config"]["model"]
    small = base_config(StudySettings(data="glyphs", image_size=20)).conv.kernels
    assert model["image_size"] == 30
    assert model["kernels"][0] == round(small[0] * 30 / 20)


@pytest.mark.slow
def test_two_workers_share_a_study(empty_folder: Path) -> None:
    done = run_script(empty_folder, "run_study.py", *STUDY, "--n-trials", "4", "--workers", "2")
    assert done.returncode == 0, done.stderr
    finished = [t for t in trials(empty_folder) if t.state.is_finished()]
    assert 4 <= len(finished) <= 5, "the second worker may have started one more"
    assert len({t.number for t in finished if "owner" in t.user_attrs}) == len(finished)


@pytest.mark.parametrize(
    ("name", "flags", "message"),
    [
        ("run_study.py", ["--data-root", "nowhere"], "--data-root"),
        ("run_study.py", ["--data", "glyphs", "--space", "dropout"], "dropout"),
        ("run_study.py", ["--data", "glyphs", "--device", "abacus"], "--device"),
        ("run_study.py", ["--data", "glyphs", "--storage", "x"], "--storage"),
        ("run_study.py", ["--data", "glyphs", "--storage", "sqlite://"], "--storage"),
        ("run_study.py", ["--data", "glyphs", "--seed", "5000000000"], "--seed"),
        ("run_study.py", ["--stop", *OTHER], "other.db"),
        ("retrain_best.py", OTHER, "other.db"),
        ("retrain_best.py", ["--checkpoint", "x.pt"], "x.pt does not exist"),
        ("retrain_best.py", ["--checkpoint", "var/cache/glyphs-20.npz"], "glyphs-20.npz"),
        ("dashboard.py", OTHER, "other.db"),
        ("dashboard.py", ["--storage", "sqlite:///:memory:"], "--storage"),
    ],
)
def test_wrong_input_is_one_line_and_exit_status_2(
    name: str,
    flags: list[str],
    message: str,
    empty_folder: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    end = run_in_process(empty_folder, monkeypatch, name, *flags)
    error = capsys.readouterr().err
    assert end is not None
    assert end.code == 2
    assert error.startswith("error: ")
    assert message in error
    assert len(error.splitlines()) == 1, error


@pytest.mark.parametrize(
    ("name", "flags"),
    [("run_study.py", ["--data-root", "nowhere"]), ("retrain_best.py", ["--checkpoint", "x.pt"])],
)
def test_the_first_line_names_an_untested_system(
    name: str,
    flags: list[str],
    empty_folder: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.setattr(platform, "machine", lambda: "aarch64")
    run_in_process(empty_folder, monkeypatch, name, *flags)
    warning, error = capsys.readouterr().err.splitlines()
    assert "aarch64" in warning
    assert error.startswith("error: ")


def test_the_dashboard_prints_the_status_and_exports_a_report(
    home: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    assert run_in_process(home, monkeypatch, "dashboard.py", "--status") is None
    assert capsys.readouterr().out.startswith("study    glyphs-20-episode in sqlite:///study.db")
    report = tmp_path / "report.html"
    assert run_in_process(home, monkeypatch, "dashboard.py", "--export", str(report)) is None
    assert str(report) in capsys.readouterr().out
    assert report.stat().st_size < 6e6
    assert "glyphs-20-episode" in report.read_text()
    unwritable = ["--export", str(report / "report.html")]
    end = run_in_process(home, monkeypatch, "dashboard.py", *unwritable)
    error = capsys.readouterr().err
    assert end is not None
    assert end.code == 2
    assert "report.html/report.html" in error
    assert len(error.splitlines()) == 1


def test_a_port_in_use_is_one_line(
    home: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = str(taken.getsockname()[1])
        end = run_in_process(home, monkeypatch, "dashboard.py", "--no-browser", "--port", port)
    assert end is not None
    assert end.code == 2
    error = capsys.readouterr().err
    assert "--port" in error
    assert f"Port {port} " in error
