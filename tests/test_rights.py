"""Folders and files that may not be read or written: one line, status 2, nothing left out."""

import os
import shutil
import stat
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from commands import ROOT
from shapes import make

LACKING = "-dac_override,-dac_read_search,-fowner"  # by which root may read and write anything
DRAWING = ROOT / "docs/images/b.png"
STUDY = ["run_study.py", "--n-trials=1", "--max-epochs=1", "--steps-per-epoch=1", "--image-size=20"]


def without_rights() -> list[str]:
    if os.geteuid() != 0:
        return []
    if not shutil.which("setpriv"):
        pytest.skip("root may read and write everything, and there is no setpriv to change it")
    return ["setpriv", f"--bounding-set={LACKING}", f"--inh-caps={LACKING}"]


def run(folder: Path, *command: str) -> subprocess.CompletedProcess[str]:
    environment = {k: v for k, v in os.environ.items() if not k.endswith("_ROOT")}
    return subprocess.run(
        [*without_rights(), sys.executable, str(ROOT / command[0]), *command[1:]],
        cwd=folder,
        env=environment | {"OMP_NUM_THREADS": "1"},
        capture_output=True,
        text=True,
        timeout=120,
    )


@pytest.fixture
def home(tmp_path: Path) -> Iterator[Path]:
    """Return a folder with images; whatever is locked in it is opened again."""
    shutil.copy(DRAWING, tmp_path / "a.png")
    for name in ("one", "two"):
        (tmp_path / "classes" / name).mkdir(parents=True)
        shutil.copy(DRAWING, tmp_path / "classes" / name / "1.png")
    make(tmp_path / "mine", ["g1", "g2", "g3"], n_classes=3, n_images=2)
    (tmp_path / "out").mkdir()
    yield tmp_path
    for path in (tmp_path, *tmp_path.rglob("*")):
        path.chmod(0o755)


@pytest.mark.parametrize(
    ("locked", "rights", "command", "said"),
    [
        ("a.png", 0, ["compare.py", "a.png", "a.png"], "a.png is no image that can be read"),
        ("classes", 0, ["compare.py", "a.png", "classes/one/1.png"], "classes/one/1.png: Permis"),
        ("classes/two", 0, ["compare.py", "a.png", "--support", "classes"], "cannot be read"),
        ("classes/two", 0o444, ["compare.py", "a.png", "--support", "classes"], "cannot be read"),
        ("out", 0o555, ["compare.py", "a.png", "a.png", "--html", "out/x.html"], "be written"),
        ("a.png", 0, ["compare.py", "a.png", "a.png", "--checkpoint", "a.png"], "cannot be read"),
        ("mine/g2", 0, [*STUDY, "--data-root", "mine"], "mine cannot be read"),
        ("mine", 0, [*STUDY, "--data-root", "mine"], "mine"),
        (".", 0o555, [*STUDY, "--data=glyphs"], "cannot be written"),
    ],
)
def test_what_may_not_be_read_or_written_is_one_line(
    locked: str, rights: int, command: list[str], said: str, home: Path
) -> None:
    before = stat.S_IMODE((home / locked).stat().st_mode)
    (home / locked).chmod(rights)
    done = run(home, *command)
    assert done.returncode == 2, done.stderr
    assert done.stderr.startswith("error: ")
    assert said in done.stderr
    assert len(done.stderr.splitlines()) == 1
    (home / locked).chmod(before)


def test_a_read_only_folder_of_data_is_no_hindrance(home: Path) -> None:
    for path in sorted((home / "mine").rglob("*"), reverse=True):
        path.chmod(0o555 if path.is_dir() else 0o444)
    (home / "mine").chmod(0o555)
    done = run(home, *STUDY, "--data-root", "mine", "--finalists=0")
    assert done.returncode == 0, done.stderr
    assert "finished: 1 of 1 trials" in done.stdout
