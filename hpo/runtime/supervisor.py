"""Runs a phase of a study: starts workers and replaces those that crash or hang."""

import logging
from collections.abc import Callable, Sequence
from typing import Protocol

from optuna.study import Study
from optuna.trial import TrialState

from data.errors import InputError
from hpo.runtime.in_process import InProcessLauncher
from hpo.runtime.launcher import Launcher, WorkerCrash
from hpo.runtime.progress import HangDetector, Progress
from hpo.runtime.requeue import WorkerId, is_same_worker, requeue_orphans
from hpo.runtime.worker import MAX_FAILED_TRIALS
from hpo.search.trial_files import trial_files
from hpo.settings.study_settings import StudyConfig
from hpo.study.budget import (
    Budget,
)
from hpo.study.open import watch_study

logger = logging.getLogger(__name__)

POLL_SECONDS = 0.5


class StudyObserver(Protocol):
    """Follows a study while it runs, for example to update a dashboard."""

    def update(self, *, news: bool) -> None:
        """Called at least about twice a second.

        Args:
            news: whether a trial was completed or pruned since the last call.
        """

    def finish(self) -> None:
        """Called once, when the phase ends for any reason."""


ObserverFactory = Callable[[Study], StudyObserver]


def supervise(
    run: StudyConfig,
    phase: str,
    budget: Budget,
    launcher: Launcher,
    progress: Progress,
    search_study: Study | None = None,
    observers: Sequence[ObserverFactory] = (),
) -> None:
    """Run ``run.workers`` workers until no work is left in a phase; replace crashed workers.

    Args:
        run: configuration of the run.
        phase: ``"search"``, ``"finalists"`` or ``"winner"``.
        budget: budget of the phase.
        launcher: starts the workers.
        progress: prints the trials of the phase.
        search_study: study that receives stop requests, if it is not the study of the phase.
        observers: functions that return an observer for the study of the phase.

    Raises:
        InputError: a worker raised it, or too many workers crashed in a row.
        WorkerError: a worker raised an unexpected exception.
    """
    study, detector, n_crashes = progress.study, HangDetector(run.epoch_timeout), 0
    active_observers = [observer(study) for observer in observers]
    lock = trial_files(study, run.var).lock
    identities: dict[int, WorkerId] = {}
    with watch_study(study) as check_study, watch_study(search_study or study):
        requeue_orphans(study, lock, run.max_retries)
        if budget.is_exhausted(study, search_study):
            return
        if isinstance(launcher, InProcessLauncher):  # its start returns after the last trial
            launcher.after_trial = progress.update
        try:
            for index in range(run.workers):
                launcher.start(run, phase, index)
            while running := launcher.running():
                identities |= running
                outcomes = launcher.wait(POLL_SECONDS)
                check_study()
                if news := progress.update():
                    n_crashes = 0
                for observer in active_observers:
                    observer.update(news=news)
                for index, outcome in outcomes.items():
                    if isinstance(outcome, WorkerCrash):
                        n_crashes += 1
                        # A trial that crashes all its workers fails before this limit is reached.
                        report_crash(index, outcome, n_crashes, MAX_FAILED_TRIALS + run.max_retries)
                        requeue_orphans(study, lock, run.max_retries, {identities[index]})
                        launcher.start(run, phase, index)
                    elif outcome is not None:
                        raise outcome
                kill_hanging(study, detector, launcher)
        finally:
            try:
                requeue_orphans(study, lock, run.max_retries, launcher.stop())
                progress.update()
            finally:
                progress.close()
            for observer in active_observers:
                observer.finish()


def report_crash(index: int, crash: WorkerCrash, n_crashes: int, max_crashes: int) -> None:
    """Print a warning about the crash of a worker.

    Args:
        index: number of the worker.
        crash: how the worker ended.
        n_crashes: crashes since the last trial was completed or pruned.
        max_crashes: number of crashes that ends the study.

    Raises:
        InputError: the maximum is reached.
    """
    if n_crashes >= max_crashes:
        raise InputError(
            f"{n_crashes} workers crashed in a row and no trial was completed; the last one "
            f"{crash}. If memory is short, lower --workers and run the command again, or start "
            "another study with a smaller --image-size."
        )
    logger.warning("worker %s %s; starting a new one", index, crash)


def kill_hanging(study: Study, detector: HangDetector, launcher: Launcher) -> None:
    """Kill the workers of this launcher whose trials hang; they will be replaced."""
    running = study.get_trials(deepcopy=False, states=(TrialState.RUNNING,))
    hanging = detector.hanging(running)
    for index, worker in launcher.running().items():
        if any(is_same_worker(worker, other) for other in hanging):
            launcher.kill(index)
