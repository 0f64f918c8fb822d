"""How processes react to signals, and the server from which worker processes are forked."""

import _thread
import os
import signal
import socket
import threading
import time
from multiprocessing import forkserver, get_all_start_methods, get_context, set_forkserver_preload
from pathlib import Path
from queue import SimpleQueue
from types import FrameType

INTERRUPTED = 130  # exit status after Ctrl-C or SIGTERM
# Terminals and schedulers send these signals to every process of a group.
GROUP_SIGNALS = (signal.SIGINT, signal.SIGTERM)

RESEND_SECONDS = 0.001  # delay after which a postponed signal is sent again
IMPORT_MODULES = ("importlib", "_frozen_importlib")
# Longest time that code of a library may postpone a signal. A database transaction can wait long
# for a lock.
MAX_DELAY_SECONDS = {"sqlalchemy": 5.0, **dict.fromkeys(IMPORT_MODULES, 1.0)}

# Modules that workers need. torch and Optuna import the last three on first use, which takes
# seconds; preloading does this once instead of in every worker.
PRELOAD = ["hpo.runtime.worker", "torch._dynamo", "sqlalchemy.orm", "alembic.command"]

FORKSERVER = "forkserver" in get_all_start_methods()  # not on Windows
CONTEXT = get_context("forkserver") if FORKSERVER else get_context("spawn")


def handle_signals(import_message: str = "") -> None:
    """Make SIGINT and SIGTERM raise KeyboardInterrupt once, as soon as this is safe.

    SQLAlchemy does not survive an exception in the middle of a transaction: it leaves the
    transaction and its lock open, or swallows the exception. An interrupted import of numpy or
    torch cannot be repeated and may hang. A signal that arrives in such code is therefore postponed
    until the code returns. If an import takes longer than :data:`MAX_DELAY_SECONDS`, the process
    exits at once, which is as safe as ``kill -9``.

    Args:
        import_message: text that is written to standard error if the process exits in an import.
    """
    first_arrival: float | None = None
    # SimpleQueue is reentrant: a signal handler may use it even while it interrupts code that is
    # using it.
    postponed: SimpleQueue[int] = SimpleQueue()
    threading.Thread(target=_resend, args=(postponed,), daemon=True).start()

    def interrupt(number: int, frame: FrameType | None) -> None:
        nonlocal first_arrival
        first_arrival = first_arrival or time.monotonic()
        if time.monotonic() - first_arrival < max_delay(frame):
            postponed.put(number)
            return
        if is_inside(frame, IMPORT_MODULES):
            os.write(2, import_message.encode())
            os._exit(INTERRUPTED)
        for group_signal in GROUP_SIGNALS:
            # A second signal would interrupt the clean-up.
            signal.signal(group_signal, signal.SIG_IGN)
        raise KeyboardInterrupt

    for group_signal in GROUP_SIGNALS:
        signal.signal(group_signal, interrupt)


def _resend(postponed: SimpleQueue[int]) -> None:
    """Send postponed signals to the main thread again, in an endless loop."""
    while True:
        number = postponed.get()
        time.sleep(RESEND_SECONDS)
        _thread.interrupt_main(signal.Signals(number))


def max_delay(frame: FrameType | None) -> float:
    """Return for how many seconds the code of a frame and its callers may postpone a signal."""
    delays = MAX_DELAY_SECONDS.items()
    return max((seconds for name, seconds in delays if is_inside(frame, (name,))), default=0)


def is_inside(frame: FrameType | None, libraries: tuple[str, ...]) -> bool:
    """Return whether a frame or one of its callers runs code of one of the libraries."""
    while frame is not None:
        if str(frame.f_globals.get("__name__", "")).partition(".")[0] in libraries:
            return True
        frame = frame.f_back
    return False


def start_forkserver() -> None:
    """Start the server from which workers are forked, while the caller is still importing.

    The server imports what all workers need. It ignores SIGINT and SIGTERM from its start: the
    supervisor receives the same signal, stops the workers and then the server. If the server ended
    first, the exit statuses of the workers would be lost.
    """
    if not FORKSERVER:
        return
    set_forkserver_preload(PRELOAD)
    handlers = [signal.signal(number, signal.SIG_IGN) for number in GROUP_SIGNALS]  # inherited
    try:
        forkserver.ensure_running()
    finally:
        for number, handler in zip(GROUP_SIGNALS, handlers, strict=True):
            signal.signal(number, handler)


def host_name() -> str:
    """Return the name of this host and the PID namespace, which containers do not share."""
    try:
        return f"{socket.gethostname()} {Path('/proc/self/ns/pid').readlink()}"
    except OSError:
        return socket.gethostname()
