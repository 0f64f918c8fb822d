"""Store which process runs a trial, and queue the trials of ended processes again.

Every running trial stores the identity of its worker. A trial is *orphaned* if its worker has
ended without finishing it. Any process that finds an orphaned trial marks it as failed and queues
a retry with the same parameters, which resumes from the last checkpoint.
"""

import os
import warnings
from collections.abc import Collection
from contextlib import suppress
from pathlib import Path
from typing import NamedTuple

import optuna
import psutil
from filelock import FileLock
from optuna.exceptions import ExperimentalWarning
from optuna.study import Study
from optuna.trial import FrozenTrial, Trial, TrialState

from data.files import user_id
from hpo.runtime.processes import host_name
from hpo.study.optuna_internals import enqueued_params
from hpo.study.trials import CRASHED, RETRY_OF, STEPS, count_crashes, retry_numbers

WORKER = "owner"  # user attribute of a trial: the identity of its worker, as a JSON list

# The reported creation time of a process changes when the system clock is adjusted.
CLOCK_TOLERANCE_SECONDS = 2.0


class WorkerId(NamedTuple):
    """Identity of a worker, unique across hosts and over time.

    Args:
        host: from :func:`host_id`.
        pid: process ID on that host.
        created: creation time of the process, Unix time in seconds; 0 if unknown. Older
            versions stored the clock ticks since the boot of the host, as text.
    """

    host: str
    pid: int
    created: float | str


def host_id() -> str:
    """Return the name of this host with the user, whose lock and processes others may not see."""
    return f"{host_name()} user {user_id()}"


def worker_id(pid: int) -> WorkerId:
    """Return the identity of a process of this host."""
    try:
        created = psutil.Process(pid).create_time()
    except psutil.Error:
        created = 0.0
    return WorkerId(host_id(), pid, created)


def own_id() -> WorkerId:
    """Return the identity of this process."""
    return worker_id(os.getpid())


def record_worker(trial: Trial) -> None:
    """Store in a trial that this process works on it."""
    trial.set_user_attr(WORKER, own_id())


def worker_of(trial: FrozenTrial) -> WorkerId:
    """Return the worker that is or was running a trial."""
    return WorkerId(*trial.user_attrs.get(WORKER, ("an unknown host", 0, 0.0)))


def is_same_worker(first: WorkerId, second: WorkerId) -> bool:
    """Return whether two identities belong to the same process."""
    if first[:2] != second[:2]:
        return False
    return abs(_created_seconds(first) - _created_seconds(second)) <= CLOCK_TOLERANCE_SECONDS


def _created_seconds(worker: WorkerId) -> float:
    """Return the creation time (current or older format) of a process of this host, Unix time."""
    if isinstance(worker.created, str):
        ticks = int(worker.created or 0)
        return psutil.boot_time() + ticks / os.sysconf("SC_CLK_TCK") if ticks else 0.0
    return worker.created


def is_orphan(trial: FrozenTrial) -> bool:
    """Return whether a running trial belongs to a process of this host that has ended.

    A process has ended if its PID does not exist, belongs to a zombie or has been reused, that is,
    the process was created at another time. If the creation time was not stored, only the PID is
    compared. Trials of other hosts and users are recognised by their heartbeats instead.
    """
    worker = worker_of(trial)
    if worker.host not in (host_id(), host_name()):  # older versions did not store the user
        return False
    try:
        if psutil.Process(worker.pid).status() == psutil.STATUS_ZOMBIE:
            return True
    except psutil.NoSuchProcess:
        return True
    except psutil.AccessDenied:
        return False
    process = worker_id(worker.pid)._replace(host=worker.host)
    return bool(_created_seconds(worker)) and not is_same_worker(worker, process)


def requeue(study: Study, number: int, max_retries: int | None = None) -> None:
    """Queue the parameters of an interrupted trial again, unless they have been queued already.

    Args:
        study: study of the trial.
        number: number of the trial.
        max_retries: maximum number of retries after crashes; None if the process was asked to stop,
            which does not count as a crash, so that the trial is always queued again.
    """
    trials = study.get_trials(deepcopy=False)
    crashed = max_retries is not None
    if number in retry_numbers(study) or (
        crashed and count_crashes(trials, number) >= (max_retries or 0)
    ):
        return
    trial = trials[number]
    params = {**enqueued_params(trial), **trial.params}
    kept = {n: v for n, v in trial.user_attrs.items() if n == STEPS}  # its checkpoint has them
    attributes = {RETRY_OF: number, CRASHED: int(crashed), WORKER: own_id(), **kept}
    study.enqueue_trial(params, user_attrs=attributes)


def was_requeued(study: Study) -> bool:
    """Return whether another process has queued the last trial of this process again."""
    own = own_id()
    started = [t for t in study.get_trials(deepcopy=False) if t.datetime_start]
    numbers = [t.number for t in started if is_same_worker(worker_of(t), own)]
    return bool(numbers) and numbers[-1] in retry_numbers(study)


def requeue_orphans(
    study: Study,
    lock: Path,
    max_retries: int = 2,
    ended_workers: Collection[WorkerId] = (),
    *,
    stopped: bool = False,
) -> list[int]:
    """Mark orphaned trials as failed and queue them again.

    Orphans of this host are found at once, and orphans of other hosts when no heartbeat has arrived
    for the grace period of the storage.

    Args:
        study: study of the trials.
        lock: lock file that the processes of this user on this host share, so that each trial
            is queued once.
        max_retries: maximum number of retries of a trial after crashes.
        ended_workers: workers, on any host, that have certainly ended.
        stopped: whether these were asked to stop, which does not count as a crash.

    Returns:
        Numbers of the orphans that were recognised by their worker, not by their heartbeats.
    """
    with FileLock(lock):
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", ExperimentalWarning)
            optuna.storages.fail_stale_trials(study)  # the storage's callback queues them again
        trials = study.get_trials(deepcopy=False)
        orphans = [
            trial.number
            for trial in trials
            if trial.state == TrialState.RUNNING
            and (is_orphan(trial) or _is_among(worker_of(trial), ended_workers))
        ]
        for number in orphans:
            was_stopped = stopped and _is_among(worker_of(trials[number]), ended_workers)
            requeue(study, number, None if was_stopped else max_retries)
            with suppress(ValueError):  # another host has marked it in the meantime
                study.tell(number, state=TrialState.FAIL)
    return orphans


def _is_among(worker: WorkerId, workers: Collection[WorkerId]) -> bool:
    return any(is_same_worker(worker, other) for other in workers)
