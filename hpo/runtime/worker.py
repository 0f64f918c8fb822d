"""A worker: a process that runs trials of a study until the budget is spent."""

import traceback
from collections.abc import Sequence
from typing import Any

import optuna
from optuna.exceptions import StorageInternalError

from data.errors import InputError, is_interrupt
from hpo.runtime.requeue import (
    requeue_orphans,
    run_one_trial,
    was_requeued,
)
from hpo.runtime.worker_phases import PHASES, with_epoch_callback
from hpo.search.objective import EpochCallback
from hpo.settings.study_settings import StudyConfig
from hpo.study.open import watch_study
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
        with watch_study(work.study) as check_study, watch_study(work.search_study):
            while True:
                check_study()
                requeue_orphans(work.study, work.files.lock, run.max_retries)
                work.files.delete_obsolete(work.study)
                if work.budget.is_exhausted(work.study, work.search_study):
                    return
                try:
                    run_one_trial(work.study, work.objective, work.files.lock, callbacks)
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
