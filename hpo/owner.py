"""Which process works on a trial, and whether it still lives."""

import os
import socket
from pathlib import Path

from optuna.study import Study
from optuna.trial import FrozenTrial, Trial, TrialState

OWNER, RETRY_OF = "owner", "retry_of"
MAX_RETRIES = 2


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
        pass  # somebody else's, but alive
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


def retried(study: Study) -> dict[int, int]:
    """Return the numbers of interrupted trials that were put back, with their retries' numbers."""
    trials = study.get_trials(deepcopy=False)
    return {t.user_attrs[RETRY_OF]: t.number for t in trials if RETRY_OF in t.user_attrs}


def _n_retries(trials: list[FrozenTrial], number: int) -> int:
    """Return how often a trial's parameters had been interrupted before it."""
    earlier = trials[number].user_attrs.get(RETRY_OF)
    return 0 if earlier is None else 1 + _n_retries(trials, earlier)


def put_back(study: Study, number: int) -> None:
    """Queue the parameters of an interrupted trial, so that they are tried after all.

    Once per trial, and at most ``MAX_RETRIES`` times in a row: parameters that kill their process
    each time shall not keep a study from going on.
    """
    trials = study.get_trials(deepcopy=False)
    if number in retried(study) or _n_retries(trials, number) >= MAX_RETRIES:
        return
    trial = trials[number]
    params = {**trial.system_attrs.get("fixed_params", {}), **trial.params}
    study.enqueue_trial(params, user_attrs={RETRY_OF: number})


def put_back_orphans(study: Study) -> list[int]:
    """End the trials of dead processes of this host and put them back; return their numbers."""
    running = study.get_trials(deepcopy=False, states=(TrialState.RUNNING,))
    orphans = [trial.number for trial in running if is_orphan(trial)]
    for number in orphans:
        put_back(study, number)
        study.tell(number, state=TrialState.FAIL)
    return orphans
