"""What Ctrl-C and SIGTERM do to a process."""

import _thread
import signal
import threading
import time
from types import FrameType

AGAIN_SECONDS = 0.001  # until a signal that struck a transaction comes again
PATIENCE_SECONDS = 5.0  # with a transaction, which a locked database holds up for long


def end_on_first_signal() -> None:
    """Let Ctrl-C and SIGTERM end the process alike: cleanly, not twice, and not in a transaction.

    A database's library that is interrupted inside a transaction keeps it open, and with it the
    lock, or swallows the interruption; so one that strikes there comes again a moment later.
    """
    struck: float | None = None

    def interrupt(number: int, frame: FrameType | None) -> None:
        nonlocal struck
        struck = struck or time.monotonic()
        patient = time.monotonic() - struck < PATIENCE_SECONDS
        if patient and in_library(frame, "sqlalchemy"):
            again = threading.Timer(AGAIN_SECONDS, _thread.interrupt_main, (number,))
            again.daemon = True
            again.start()
            return
        for each in (signal.SIGINT, signal.SIGTERM):
            signal.signal(each, signal.SIG_IGN)  # a second one would break off the cleaning up
        raise KeyboardInterrupt

    for each in (signal.SIGINT, signal.SIGTERM):
        signal.signal(each, interrupt)


def in_library(frame: FrameType | None, name: str) -> bool:
    """Return whether a frame, or one that called it, is of a library's code."""
    while frame is not None:
        if str(frame.f_globals.get("__name__", "")).partition(".")[0] == name:
            return True
        frame = frame.f_back
    return False


def is_interruption(error: BaseException | None) -> bool:
    """Return whether somebody told the process to end, be it inside a library that met it first."""
    if error is None or isinstance(error, KeyboardInterrupt):
        return error is not None
    return is_interruption(error.__cause__ or error.__context__)
