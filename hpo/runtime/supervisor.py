"""Runs a phase of a study: starts workers and replaces those that crash or hang."""

import logging
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Protocol

from optuna.study import Study
from optuna.trial import TrialState

from data.errors import InputError
from hpo.runtime.in_process import InProcessLauncher
from hpo.runtime.launcher import Launcher, Outcome, WorkerCrash
from hpo.runtime.progress import HangDetector, Progress
from hpo.runtime.requeue import WorkerId, is_same_worker, requeue_orphans
from hpo.runtime.worker import MAX_FAILED_TRIALS
from hpo.search.trial_files import trial_files
from hpo.settings.study_settings import StudyConfig
from hpo.study.budget import Budget
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
        """Called once, when the phase ends for any reason, unless the study cannot be read."""


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
    study, detector = progress.study, HangDetector(run.epoch_timeout)
    workers = _Workers(run, phase, launcher, study)
    with (
        watch_study(study) as check_study,
        watch_study(search_study or study),
        _following(progress, observers) as follow,
    ):
        workers.requeue()
        if budget.is_exhausted(study, search_study):
            return
        if isinstance(launcher, InProcessLauncher):  # its start returns after the last trial
            launcher.after_trial = progress.update
        try:
            workers.start()
            while workers.are_running():
                outcomes = launcher.wait(POLL_SECONDS)
                check_study()
                workers.replace(outcomes, news=follow())
                kill_hanging(study, detector, launcher)
        finally:
            workers.requeue(launcher.stop(), stopped=True)


@contextmanager
def _following(
    progress: Progress, observers: Sequence[ObserverFactory]
) -> Iterator[Callable[[], bool]]:
    """Yield a function that shows the news of a study, and returns whether there are any.

    At the end, for any reason, the last news are shown and the observers finish, unless the study
    cannot be read any more.
    """
    active = [observer(progress.study) for observer in observers]

    def follow() -> bool:
        news = progress.update()
        for observer in active:
            observer.update(news=news)
        return news

    try:
        yield follow
    finally:
        try:
            progress.update()
        finally:
            progress.close()
        for observer in active:
            observer.finish()


@dataclass
class _Workers:
    """The workers of a phase.

    Args:
        run: configuration of the run.
        phase: name of the phase.
        launcher: starts the workers.
        study: study of the phase.
        n_crashes: crashes since a trial was completed or pruned.
    """

    run: StudyConfig
    phase: str
    launcher: Launcher
    study: Study
    n_crashes: int = 0
    _identities: dict[int, WorkerId] = field(default_factory=dict)

    def start(self) -> None:
        """Start all workers."""
        for index in range(self.run.workers):
            self.launcher.start(self.run, self.phase, index)

    def are_running(self) -> bool:
        """Return whether a worker runs, and remember its identity."""
        running = self.launcher.running()
        self._identities |= running
        return bool(running)

    def requeue(self, ended: Collection[WorkerId] = (), *, stopped: bool = False) -> None:
        """Queue the trials of workers that have ended again.

        Args:
            ended: workers that have certainly ended.
            stopped: whether they were asked to stop, which does not count as a crash.
        """
        lock = trial_files(self.study, self.run.var).lock
        requeue_orphans(self.study, lock, self.run.max_retries, ended, stopped=stopped)

    def replace(self, outcomes: Mapping[int, Outcome], *, news: bool) -> None:
        """Start a new worker in the place of each one that crashed; raise the error of another.

        Args:
            outcomes: outcomes of the workers that have ended, by index.
            news: whether a trial was completed or pruned since the last call.
        """
        self.n_crashes = 0 if news else self.n_crashes
        for index, outcome in outcomes.items():
            if isinstance(outcome, WorkerCrash):
                self.n_crashes += 1
                # A trial that crashes all its workers fails before this limit is reached.
                limit = MAX_FAILED_TRIALS + self.run.max_retries
                report_crash(index, outcome, self.n_crashes, limit)
                self.requeue({self._identities[index]})
                self.launcher.start(self.run, self.phase, index)
            elif outcome is not None:
                raise outcome


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
