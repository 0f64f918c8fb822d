"""The commands as a person types them, on the built-in glyphs, in an empty folder."""

import json
import signal
import socket
import subprocess
import sys
import urllib.request
from pathlib import Path

import pandas as pd
import pytest
from commands import OTHER, REFIT, ROOT, STUDY, environment, here, script, trials
from optuna.trial import TrialState


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a folder with a finished study of two trials."""
    folder = tmp_path_factory.mktemp("home")
    done = script(folder, "run_study.py", *STUDY, "--n-trials", "2", "--finalists", "2")
    assert done.returncode == 0, done.stderr
    assert "finished: 2 of 2 trials" in done.stdout
    assert "built-in glyphs" in done.stdout
    assert "winner   trial" in done.stdout, "of two finalists"
    assert "\r" not in done.stdout + done.stderr, "a progress bar where there is no terminal"
    return folder


def test_repeating_the_command_says_finished_and_more_trials_resume(
    home: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    assert here(home, monkeypatch, "run_study.py", *STUDY, "--n-trials", "2") is None
    assert "The study is finished" in capsys.readouterr().out
    assert len(trials(home)) == 2
    here(home, monkeypatch, "run_study.py", *STUDY, "--n-trials", "3", "--tensorboard", "courses")
    assert [p.parent.name for p in home.glob("courses/glyphs-20-episode/*/events*")] == ["0002"]
    assert "finished: 3 of 3" in capsys.readouterr().out
    assert [t.state for t in trials(home)] == [TrialState.COMPLETE] * 3


def test_resuming_as_something_else_is_one_line_and_changes_nothing(
    home: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    before = len(trials(home))
    end = here(home, monkeypatch, "run_study.py", *STUDY[:-1], "7", "--n-trials", "9")
    error = capsys.readouterr().err
    assert end is not None
    assert end.code == 2
    assert error.startswith("error: Study 'glyphs-20-episode' was made otherwise")
    assert len(error.splitlines()) == 1
    assert len(trials(home)) == before


def test_retraining_reports_and_its_checkpoint_evaluates_to_the_same(
    home: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    refit = [*REFIT, "--n-seeds", "2", "--out", "out"]
    assert here(home, monkeypatch, "retrain_best.py", *refit) is None
    printed = capsys.readouterr().out
    result = json.loads((home / "out/result.json").read_text())
    predictions = pd.read_csv(home / "out/predictions.csv")
    assert result["data"] == "glyphs"
    assert "21.7 %" not in printed, "the paper's figure beside glyphs"
    for seed in result["seeds"]:
        rows = predictions[predictions["seed"] == seed["seed"]]
        assert rows["credit"].mean() == pytest.approx(seed["official"]["accuracy"])
    assert {"commit", "versions", "device", "command"} <= set(result["provenance"])
    assert list((home / "out").glob("*.fit.pt")) == []
    assert (home / "out/report.html").stat().st_size < 6e6
    first = result["seeds"][0]
    flags = [
        "--checkpoint",
        f"out/seed-{first['seed']}.pt",
        "--precision",
        "float32",
        "--out",
        "again",
    ]
    assert here(home, monkeypatch, "retrain_best.py", *flags) is None
    again = json.loads((home / "again/result.json").read_text())["seeds"][0]
    for name in ("official", "random_episodes", "verification", "validation_accuracy"):
        assert again[name] == first[name]


def test_fits_answer_together(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    refit = [*REFIT, "--n-seeds", "2", "--out", "out"]
    assert here(home, monkeypatch, "retrain_best.py", *refit) is None
    flags = ["out", "--precision", "float32", "--json", "together.json"]
    assert here(home, monkeypatch, "benchmarks/ensemble.py", *flags) is None
    found = json.loads((home / "together.json").read_text())
    result = json.loads((home / "out/result.json").read_text())
    alone = next(e for e in found["each"] if e["episodes"] == "official")
    assert alone["accuracies"] == [seed["official"]["accuracy"] for seed in result["seeds"]]
    assert [row["fits together"] for row in found["Fits that answer together"]] == [1, 2]


def test_retraining_on_train_and_val_runs_without_choosing_an_epoch(
    home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    flags = [*REFIT, "--n-seeds", "1", "--train-on", "train+val", "--out", "both"]
    assert here(home, monkeypatch, "retrain_best.py", *flags) is None
    result = json.loads((home / "both/result.json").read_text())
    assert result["train_on"] == "train+val"
    assert result["seeds"][0]["best_epoch"] == result["seeds"][0]["epochs"] == 2
    assert result["seeds"][0]["validation_accuracy"] is None, "it was trained on"
    assert result["summary"]["verification"] is None


def test_the_winner_is_refitted_at_another_size_with_its_kernels_grown(
    home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    flags = [*REFIT, "--n-seeds", "1", "--image-size", "30", "--export", "torch"]
    flags += ["--tensorboard", "courses"]
    assert here(home, monkeypatch, "retrain_best.py", *flags) is None
    assert len(list((home / "var/retrain").glob("*-30px-*/seed-*.*.pt2"))) == 2
    assert len(list((home / "courses").glob("*-30px-*/seed-*/events*"))) == 1
    [path] = (home / "var/retrain").glob("*-train-30px-2epochs/result.json")
    model = json.loads(path.read_text())["config"]["model"]
    params = trials(home)[json.loads(path.read_text())["trial"]].params
    assert model["image_size"] == 30
    assert model["kernels"][0] == round(params["conv1.kernel"] * 30 / 20)


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
        ("retrain_best.py", OTHER, "other.db does not exist"),
        ("retrain_best.py", ["--checkpoint", "x.pt"], "Checkpoint x.pt does not exist"),
        ("retrain_best.py", ["--checkpoint", "var/cache/glyphs-20.npz"], "torn or not one of"),
        ("run_study.py", ["--data", "glyphs", "--seed", "5000000000"], "0 <= seed"),
        ("dashboard.py", OTHER, "other.db does not exist"),
        ("dashboard.py", ["--storage", "sqlite:///:memory:"], "outlasts the command"),
        ("run_study.py", ["--data", "glyphs", "--storage", "sqlite://"], "outlasts the command"),
    ],
)
def test_bad_input_is_one_line_and_status_2(
    name: str,
    flags: list[str],
    message: str,
    home: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    (tmp_path / "var").symlink_to(home / "var")
    end = here(tmp_path, monkeypatch, name, *flags)
    error = capsys.readouterr().err
    assert end is not None
    assert end.code == 2
    assert message in error
    assert len(error.splitlines()) == 1, error


def test_an_error_reaches_the_shell_as_one_line_and_status_2(tmp_path: Path) -> None:
    done = script(tmp_path, "retrain_best.py", *OTHER)
    assert done.returncode == 2
    assert done.stderr.startswith("error: other.db does not exist. Run run_study.py")
    assert len(done.stderr.splitlines()) == 1


def test_the_dashboard_prints_and_exports(
    home: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    assert here(home, monkeypatch, "dashboard.py", "--status") is None
    printed = capsys.readouterr().out
    assert printed.startswith("study    glyphs-20-episode in sqlite:///study.db")
    assert "Best so far: trial" in printed
    report = tmp_path / "report.html"
    assert here(home, monkeypatch, "dashboard.py", "--export", str(report)) is None
    assert "it needs no other file" in capsys.readouterr().out
    assert report.stat().st_size < 6e6
    assert "glyphs-20-episode" in report.read_text()


def test_a_report_that_cannot_be_written_is_one_line(
    home: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    end = here(home, monkeypatch, "dashboard.py", "--export", "study.db/report.html")
    assert end is not None
    assert end.code == 2
    error = capsys.readouterr().err
    assert "report.html cannot be written" in error
    assert len(error.splitlines()) == 1


def test_a_port_in_use_is_one_line(
    home: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = str(taken.getsockname()[1])
        end = here(home, monkeypatch, "dashboard.py", "--no-browser", "--port", port)
    assert end is not None
    assert end.code == 2
    assert f"Port {port} of 127.0.0.1 cannot be used" in capsys.readouterr().err


def test_the_dashboard_serves_a_finished_study_and_ends_at_once(home: Path) -> None:
    command = [sys.executable, str(ROOT / "dashboard.py"), "--no-browser", "--port", "0"]
    process = subprocess.Popen(
        command, cwd=home, env=environment(), text=True, stdout=subprocess.PIPE
    )
    with process:
        assert process.stdout is not None
        address = process.stdout.readline().split(" on ")[1].split(",")[0]
        with urllib.request.urlopen(f"{address}api/studies") as answer:
            names = [s["study_name"] for s in json.load(answer)["study_summaries"]]
        assert "glyphs-20-episode" in names
        process.send_signal(signal.SIGINT)
        assert process.wait(timeout=20) == 130
