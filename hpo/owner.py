"""Which process works on a trial, and whether it still lives."""

import os
import socket
from pathlib import Path

from optuna.trial import FrozenTrial, Trial

OWNER = "owner"

WorkerId = tuple[str, int, str]


def _start_time(pid: int) -> str:
    """Return when a process of this host started, in clock ticks since boot; "" if unknown.

    A zombie, which nobody has buried yet, is gone.
    """
    try:
        fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
        return "" if fields[0] == "Z" else fields[19]
    except (OSError, IndexError):
        return ""


def _is_alive(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        pass  # somebody else's, but alive
    return True


def _host() -> str:
    """Return host and namespace of process numbers, which containers of one name do not share."""
    try:
        return f"{socket.gethostname()} {Path('/proc/self/ns/pid').readlink()}"
    except OSError:
        return socket.gethostname()


def worker_id(pid: int) -> WorkerId:
    """Return host, process and start time of a process of this host."""
    return _host(), pid, _start_time(pid)


def sign(trial: Trial) -> None:
    """Write down that this process works on the trial."""
    trial.set_user_attr(OWNER, worker_id(os.getpid()))


def worker_of(trial: FrozenTrial) -> WorkerId:
    """Return who works, or has worked, on a trial."""
    host, pid, started = trial.user_attrs.get(OWNER, ("an unknown host", 0, ""))
    return host, pid, started


def is_orphan(trial: FrozenTrial) -> bool:
    """Return whether a process of this host worked on the trial and is gone."""
    host, pid, started = worker_of(trial)
    if host != _host():
        return False  # another host's: its heartbeat tells
    return not _is_alive(pid) or _start_time(pid) != started
