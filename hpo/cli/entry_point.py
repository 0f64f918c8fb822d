"""How a script runs: signals, exit status, one-line messages for errors that a user can fix."""

import errno
import io
import os
import platform
import sys
import warnings
from collections.abc import Callable
from contextlib import suppress
from typing import NoReturn

from data.errors import InputError
from data.files import file_repair
from data.text import make_printable
from hpo.runtime.processes import INTERRUPTED, handle_signals

# Exit statuses, in addition to INTERRUPTED. An unexpected exception exits with 1 and a traceback.
INPUT_ERROR, BROKEN_PIPE = 2, 141
TESTED_SYSTEM = "Linux", "x86_64"


def run_command(main: Callable[[], None], resume_hint: str) -> None:
    """Run the main function of a script; print an error that a user can fix on one line.

    Args:
        main: main function of the script.
        resume_hint: text printed after Ctrl-C or SIGTERM.

    Raises:
        SystemExit: with status :data:`INPUT_ERROR` after an input error or a file error,
            :data:`BROKEN_PIPE` if the reader of the output has exited, and ``INTERRUPTED`` after
            Ctrl-C or SIGTERM.
    """
    stopped = f"\nstopped. {resume_hint}"
    handle_signals(f"{stopped}\n")
    warnings.formatwarning = _format_warning
    # Pillow warns of invalid metadata, which is not used, without the name of the file.
    warnings.filterwarnings("ignore", category=UserWarning, module=r"PIL\.")
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):  # escape characters unknown to the encoding
            stream.reconfigure(errors="backslashreplace")
    try:
        main()
        print(end="", flush=True)
    except InputError as error:
        _exit(f"error: {make_printable(str(error))}", INPUT_ERROR)
    except BrokenPipeError:  # for example after ``| head``
        _discard_output()
        raise SystemExit(BROKEN_PIPE) from None
    except OSError as error:
        if error.filename is None and error.errno != errno.ENOSPC:
            raise
        if error.filename is None:
            _discard_output()
        path = make_printable(str(error.filename or "The output"))
        _exit(
            f"error: {path}: {error.strerror}. {file_repair(error)}",
            INPUT_ERROR,
        )
    except KeyboardInterrupt:
        _exit(stopped, INTERRUPTED)


def warn_if_untested_system() -> None:
    """Print one line if this program was not tested on this operating system or processor."""
    system = platform.system(), platform.machine()
    if system != TESTED_SYSTEM:
        tested = " ".join(TESTED_SYSTEM)
        print(f"warning: not tested on {' '.join(system)}, only on {tested}", file=sys.stderr)


def _exit(message: str, status: int) -> NoReturn:
    with suppress(OSError):
        print(message, file=sys.stderr, flush=True)
    raise SystemExit(status) from None


def _discard_output() -> None:
    """Redirect the standard output to the null device, so that a later flush cannot fail."""
    with suppress(OSError):
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())


def _format_warning(
    message: Warning | str,
    category: type[Warning],
    filename: str,
    lineno: int,
    line: str | None = None,
) -> str:
    return f"warning: {message}\n"
