"""A study of one's own images, from the first trial to the report."""

import json
import re
from pathlib import Path

import pytest
from commands import ROOT, SPACES, run_in_process, trials
from PIL import Image
from shapes import write_image_folder

from data.episodes import Dataset

QUICK = ["--image-size", "20", "--n-trials", "1", "--max-epochs", "1", "--steps-per-epoch", "1"]
FLOAT32 = ["--n-finalists", "0", "--precision", "float32"]


def test_one_file_and_one_command_search_eight_parameters_on_a_folder(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    write_image_folder(tmp_path / "shapes", [""])
    example = str(ROOT / "docs" / "examples" / "own_images.toml")
    flags = ["--config", example, "--data-root", "shapes", *QUICK, *FLOAT32]
    assert run_in_process(tmp_path, monkeypatch, "run_study.py", *flags) is None
    [trial] = trials(tmp_path, "shapes+class-20-episode-own_images")
    assert len(trial.params) == 8
    assert trial.params == {
        "lr": 0.03,
        "l2": 1e-6,
        "conv1.lr_factor": 1.0,
        "fc1.units": 2048,
        "model.conv_norm": "none",
        "fit.n_characters": 64,
        "fit.turns": True,
        "distort.rotation": 10.0,
    }


@pytest.mark.slow
def test_a_study_of_other_episodes_and_parts_is_refitted_on_them(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    division = ["--train", "train01", "train02", "--val", "val01", "--test", "test01", "val02"]
    flags = ["--data", "glyphs", *division, "--n-way", "5", "--n-shot", "2", *QUICK, *FLOAT32]
    space = ["--space", str(SPACES / "lr.toml"), "--study-name", "mine"]
    assert run_in_process(tmp_path, monkeypatch, "run_study.py", *flags, *space) is None
    refit = ["--n-seeds", "1", "--max-epochs", "1", "--precision", "float32", "--out", "out"]
    assert run_in_process(tmp_path, monkeypatch, "retrain_best.py", *refit) is None
    result = json.loads((tmp_path / "out/result.json").read_text())
    assert result["n_way"] == 5
    assert set(result["seeds"][0]["by_alphabet"]["test"]) == {"test01", "val02"}
    assert result["settings"]["data"]["test"] == ["test01", "val02"]
    network = str(tmp_path / "out/seed-1.pt")
    again = ["--checkpoint", network, "--precision", "float32", "--out", "again"]
    assert run_in_process(tmp_path, monkeypatch, "retrain_best.py", *again) is None
    evaluated = json.loads((tmp_path / "again/result.json").read_text())
    assert evaluated["summary"]["official"]["mean"] == result["summary"]["official"]["mean"]
    other = [*flags, *space, "--n-way", "4"]
    end = run_in_process(tmp_path, monkeypatch, "run_study.py", *other)
    assert end is not None
    assert "settings.n_way: 5 → 4" in capsys.readouterr().err


@pytest.mark.slow
def test_a_study_of_coloured_shapes_from_start_to_report(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    write_image_folder(tmp_path / "shapes", [""])

    def run(script: str, *flags: str) -> str:
        """Run a script that must succeed, and return its output."""
        assert run_in_process(tmp_path, monkeypatch, script, *flags) is None
        return capsys.readouterr().out

    name = "shapes+class+colour"
    flags = ["--data-root", "shapes", "--precision", "float32"]
    study = ["--image-size", "28", "--n-trials", "2", "--max-epochs", "2", "--steps-per-epoch", "8"]
    output = run("run_study.py", *flags, *study, "--n-finalists", "1", "--colour")
    assert f"{name}-28-episode" in output
    assert f"'{name}', not Omniglot" in output
    run("retrain_best.py", *flags, "--n-seeds", "1", "--max-epochs", "4", "--out", "out")
    result = json.loads((tmp_path / "out/result.json").read_text())
    assert result["data"] == name
    assert result["config"]["model"]["channels"] == 3
    assert list(result["summary"]["random_episodes"]) == ["2"]
    assert result["summary"]["official"]["mean"] > 0.7  # two new shapes differ in their colour
    report = (tmp_path / "out/report.html").read_text()
    assert name in report
    assert "20-way" not in re.sub(r"<script>.*?</script>", "", report, flags=re.DOTALL)
    run("retrain_best.py", *flags, "--checkpoint", "out/seed-1.pt", "--export", "torch")
    run("dashboard.py", "--export", "report.html")
    assert name in (tmp_path / "report.html").read_text()
    pair = ["shapes/corners03/1.png", "shapes/corners12/1.png", "--checkpoint"]
    assert "similarity" in run("compare.py", *pair, "out/seed-1.pt")
    exit_ = run_in_process(
        tmp_path, monkeypatch, "compare.py", *pair, "out/seed-1.pt", "--no-binarize"
    )
    assert exit_ is not None
    assert exit_.code == 2
    assert "--no-binarize" in capsys.readouterr().err
    network, *_ = sorted((tmp_path / "var/trials").glob("*/*.network.pt"))
    output = run("compare.py", *pair, str(network))  # a trial's network has no threshold
    assert "logit" in output
    assert "threshold" in output


def test_a_study_of_an_image_folder_needs_that_folder(
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    packed_105: Dataset,
) -> None:
    write_image_folder(tmp_path / "shapes", [""], n_images=2)
    monkeypatch.setattr("data.glyphs.make_glyphs", lambda: packed_105)

    def run(script: str, *flags: str) -> str:
        """Run a script that must succeed, and return its output."""
        assert run_in_process(tmp_path, monkeypatch, script, *flags) is None
        return capsys.readouterr().out

    def fail(script: str, *flags: str) -> str:
        """Run a script that must end with status 2, and return its error."""
        capsys.readouterr()
        exit_ = run_in_process(tmp_path, monkeypatch, script, *flags)
        assert exit_ is not None
        assert exit_.code == 2
        return capsys.readouterr().err

    run("run_study.py", *QUICK, *FLOAT32, "--data-root", "shapes")
    error = fail("retrain_best.py", "--n-seeds", "1")
    assert "'shapes+class'" in error
    assert "--data-root" in error
    output = run("run_study.py", "--data", "glyphs", "--validation", "paper", *QUICK, *FLOAT32)
    assert "glyphs-20-episode" in output  # not the study of the folder
    refit = ["--n-seeds", "1", "--max-epochs", "1", "--out", "out", "--data-root", "shapes"]
    output = run("retrain_best.py", *refit)
    assert "shapes+class-20-episode" in output  # not the last study
    assert "official" not in output
    Image.new("L", (9, 9), 255).save(tmp_path / "shapes/corners03/1.png")
    assert "data" in fail("retrain_best.py", "--n-seeds", "1", "--data-root", "shapes")


@pytest.mark.parametrize("groups", [[""], ["a", "b", "c"]])
def test_a_dry_run_says_what_was_found_and_trains_nothing(
    groups: list[str],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    root = write_image_folder(tmp_path / "shapes", groups, n_images=3)
    (root / "notes.txt").touch()
    (root / groups[0] / "corners99").mkdir()
    flags = ["--data-root", "shapes", "--dry-run", "--preview", "first.png"]
    assert run_in_process(tmp_path, monkeypatch, "run_study.py", *QUICK, *flags) is None
    [data] = [line for line in capsys.readouterr().out.splitlines() if line.startswith("data ")]
    assert (
        data.split(" · ")
        == {
            1: [
                "data     shapes+class: 10 classes, 30 images",
                "split by class: train 6 classes, 18 images; val 2 classes, 6 images; "
                "test 2 classes, 6 images",
                "validation has only 2 classes: a trial that is better there may be worse on other "
                "images",
                "left out: 1 .txt",
                "folders without an image: corners99",
            ],
            3: [
                "data     shapes: 3 groups, 30 classes, 90 images",
                "split by group: train 1 group, 10 classes, 30 images; "
                "val 1 group, 10 classes, 30 images; test 1 group, 10 classes, 30 images",
                "10 class names recur in several groups, for example corners03: different classes, "
                "unless --same-name-is-same-class",
                "left out: 1 .txt",
                "folders without an image: a/corners99",
            ],
        }[len(groups)]
    )
    assert not (tmp_path / "study.db").exists()
    assert [path.name for path in (tmp_path / "var").iterdir()] == ["cache"]
    with Image.open(tmp_path / "first.png") as sheet:
        n_classes = 4 + 2 + 2 if groups == [""] else 3 * 4
        assert sheet.size == (8 * 42 + 2, n_classes * 42 + 2)  # tiles of 20 pixels, twice as large


def test_groups_are_counted_if_classes_are_divided(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    write_image_folder(tmp_path / "shapes", ["a", "b"], n_classes=6, n_images=2)
    flags = ["--data-root", "shapes", "--dry-run", "--colour", "--preview", "nowhere/x/first.png"]
    assert run_in_process(tmp_path, monkeypatch, "run_study.py", *QUICK, *flags) is None
    output = capsys.readouterr().out
    assert "shapes+class+colour: 2 groups, 6 classes, 24 images · split by class: " in output
    assert (tmp_path / "nowhere/x/first.png").exists()
