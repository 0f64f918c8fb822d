"""A study of one's own images, from start to report."""

import json
import re
from pathlib import Path

import pytest
from commands import here
from PIL import Image
from shapes import make


@pytest.mark.parametrize("colour", [False, True])
def test_a_study_of_shapes_from_start_to_report(
    colour: bool,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    make(tmp_path / "shapes", [""])
    flags = ["--data-root", "shapes", "--precision", "float32"]
    study = ["--image-size", "28", "--n-trials", "2", "--max-epochs", "2", "--steps-per-epoch", "8"]
    study += ["--finalists", "1", *(["--colour"] if colour else [])]
    assert here(tmp_path, monkeypatch, "run_study.py", *flags, *study) is None
    name = "shapes+class" + "+colour" * colour
    said = capsys.readouterr().out
    assert f"study    {name}-28-episode" in said
    assert f"These are images of '{name}', not Omniglot" in said
    refit = ["--n-seeds", "1", "--max-epochs", "4", "--out", "out"]
    assert here(tmp_path, monkeypatch, "retrain_best.py", *flags, *refit) is None
    result = json.loads((tmp_path / "out/result.json").read_text())
    assert result["data"] == name
    assert result["config"]["model"]["channels"] == (3 if colour else 1)
    assert list(result["summary"]["random_episodes"]) == ["2"]
    report = (tmp_path / "out/report.html").read_text()
    assert name in report
    assert "20-way" not in re.sub(r"<script>.*?</script>", "", report, flags=re.DOTALL)
    if colour:  # two shapes never seen, told apart by their colour
        assert result["summary"]["official"]["mean"] > 0.7
    export = ["--checkpoint", "out/seed-1.pt", "--export", "torch"]
    assert here(tmp_path, monkeypatch, "retrain_best.py", *flags, *export) is None
    assert here(tmp_path, monkeypatch, "dashboard.py", "--export", "report.html") is None
    assert name in (tmp_path / "report.html").read_text()
    pair = ["shapes/corners03/1.png", "shapes/corners12/1.png", "--checkpoint", "out/seed-1.pt"]
    capsys.readouterr()
    assert here(tmp_path, monkeypatch, "compare.py", *pair) is None
    assert "similarity" in capsys.readouterr().out
    end = here(tmp_path, monkeypatch, "compare.py", *pair, "--no-binarize")
    assert end is not None
    assert "Leave out --invert, --no-binarize and --no-preprocess" in capsys.readouterr().err
    [kept, *_] = sorted((tmp_path / "var/trials").glob("*/*.network.pt"))
    assert here(tmp_path, monkeypatch, "compare.py", *pair[:2], "--checkpoint", str(kept)) is None
    said = capsys.readouterr().out
    assert "logit" in said
    assert "no threshold was chosen" in said


def test_a_study_of_a_folder_wants_that_folder(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    make(tmp_path / "shapes", [""], n_images=2)
    study = ["--image-size", "20", "--n-trials", "1", "--max-epochs", "1", "--steps-per-epoch", "1"]
    study += ["--finalists", "0", "--data-root", "shapes", "--precision", "float32"]
    assert here(tmp_path, monkeypatch, "run_study.py", *study) is None
    capsys.readouterr()
    end = here(tmp_path, monkeypatch, "retrain_best.py", "--n-seeds", "1")
    assert end is not None
    assert end.code == 2
    assert "Data set 'shapes+class' is a folder of images" in capsys.readouterr().err
    flags = ["--data", "glyphs", "--validation", "paper"]
    assert here(tmp_path, monkeypatch, "run_study.py", *flags, *study[:-4], *study[-2:]) is None
    said = capsys.readouterr().out
    assert "study    glyphs-20-episode" in said, "the study last worked on"
    folder = ["--data-root", "shapes", "--n-seeds", "1", "--max-epochs", "1", "--out", "out"]
    assert here(tmp_path, monkeypatch, "retrain_best.py", *folder) is None
    said = capsys.readouterr().out
    assert "study    shapes+class-20-episode" in said, "the last one of that folder"
    assert "% test, " in said, "nothing official"
    (tmp_path / "shapes/corners03/1.png").unlink()
    Image.new("L", (9, 9), 255).save(tmp_path / "shapes/corners03/1.png")
    end = here(tmp_path, monkeypatch, "retrain_best.py", "--n-seeds", "1", "--data-root", "shapes")
    assert end is not None
    assert end.code == 2
    assert "The data must be what was trained on" in capsys.readouterr().err
