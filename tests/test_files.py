"""Names of files that are derived from names of data, and the repairs of file errors."""

import errno
import os
from pathlib import Path

import pytest
from commands import SPACES, run_in_process
from shapes import write_image_folder

from data.errors import InputError
from data.files import file_repair, make_folder, short_name, write_atomically

NAME_MAX = 255  # bytes
LONG_NAMES = ["n" * 240, "日" * 80, "é" * 120]


@pytest.mark.parametrize("name", LONG_NAMES, ids=["ASCII", "three bytes", "two bytes"])
def test_a_long_text_becomes_a_name_that_a_file_can_have(name: str, tmp_path: Path) -> None:
    assert len(short_name(f"{name}-20").encode()) <= 200
    assert short_name(f"{name}-20") != short_name(f"{name}-35")
    (tmp_path / short_name(name * 20)).touch()


def test_a_short_text_is_not_changed() -> None:
    assert short_name("omniglot-35 episode/lr") == "omniglot-35_episode_lr"
    assert short_name("n" * 200) == "n" * 200


@pytest.mark.parametrize("name", ["n" * NAME_MAX, "日" * 85], ids=["ASCII", "UTF-8"])
def test_a_file_of_the_longest_name_is_written(name: str, tmp_path: Path) -> None:
    write_atomically(tmp_path / name, lambda path: path.write_text("text"))
    assert [path.name for path in tmp_path.iterdir()] == [name]


@pytest.mark.parametrize("path", ["n" * 256, "日" * 86, "/".join(["n" * 200] * 30)])
def test_a_name_that_is_too_long_is_told(path: str, tmp_path: Path) -> None:
    for act in (make_folder, lambda path: write_atomically(path, Path.touch)):
        with pytest.raises(InputError, match=r"too long.*shorter name") as caught:
            act(tmp_path / path)
        assert "space" not in str(caught.value)
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize(
    ("number", "repair"),
    [
        (errno.ENAMETOOLONG, "shorter"),
        (errno.ENOSPC, "space"),
        (errno.EACCES, "permissions"),
        (errno.EROFS, "read-only"),
        (errno.ENOTDIR, "path"),
        (errno.EIO, "path, its permissions and the free disk space"),
    ],
)
def test_a_repair_fits_its_cause(number: int, repair: str) -> None:
    assert repair in file_repair(OSError(number, os.strerror(number)))


@pytest.mark.parametrize("name", LONG_NAMES[:2], ids=["ASCII", "UTF-8"])
def test_images_in_a_folder_with_a_long_name_can_be_used(
    name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    write_image_folder(tmp_path / name, ["g1", "g2", "g3"], n_classes=3, n_images=2)
    flags = [
        "--data-root",
        name,
        "--image-size",
        "20",
        "--space",
        str(SPACES / "lr.toml"),
        "--tensorboard",
        "logs",
    ]
    fit = ["--n-trials=1", "--max-epochs=1", "--steps-per-epoch=1", "--n-finalists=0"]
    assert run_in_process(tmp_path, monkeypatch, "run_study.py", *flags, *fit) is None
    assert "finished: 1 of 1" in capsys.readouterr().out
    refit = ["--data-root", name, "--n-seeds", "1", "--max-epochs", "1"]
    assert run_in_process(tmp_path, monkeypatch, "retrain_best.py", *refit) is None


@pytest.mark.parametrize("query", ["n" * 300 + ".png", "/".join(["n" * 200] * 30)])
def test_a_command_tells_that_a_name_is_too_long(
    query: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    end = run_in_process(tmp_path, monkeypatch, "compare.py", query, query)
    assert end is not None
    assert end.code == 2
    error = capsys.readouterr().err
    assert len(error.splitlines()) == 1
    assert "shorter name" in error
    assert "space" not in error
