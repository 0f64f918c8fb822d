"""Which process works on a trial, and whether it still lives.

What becomes of a trial whose process is gone: it is put back into the queue."""

import os
import socket
import warnings
from collections.abc import Callable, Collection
from contextlib import suppress
from pathlib import Path

import optuna
from filelock import FileLock
from optuna.exceptions import ExperimentalWarning
from optuna.study import Study
from optuna.trial import FrozenTrial, Trial, TrialState

from data.errors import InputError
from hpo.study.storage import is_interrupt
from hpo.study.trials import CRASHED, RETRY_OF, count_crashes, retry_numbers

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


TrialObjective = Callable[[Trial], float]


def run_one_trial(study: Study, goal: TrialObjective, lock: Path) -> None:
    """Run one trial, which bears this process's name from the moment at which it runs.

    A trial that Optuna makes by itself bears no name until it is claimed: whoever is killed in
    between would leave a trial that runs for ever. So one is queued and signed first, and nobody
    of this host looks for orphans before it is claimed.

    A trial that is interrupted, or that a full disk ends, is put back: it is not to blame.
    """
    held = FileLock(lock)

    def claimed(trial: Trial) -> float:
        try:
            sign(trial)
            held.release()
            return goal(trial)
        except BaseException as error:
            if isinstance(error, InputError) or is_interrupt(error):
                requeue(study, trial.number)
            raise

    with held:
        _sign_or_queue(study)
        study.optimize(claimed, n_trials=1)


def _sign_or_queue(study: Study) -> None:
    """Put this process's name on the waiting trials; queue one if none is waiting."""
    waiting = study.get_trials(deepcopy=False, states=(TrialState.WAITING,))
    me = worker_id(os.getpid())
    for trial in waiting[:1]:
        study._storage.set_trial_user_attr(trial._trial_id, OWNER, me)
    if not waiting:
        study.enqueue_trial({}, user_attrs={OWNER: me})


def requeue(study: Study, number: int, max_retries: int | None = None) -> None:
    """Queue the parameters of an interrupted trial, so that they are tried after all.

    Args:
        study: whose trial.
        number: of the trial; it is put back once.
        max_retries: how many deaths of its processes its parameters are forgiven, lest they keep a
            study from going on; None for a process that was told to end, which is no death.
    """
    trials = study.get_trials(deepcopy=False)
    diverged = max_retries is not None
    if number in retry_numbers(study) or (
        diverged and count_crashes(trials, number) >= (max_retries or 0)
    ):
        return
    trial = trials[number]
    params = {**trial.system_attrs.get("fixed_params", {}), **trial.params}
    attributes = {RETRY_OF: number, CRASHED: int(diverged), OWNER: worker_id(os.getpid())}
    study.enqueue_trial(params, user_attrs=attributes)


def was_requeued(study: Study) -> bool:
    """Return whether somebody else has put back the trial that this process worked on."""
    trials, me = study.get_trials(deepcopy=False), worker_id(os.getpid())
    mine = [t.number for t in trials if worker_of(t) == me and t.datetime_start]
    return bool(mine) and mine[-1] in retry_numbers(study)


def requeue_orphans(
    study: Study,
    lock: Path,
    max_retries: int = 2,
    dead: Collection[WorkerId] = (),
) -> list[int]:
    """End the trials of dead processes and put them back; return the numbers of this host's.

    Those of this host are known at once; those of another when its heartbeat has failed for long.

    Args:
        study: whose trials.
        lock: file of this host; while one process looks, the others wait, lest a trial be put back
            twice.
        max_retries: how often a trial may be put back.
        dead: processes, of whatever host, that are known to be gone.
    """
    with FileLock(lock):
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", ExperimentalWarning)
            optuna.storages.fail_stale_trials(study)  # the storage puts them back
        running = study.get_trials(deepcopy=False, states=(TrialState.RUNNING,))
        orphans = [
            trial.number for trial in running if is_orphan(trial) or worker_of(trial) in dead
        ]
        for number in orphans:
            requeue(study, number, max_retries)
            with suppress(ValueError):  # another host has ended it meanwhile
                study.tell(number, state=TrialState.FAIL)
    return orphans
