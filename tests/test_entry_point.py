"""How a script ends: exit statuses, one-line errors, and outputs that cannot be written."""

import errno
import io
import os
import platform
import struct
import subprocess
import sys
import warnings
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from commands import ROOT, run_in_process
from PIL import Image

from data.errors import InputError
from hpo.cli import entry_point
from hpo.cli.entry_point import run_command, warn_if_untested_system


@pytest.fixture(autouse=True)
def _keep_process_state(monkeypatch: pytest.MonkeyPatch) -> None:
    """Leave signal handlers and the format of warnings as they are."""
    monkeypatch.setattr(entry_point, "handle_signals", lambda message: None)
    monkeypatch.setattr(warnings, "formatwarning", warnings.formatwarning)


@pytest.fixture
def closed_pipe() -> Iterator[io.TextIOWrapper]:
    reading, writing = os.pipe()
    os.close(reading)
    with os.fdopen(writing, "w") as stream:
        yield stream


def exit_status(main: Callable[[], None]) -> int:
    try:
        run_command(main, "Run it again.")
    except SystemExit as end:
        return int(end.code or 0)
    return 0


def fail(error: BaseException) -> Callable[[], None]:
    def main() -> None:
        raise error

    return main


@pytest.mark.parametrize(
    ("error", "status", "message"),
    [
        (InputError("--seed is wrong.\nCorrect it."), 2, "error: --seed is wrong.?Correct it.\n"),
        (FileNotFoundError(errno.ENOENT, "No such file", "a\nb"), 2, "error: a?b: No such file."),
        (OSError(errno.ENOSPC, "No space left"), 2, "error: The output: No space left."),
        (KeyboardInterrupt(), 130, "\nstopped. Run it again.\n"),
    ],
)
def test_an_error_that_the_user_can_fix_is_one_line(
    error: BaseException, status: int, message: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert exit_status(fail(error)) == status
    text = capsys.readouterr().err
    assert text.startswith(message)
    assert len(text.strip().splitlines()) == 1


@pytest.mark.parametrize("error", [OSError(errno.EIO, "unknown file"), ZeroDivisionError()])
def test_a_bug_keeps_its_traceback(error: Exception) -> None:
    with pytest.raises(type(error)):
        run_command(fail(error), "")


def test_a_reader_that_has_left_ends_the_command_in_silence(
    closed_pipe: io.TextIOWrapper,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.setattr(sys, "stdout", closed_pipe)
    assert exit_status(lambda: print("text")) == 141
    assert capsys.readouterr().err == ""


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="there is no /dev/full")
def test_an_output_without_space_is_one_line_also_at_the_exit_of_the_process() -> None:
    code = "from hpo.cli.entry_point import run_command; run_command(lambda: print('x'), '')"
    with Path("/dev/full").open("w") as full:
        done = subprocess.run(
            [sys.executable, "-c", code], cwd=ROOT, stdout=full, stderr=subprocess.PIPE, text=True
        )
    assert done.returncode == 2
    assert done.stderr.startswith("error: The output: No space left on device.")
    assert len(done.stderr.splitlines()) == 1


def test_characters_that_the_terminal_lacks_are_escaped(monkeypatch: pytest.MonkeyPatch) -> None:
    output = io.BytesIO()
    monkeypatch.setattr(sys, "stdout", io.TextIOWrapper(output, encoding="ascii"))
    assert exit_status(lambda: print("a · b")) == 0
    assert output.getvalue() == b"a \\xb7 b\n"


def test_a_warning_is_one_line(capsys: pytest.CaptureFixture[str]) -> None:
    def main() -> None:
        with warnings.catch_warnings():
            warnings.simplefilter("always")
            text = warnings.formatwarning("slow disk", UserWarning, __file__, 1)
        print(text, end="")

    assert exit_status(main) == 0
    assert capsys.readouterr().out == "warning: slow disk\n"


@pytest.mark.parametrize(
    ("system", "machine", "n_lines"),
    [
        ("Linux", "x86_64", 0),
        ("Linux", "aarch64", 1),
        ("Darwin", "arm64", 1),
        ("Darwin", "x86_64", 1),
        ("Windows", "AMD64", 1),
    ],
)
def test_an_untested_system_is_named(
    system: str,
    machine: str,
    n_lines: int,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.setattr(platform, "system", lambda: system)
    monkeypatch.setattr(platform, "machine", lambda: machine)
    warn_if_untested_system()
    lines = capsys.readouterr().err.splitlines()
    assert len(lines) == n_lines
    assert all(f"not tested on {system} {machine}" in line for line in lines)


def test_invalid_metadata_of_an_image_causes_no_warning(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    rational_beyond_the_end = struct.pack("<HHII", 0x0112, 5, 1, 0xFFFF)
    exif = b"Exif\0\0II*\0" + struct.pack("<IH", 8, 1) + rational_beyond_the_end + bytes(4)
    path = tmp_path / "photo.jpg"
    with Image.open(ROOT / "docs/images/b.png") as image:
        image.convert("L").save(path, exif=exif)
    with pytest.warns(UserWarning, match="Truncated File Read"), Image.open(path) as image:
        image.getexif().get(0x0112)
    assert run_in_process(tmp_path, monkeypatch, "compare.py", str(path), str(path)) is None
    output = capsys.readouterr()
    assert output.err == ""
    assert "photo.jpg" in output.out


@pytest.mark.parametrize(
    ("error", "status", "start", "is_one_line"),
    [("KeyboardInterrupt", 130, "stopped.", True), ("KeyError", 1, "Traceback", False)],
)
def test_only_an_interruption_of_the_imports_is_one_line(
    error: str, status: int, start: str, is_one_line: bool
) -> None:
    command = [sys.executable, "-c", f"import hpo.cli; raise {error}"]
    process = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    lines = process.stderr.splitlines()
    assert (process.returncode, len(lines) == 1) == (status, is_one_line)
    assert lines[0].startswith(start)
