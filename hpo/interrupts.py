"""What Ctrl-C and SIGTERM do to a process."""

import _thread
import os
import signal
import threading
import time
from queue import SimpleQueue
from types import FrameType

RETRY_SECONDS = 0.001  # until a signal that struck where it must not comes again
IMPORTS = ("importlib", "_frozen_importlib")
MAX_DELAYS = {
    "sqlalchemy": 5.0,  # a transaction, which a locked database holds up for long
    **dict.fromkeys(IMPORTS, 1.0),
}
INTERRUPTED = 130  # exit status


def handle_signals(last_words: str = "") -> None:
    """Let Ctrl-C and SIGTERM end the process alike: cleanly, not twice, and not in a transaction.

    A database's library that is interrupted inside a transaction keeps it open, and with it the
    lock, or swallows the interruption; so one that strikes there comes again a moment later. Nor
    does an import bear it: numpy and torch cannot be imported again, and may hang. One that takes
    long is ended with the process at once, which costs no more than ``kill -9``: nothing.

    Args:
        last_words: said where an import is ended so.
    """
    struck: float | None = None
    later: SimpleQueue[int] = SimpleQueue()  # unlike a lock, it may be interrupted by itself
    threading.Thread(target=_resend, args=(later,), daemon=True).start()

    def interrupt(number: int, frame: FrameType | None) -> None:
        nonlocal struck
        struck = struck or time.monotonic()
        if time.monotonic() - struck < max_delay(frame):
            later.put(number)
            return
        if is_inside(frame, IMPORTS):
            os.write(2, last_words.encode())
            os._exit(INTERRUPTED)
        for each in (signal.SIGINT, signal.SIGTERM):
            signal.signal(each, signal.SIG_IGN)  # a second one would break off the cleaning up
        raise KeyboardInterrupt

    for each in (signal.SIGINT, signal.SIGTERM):
        signal.signal(each, interrupt)


def _resend(later: SimpleQueue[int]) -> None:
    while True:
        number = later.get()
        time.sleep(RETRY_SECONDS)
        _thread.interrupt_main(signal.Signals(number))


def max_delay(frame: FrameType | None) -> float:
    """Return the seconds for which a frame, or one that called it, may keep a signal waiting."""
    return max((s for name, s in MAX_DELAYS.items() if is_inside(frame, (name,))), default=0)


def is_inside(frame: FrameType | None, libraries: tuple[str, ...]) -> bool:
    """Return whether a frame, or one that called it, is of one of some libraries' code."""
    while frame is not None:
        if str(frame.f_globals.get("__name__", "")).partition(".")[0] in libraries:
            return True
        frame = frame.f_back
    return False


def is_interrupt(error: BaseException | None) -> bool:
    """Return whether somebody told the process to end, be it inside a library that met it first."""
    if error is None or isinstance(error, KeyboardInterrupt):
        return error is not None
    return is_interrupt(error.__cause__ or error.__context__)
