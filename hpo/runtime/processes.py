"""What Ctrl-C and SIGTERM do to a process.

A server that imports what workers need while the script itself is still importing."""

import _thread
import os
import signal
import threading
import time
from multiprocessing import forkserver, get_all_start_methods, get_context, set_forkserver_preload
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


FORKSERVER = "forkserver" in get_all_start_methods()  # not on Windows

CONTEXT = get_context("forkserver") if FORKSERVER else get_context("spawn")

GROUP_SIGNALS = (signal.SIGINT, signal.SIGTERM)  # a terminal or a scheduler sends them to all


def start_forkserver() -> None:
    """Start the server from which workers are forked.

    It ignores what tells the process group to end, from its first moment on: the supervisor gets
    the same signal, ends the workers, and the server with them. A server that went first would
    take the workers' exit statuses with it.
    """
    if not FORKSERVER:
        return
    # An optimiser imports torch._dynamo, which takes seconds: once, not in each worker.
    set_forkserver_preload(["hpo.runtime.worker", "torch._dynamo"])
    handlers = [signal.signal(each, signal.SIG_IGN) for each in GROUP_SIGNALS]  # inherited
    try:
        forkserver.ensure_running()
    finally:
        for each, handler in zip(GROUP_SIGNALS, handlers, strict=True):
            signal.signal(each, handler)
