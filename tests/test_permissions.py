"""Folders and files without permissions: one line, exit status 2, and nothing left out."""

import ctypes
import os
import shutil
import stat
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from commands import ROOT, SPACES, run_in_process
from shapes import write_image_folder

from data import glyphs
from data.episodes import Dataset

DRAWING = ROOT / "docs/images/b.png"
STUDY = [
    *("run_study.py", "--n-trials=1", "--max-epochs=1", "--steps-per-epoch=1"),
    *("--image-size=20", "--space", str(SPACES / "lr.toml"), "--n-networks=0"),
]
# linux/capability.h: with these, root may read and write any file.
CAPABILITY_VERSION = 0x20080522
FILE_CAPABILITIES = 1 << 1 | 1 << 2 | 1 << 3  # DAC_OVERRIDE, DAC_READ_SEARCH, FOWNER


def set_file_capabilities(*, allowed: bool) -> None:
    """Give up, or take back, the right of root to read and write any file, in this thread."""
    libc = ctypes.CDLL(None, use_errno=True)
    header = (ctypes.c_uint32 * 2)(CAPABILITY_VERSION, 0)
    data = (ctypes.c_uint32 * 6)()  # effective, permitted, inheritable; twice
    assert libc.capget(header, data) == 0
    data[0] = data[0] | (FILE_CAPABILITIES & data[1]) if allowed else data[0] & ~FILE_CAPABILITIES
    assert libc.capset(header, data) == 0, os.strerror(ctypes.get_errno())


@pytest.fixture
def home(tmp_path: Path) -> Iterator[Path]:
    """Return a folder with images, in which root has no more rights than others.

    All permissions are given back at the end.
    """
    if os.name != "posix" or (os.geteuid() == 0 and sys.platform != "linux"):
        pytest.skip("permissions do not bind this user")
    shutil.copy(DRAWING, tmp_path / "a.png")
    for name in ("one", "two"):
        (tmp_path / "classes" / name).mkdir(parents=True)
        shutil.copy(DRAWING, tmp_path / "classes" / name / "1.png")
    write_image_folder(tmp_path / "mine", ["g1", "g2", "g3"], n_classes=3, n_images=2)
    (tmp_path / "out").mkdir()
    if os.geteuid() == 0:
        set_file_capabilities(allowed=False)
    yield tmp_path
    if os.geteuid() == 0:
        set_file_capabilities(allowed=True)
    for path in (tmp_path, *tmp_path.rglob("*")):
        path.chmod(0o755)


def test_the_permissions_bind_the_user_of_these_tests(home: Path) -> None:
    (home / "a.png").chmod(0)
    with pytest.raises(PermissionError):
        (home / "a.png").read_bytes()


@pytest.mark.parametrize(
    ("locked", "mode", "command", "path"),
    [
        ("a.png", 0, ["compare.py", "a.png", "a.png"], "a.png"),
        ("classes", 0, ["compare.py", "a.png", "classes/one/1.png"], "classes/one/1.png"),
        ("classes/two", 0, ["compare.py", "a.png", "--support", "classes"], "classes/two"),
        ("classes/two", 0o444, ["compare.py", "a.png", "--support", "classes"], "classes/two"),
        ("out", 0o555, ["compare.py", "a.png", "a.png", "--html", "out/x.html"], "out/x.html"),
        ("a.png", 0, ["compare.py", "a.png", "a.png", "--checkpoint", "a.png"], "a.png"),
        ("mine/g2", 0, [*STUDY, "--data-root", "mine"], "mine"),
        ("mine", 0, [*STUDY, "--data-root", "mine"], "mine"),
        (".", 0o555, [*STUDY, "--data=glyphs"], "cannot be written"),
    ],
)
def test_a_path_without_permissions_is_one_line(
    locked: str,
    mode: int,
    command: list[str],
    path: str,
    home: Path,
    packed_105: Dataset,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.setattr(glyphs, "make_glyphs", lambda: packed_105)  # they take seconds to make
    before = stat.S_IMODE((home / locked).stat().st_mode)
    (home / locked).chmod(mode)
    end = run_in_process(home, monkeypatch, *command)
    (home / locked).chmod(before)
    error = capsys.readouterr().err
    assert end is not None, error
    assert end.code == 2
    assert error.startswith("error: ")
    assert path in error
    assert len(error.splitlines()) == 1


def test_a_read_only_folder_of_data_can_be_used(
    home: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    for path in sorted((home / "mine").rglob("*"), reverse=True):
        path.chmod(0o555 if path.is_dir() else 0o444)
    (home / "mine").chmod(0o555)
    flags = [*STUDY[1:], "--data-root", "mine", "--n-finalists=0"]
    assert run_in_process(home, monkeypatch, "run_study.py", *flags) is None
    assert "finished: 1 of 1 trials" in capsys.readouterr().out
