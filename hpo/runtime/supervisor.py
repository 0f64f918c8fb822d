"""The supervisor of a study's workers: one that dies or hangs costs its trial alone."""

import sys
import time
from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Protocol

import optuna
from optuna.study import Study
from optuna.trial import FrozenTrial, TrialState

from data.errors import InputError
from hpo.runtime.launcher import Launcher, WorkerCrash
from hpo.runtime.progress import Progress, finalist_label
from hpo.runtime.requeue import WorkerId, requeue_orphans, worker_of
from hpo.runtime.worker import MAX_BUGS, open_run
from hpo.search.finalists import finalist_fits, open_finalists
from hpo.search.trial_files import trial_files
from hpo.search.winner import record_winner
from hpo.study.budget import N_TRIALS, Budget, count_finished, stop_requests
from hpo.study.settings import RunConfig
from hpo.study.storage import storage_errors

POLL_SECONDS = 0.5


class HangDetector:
    """Notices trials that make no progress.

    Args:
        seconds: without a finished epoch.
    """

    def __init__(self, seconds: float) -> None:
        """Have seen nothing."""
        self._seconds = seconds
        self._seen: dict[WorkerId, tuple[tuple[int, int], float]] = {}

    def hanging(self, running: list[FrozenTrial]) -> list[WorkerId]:
        """Return the owners of the trials without progress."""
        now = time.monotonic()
        for trial in running:
            owner, mark = worker_of(trial), (trial.number, len(trial.intermediate_values))
            if self._seen.get(owner, (None, now))[0] != mark:
                self._seen[owner] = mark, now
        owners = [worker_of(trial) for trial in running]
        return [owner for owner in owners if now - self._seen[owner][1] > self._seconds]


class StudyObserver(Protocol):
    """Follows a study while it runs, for example to update a dashboard."""

    def update(self, *, news: bool) -> None:
        """Called about twice a second; ``news`` tells whether a trial has ended since."""

    def finish(self) -> None:
        """Called once, after the last trial."""


ObserverFactory = Callable[[Study], StudyObserver]


def run_study(
    run: RunConfig, launcher: Launcher, observers: Sequence[ObserverFactory] = ()
) -> Study:
    """Search until the budget is spent; if all trials have ended, fit the finalists.

    Raises:
        InputError: data, storage, device, study or disk are not what they should be.
        WorkerBug: three trials in a row failed.
    """
    optuna.logging.set_verbosity(optuna.logging.ERROR)  # we say ourselves what is news
    with storage_errors(run.storage):
        # Schema and study are made here, by one process; workers find them.
        storage, study, _, _ = open_run(run)
        run = replace(run, budget=replace(run.budget, stop_requests=stop_requests(study)))
        study.set_user_attr(N_TRIALS, run.budget.n_trials)
        progress = Progress(
            study,
            run.budget.n_trials,
            run.settings.max_epochs,
            then=describe_finalists(run),
        )
        supervise(run, "search", run.budget, launcher, progress, observers=observers)
        fits = finalist_fits(study, run)
        if fits and count_finished(study) >= run.budget.n_trials:
            finalists = open_finalists(storage, study, run)
            budget = Budget(len(fits), None, run.budget.stop_requests)
            shown = Progress(finalists, len(fits), run.settings.max_epochs, finalist_label)
            supervise(run, "finalists", budget, launcher, shown, study, observers)
            if count_finished(finalists) >= len(fits):
                record_winner(study, finalists, run.n_finalist_seeds)
        return study


def describe_finalists(run: RunConfig) -> str:
    """Return how many fits follow the search, in words; nothing where there is no choice."""
    n = min(run.n_finalists, run.budget.n_trials)
    return f"{n * run.n_finalist_seeds} fits of finalists" if n > 1 else ""


def supervise(
    run: RunConfig,
    phase: str,
    budget: Budget,
    launcher: Launcher,
    progress: Progress,
    asked: Study | None = None,
    observers: Sequence[ObserverFactory] = (),
) -> None:
    """Keep ``job.workers`` workers at a phase until they find nothing left to do.

    Args:
        run: what was asked for.
        phase: ``"search"`` or ``"finalists"``.
        budget: of the phase.
        launcher: starts the workers.
        progress: shows the phase's trials.
        asked: the study that is asked to stop, if it is not the phase's own.
        observers: follow the phase's study.
    """
    study, watch, deaths = progress.study, HangDetector(run.epoch_timeout), 0
    following = [observer(study) for observer in observers]
    lock = trial_files(study, run.var).lock
    owners: dict[int, WorkerId] = {}
    requeue_orphans(study, lock, run.max_retries)
    if budget.is_exhausted(study, asked):
        return
    try:
        for index in range(run.workers):
            launcher.start(run, phase, index)
        while running := launcher.running():
            owners |= running
            ended = launcher.wait(POLL_SECONDS)
            if news := progress.update():
                deaths = 0
            for observer in following:
                observer.update(news=news)
            for index, outcome in ended.items():
                if isinstance(outcome, WorkerCrash):
                    deaths += 1
                    # Parameters that kill each of their workers are given up before that.
                    report_crash(index, outcome, deaths, MAX_BUGS + run.max_retries)
                    requeue_orphans(study, lock, run.max_retries, {owners[index]})
                    launcher.start(run, phase, index)
                elif outcome is not None:
                    raise outcome
            kill_hanging(study, watch, launcher)
    finally:
        requeue_orphans(study, lock, run.max_retries, launcher.stop())
        progress.update()
        progress.close()
        for observer in following:
            observer.finish()


def report_crash(index: int, how: WorkerCrash, deaths: int, limit: int) -> None:
    """Report a worker's death.

    Raises:
        InputError: so many died in a row.
    """
    if deaths >= limit:
        raise InputError(
            f"{deaths} workers died in a row, the last {how}, and no trial ended. If memory is "
            "short, lower --workers or --image-size; then run the same command again."
        )
    print(f"warning: worker {index} died {how}; another takes its place", file=sys.stderr)


def kill_hanging(study: Study, watch: HangDetector, launcher: Launcher) -> None:
    """Kill those of our workers whose trials make no progress; they will be replaced."""
    running = study.get_trials(deepcopy=False, states=(TrialState.RUNNING,))
    hanging = watch.hanging(running)
    for index, owner in launcher.running().items():
        if owner in hanging:
            launcher.kill(index)
