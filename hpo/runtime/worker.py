"""A worker: a process that runs trials of a study until the budget is spent."""

import traceback
from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path
from typing import Any

import optuna
from filelock import FileLock
from optuna.exceptions import StorageInternalError
from optuna.study import Study
from optuna.trial import Trial, TrialState

from data.errors import InputError, is_interrupt
from hpo.runtime.requeue import (
    WORKER,
    own_id,
    record_worker,
    requeue,
    requeue_orphans,
    was_requeued,
)
from hpo.runtime.worker_phases import PHASES, TrialObjective, with_epoch_callback
from hpo.search.objective import EpochCallback
from hpo.settings.study_settings import StudyConfig
from hpo.study.open import watch_study
from hpo.study.optuna_internals import set_trial_attribute
from hpo.study.storage import storage_errors

MAX_FAILED_TRIALS = 3  # failed trials in a row that end the study


def run_worker(
    run: StudyConfig,
    phase: str,
    index: int = 0,
    *,
    on_epoch: EpochCallback | None = None,
    callbacks: Sequence[Any] = (),
) -> None:
    """Run trials until the budget of the phase is spent.

    Args:
        run: configuration of the run.
        phase: key of :data:`PHASES`.
        index: number of the worker.
        on_epoch: called after every epoch with the trial and its result.
        callbacks: called after every trial with the study and the trial.

    Raises:
        InputError: the storage cannot be used, or the disk is full.
        Exception: :data:`MAX_FAILED_TRIALS` trials in a row failed; the error of the last one.
    """
    optuna.logging.set_verbosity(optuna.logging.ERROR)  # no traceback after Ctrl-C
    n_failed = 0
    with storage_errors(run.storage):
        work = with_epoch_callback(PHASES[phase](run, index), on_epoch)
        is_exhausted = partial(work.budget.is_exhausted, work.study, work.search_study)
        with watch_study(work.study) as check_study, watch_study(work.search_study):
            while True:
                check_study()
                requeue_orphans(work.study, work.files.lock, run.max_retries)
                work.files.delete_obsolete(work.study)
                try:
                    if not run_one_trial(
                        work.study, work.objective, work.files.lock, callbacks, is_exhausted
                    ):
                        return
                    n_failed = 0
                except (InputError, StorageInternalError):
                    raise
                except Exception as error:
                    if is_interrupt(error):
                        raise KeyboardInterrupt from error  # a library replaced the exception
                    check_study()
                    if was_requeued(work.study):  # this process was suspended past the grace period
                        continue
                    n_failed += 1
                    if n_failed >= MAX_FAILED_TRIALS:
                        raise
                    traceback.print_exc()


def run_one_trial(
    study: Study,
    objective: TrialObjective,
    lock: Path,
    callbacks: Sequence[Any] = (),
    is_exhausted: Callable[[], bool] = lambda: False,
) -> bool:
    """Run one trial of a study; its worker is stored before it starts.

    Optuna can only create a trial that is already running. If the process were killed before it
    stored its identity, the trial would be marked as running forever. Therefore a trial is first
    queued together with the identity of its worker, and a lock keeps other processes of this host
    from looking for orphans until the trial has started.

    A trial that is interrupted, or that ends with an error that the user can fix (for example a
    full disk, or an unreachable database), is queued again.

    Args:
        study: study of the trial.
        objective: returns the value of a trial, or its values.
        lock: lock file that this user's processes on this host share.
        callbacks: called with the study and the trial when it has ended.
        is_exhausted: returns whether no further trial may start; the lock keeps two processes of
            this host from starting the last one.

    Returns:
        Whether a trial was started.
    """
    file_lock = FileLock(lock)

    def run_with_lock(trial: Trial) -> float | Sequence[float]:
        try:
            record_worker(trial)
            file_lock.release()
            return objective(trial)
        except BaseException as error:
            if isinstance(error, InputError | StorageInternalError) or is_interrupt(error):
                requeue(study, trial.number)
            raise

    with file_lock:
        if is_exhausted():
            return False
        _reserve_trial(study)
        study.optimize(run_with_lock, n_trials=1, callbacks=list(callbacks))
    return True


def _reserve_trial(study: Study) -> None:
    """Store this process as the worker of the next waiting trial; queue one if none is waiting."""
    waiting = study.get_trials(deepcopy=False, states=(TrialState.WAITING,))
    for trial in waiting[:1]:
        set_trial_attribute(study, trial, WORKER, own_id())
    if not waiting:
        study.enqueue_trial({}, user_attrs={WORKER: own_id()})
