"""How a script ends when it cannot say what it wants to."""

import os
import subprocess
import sys
from pathlib import Path
from typing import IO

import pytest
from commands import ROOT

PAIR = [str(ROOT / "docs/images/a.jpg"), str(ROOT / "docs/images/b.png")]


def compare(out: int | IO[str], *flags: str, **environment: str) -> tuple[int, str]:
    """Return status and standard error of compare.py, its output going elsewhere."""
    done = subprocess.run(
        [sys.executable, str(ROOT / "compare.py"), *PAIR, *flags],
        env=os.environ | environment,
        stdout=out,
        stderr=subprocess.PIPE,
        text=True,
        timeout=120,
    )
    return done.returncode, done.stderr


def test_who_reads_no_further_ends_the_command_in_silence() -> None:
    reading, writing = os.pipe()
    os.close(reading)
    try:
        assert compare(writing) == (141, "")
    finally:
        os.close(writing)


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="there is no /dev/full")
def test_an_output_without_room_is_one_line() -> None:
    with Path("/dev/full").open("w") as full:
        status, said = compare(full)
    assert status == 2
    assert said == "error: The output: No space left on device. Mend its path, rights or disk.\n"


def test_what_a_terminal_cannot_show_is_written_otherwise(tmp_path: Path) -> None:
    with (tmp_path / "out").open("w") as out:
        assert compare(out, PYTHONIOENCODING="ascii") == (0, "")
    assert b"\\xb7 the same character" in (tmp_path / "out").read_bytes()
