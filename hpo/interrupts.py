"""What Ctrl-C and SIGTERM do to a process."""

import _thread
import signal
import threading
import time
from queue import SimpleQueue
from types import FrameType

AGAIN_SECONDS = 0.001  # until a signal that struck where it must not comes again
PATIENCE_SECONDS = {
    "sqlalchemy": 5.0,  # a transaction, which a locked database holds up for long
    "importlib": 60.0,  # an import: numpy and torch bear no second one after a half one
    "_frozen_importlib": 60.0,
}


def end_on_first_signal() -> None:
    """Let Ctrl-C and SIGTERM end the process alike: cleanly, not twice, and not in a transaction.

    A database's library that is interrupted inside a transaction keeps it open, and with it the
    lock, or swallows the interruption, and so does an import; so one that strikes there comes
    again a moment later.
    """
    struck: float | None = None
    later: SimpleQueue[int] = SimpleQueue()  # unlike a lock, it may be interrupted by itself
    threading.Thread(target=_strike_again, args=(later,), daemon=True).start()

    def interrupt(number: int, frame: FrameType | None) -> None:
        nonlocal struck
        struck = struck or time.monotonic()
        if time.monotonic() - struck < patience(frame):
            later.put(number)
            return
        for each in (signal.SIGINT, signal.SIGTERM):
            signal.signal(each, signal.SIG_IGN)  # a second one would break off the cleaning up
        raise KeyboardInterrupt

    for each in (signal.SIGINT, signal.SIGTERM):
        signal.signal(each, interrupt)


def _strike_again(later: SimpleQueue[int]) -> None:
    while True:
        number = later.get()
        time.sleep(AGAIN_SECONDS)
        _thread.interrupt_main(signal.Signals(number))


def patience(frame: FrameType | None) -> float:
    """Return the seconds for which a frame, or one that called it, may keep a signal waiting."""
    seconds = 0.0
    while frame is not None:
        library = str(frame.f_globals.get("__name__", "")).partition(".")[0]
        seconds = max(seconds, PATIENCE_SECONDS.get(library, 0.0))
        frame = frame.f_back
    return seconds


def is_interruption(error: BaseException | None) -> bool:
    """Return whether somebody told the process to end, be it inside a library that met it first."""
    if error is None or isinstance(error, KeyboardInterrupt):
        return error is not None
    return is_interruption(error.__cause__ or error.__context__)
