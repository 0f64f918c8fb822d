"""Which process works on a trial, and whether it still lives."""

import os
import socket
from pathlib import Path
from typing import Any

from optuna.study import Study
from optuna.trial import FrozenTrial, Trial, TrialState

OWNER, RETRY_OF = "owner", "retry_of"


def _start_time(pid: int) -> str:
    """Return when a process of this host started, in clock ticks since boot; "" if unknown."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[19]
    except (OSError, IndexError):
        return ""


def _is_alive(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        return True
    return True


def claim(trial: Trial) -> None:
    """Write down that this process works on the trial."""
    pid = os.getpid()
    trial.set_user_attr(OWNER, [socket.gethostname(), pid, _start_time(pid)])


def is_orphan(trial: FrozenTrial) -> bool:
    """Return whether a process of this host worked on the trial and is gone."""
    host, pid, started = trial.user_attrs.get(OWNER, ("", 0, ""))
    if host != socket.gethostname():
        return False  # another host's: only it can tell
    return not _is_alive(pid) or _start_time(pid) != started


def retried(study: Study) -> set[int]:
    """Return the numbers of the trials that were interrupted and put back into the queue."""
    trials = study.get_trials(deepcopy=False)
    return {t.user_attrs[RETRY_OF] for t in trials if RETRY_OF in t.user_attrs}


def put_back(study: Study, number: int, params: dict[str, Any]) -> None:
    """Queue the parameters of an interrupted trial, once, so that they are tried after all."""
    if number not in retried(study):
        study.enqueue_trial(params, user_attrs={RETRY_OF: number})


def put_back_orphans(study: Study) -> list[int]:
    """End the trials of dead processes of this host and put them back; return their numbers."""
    running = study.get_trials(deepcopy=False, states=(TrialState.RUNNING,))
    orphans = [trial for trial in running if is_orphan(trial)]
    for trial in orphans:
        put_back(study, trial.number, trial.params)
        study.tell(trial.number, state=TrialState.FAIL)
    return [trial.number for trial in orphans]
