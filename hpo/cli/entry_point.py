"""How a script ends: one line for what the user can mend, and an exit status."""

import errno
import io
import os
import sys
import warnings
from collections.abc import Callable
from contextlib import suppress
from typing import NoReturn

from data.errors import InputError
from data.text import printable
from hpo.runtime.processes import INTERRUPTED, handle_signals

INPUT_ERROR, BROKEN_PIPE = 2, 141  # exit status; 1 is a bug's, with its traceback


def run_command(main: Callable[[], None], resume_hint: str) -> None:
    """Run a script's main; what the user can mend becomes one line and exit status 2.

    Args:
        main: the script.
        resume_hint: said after Ctrl-C or SIGTERM, with exit status 130.
    """
    stopped = f"\nstopped. {resume_hint}"
    handle_signals(f"{stopped}\n")
    warnings.formatwarning = _one_line
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):  # a name that a terminal cannot show is no error
            stream.reconfigure(errors="backslashreplace")
    try:
        main()
        print(end="", flush=True)
    except InputError as error:
        _exit(f"error: {printable(str(error))}", INPUT_ERROR)
    except BrokenPipeError:  # as after ``| head``: who read the output has had enough
        _discard_output()
        raise SystemExit(BROKEN_PIPE) from None
    except OSError as error:
        if error.filename is None and error.errno != errno.ENOSPC:
            raise
        if error.filename is None:
            _discard_output()
        what = printable(str(error.filename or "The output"))
        _exit(f"error: {what}: {error.strerror}. Mend its path, rights or disk.", INPUT_ERROR)
    except KeyboardInterrupt:
        _exit(stopped, INTERRUPTED)


def _exit(words: str, status: int) -> NoReturn:
    with suppress(OSError):
        print(words, file=sys.stderr, flush=True)
    raise SystemExit(status) from None


def _discard_output() -> None:
    """Let what is still to be flushed into the standard output go nowhere."""
    with suppress(OSError):
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())


def _one_line(
    message: Warning | str,
    category: type[Warning],
    filename: str,
    lineno: int,
    line: str | None = None,
) -> str:
    return f"warning: {message}\n"
