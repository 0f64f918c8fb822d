"""Runs a study: starts workers, replaces those that crash or hang, and fits the finalists."""

import sys
from collections.abc import Callable, Sequence
from dataclasses import replace
from functools import partial
from typing import Protocol

import optuna
from optuna.storages import RDBStorage
from optuna.study import Study
from optuna.trial import TrialState

from data.errors import InputError
from hpo.runtime.launcher import Launcher, WorkerCrash
from hpo.runtime.progress import HangDetector, Progress, finalist_label
from hpo.runtime.requeue import WorkerId, is_same_worker, requeue_orphans
from hpo.runtime.worker import MAX_FAILED_TRIALS, open_run
from hpo.search.finalists import finalist_fits, open_finalists
from hpo.search.trial_files import trial_files
from hpo.search.winner import record_winner, record_winner_accuracy, winner_fits
from hpo.study.budget import N_TRIALS, Budget, count_finished, count_stop_requests
from hpo.study.open import IDENTITY, watch_study
from hpo.study.settings import RunConfig, version_note
from hpo.study.storage import storage_errors

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


def run_study(
    run: RunConfig, launcher: Launcher, observers: Sequence[ObserverFactory] = ()
) -> Study:
    """Search until the budget is spent; if all trials have finished, fit the finalists.

    Args:
        run: configuration of the run.
        launcher: starts the workers.
        observers: functions that return an observer for the study of each phase.

    Raises:
        InputError: data, storage, device, study or disk cannot be used.
        WorkerError: several trials in a row failed with an unexpected exception.
    """
    optuna.logging.set_verbosity(optuna.logging.ERROR)  # Progress prints the trials instead
    with storage_errors(run.storage):
        # One process creates tables and study; the workers only load them.
        storage, study, parts, _ = open_run(run)
        run = replace(run, budget=replace(run.budget, stop_requests=count_stop_requests(study)))
        study.set_user_attr(N_TRIALS, run.budget.n_trials)
        if note := version_note(study.user_attrs[IDENTITY]):
            print(f"note     {note}", flush=True)
        progress = Progress(
            study,
            run.budget.n_trials,
            run.settings.max_epochs,
            next_phase=describe_finalists(run, evaluate_winner=parts.held_out is not None),
        )
        supervise(run, "search", run.budget, launcher, progress, observers=observers)
        if count_finished(study) >= run.budget.n_trials:
            _fit_finalists(run, storage, study, launcher, observers)
            if parts.held_out is not None:
                _fit_winner(run, storage, study, launcher, observers)
        return study


def _fit_finalists(
    run: RunConfig,
    storage: RDBStorage,
    study: Study,
    launcher: Launcher,
    observers: Sequence[ObserverFactory],
) -> None:
    """Fit the finalists of a finished study, if there are at least two, and record the winner."""
    fits = finalist_fits(study, run.n_finalists, run.n_finalist_seeds, run.settings.seed)
    finalists = open_finalists(storage, study, fits) if fits else None
    if finalists and _run_fits(run, "finalists", study, finalists, len(fits), launcher, observers):
        record_winner(study, finalists, run.n_finalist_seeds)


def _fit_winner(
    run: RunConfig,
    storage: RDBStorage,
    study: Study,
    launcher: Launcher,
    observers: Sequence[ObserverFactory],
) -> None:
    """Fit the winner, if there is one, with further seeds, and record its unbiased accuracy."""
    fits = winner_fits(study, run.n_finalist_seeds, run.settings.seed)
    winner = open_finalists(storage, study, fits, "winner") if fits else None
    if winner and _run_fits(run, "winner", study, winner, len(fits), launcher, observers):
        record_winner_accuracy(study, winner)


def _run_fits(
    run: RunConfig,
    phase: str,
    search_study: Study,
    study: Study,
    n_fits: int,
    launcher: Launcher,
    observers: Sequence[ObserverFactory],
) -> bool:
    """Run the fits of finalists; return whether all of them have finished."""
    budget = Budget(n_fits, None, run.budget.stop_requests)
    label = partial(finalist_label, word="winner" if phase == "winner" else "final")
    progress = Progress(study, n_fits, run.settings.max_epochs, label)
    supervise(run, phase, budget, launcher, progress, search_study, observers)
    return count_finished(study) >= n_fits


def describe_finalists(run: RunConfig, *, evaluate_winner: bool) -> str:
    """Return how many fits follow the search, as text; empty if there are fewer than two finalists.

    Args:
        run: configuration of the run.
        evaluate_winner: whether the winner is fitted with further seeds.
    """
    n = min(run.n_finalists, run.budget.n_trials)
    return f"{(n + evaluate_winner) * run.n_finalist_seeds} fits of finalists" if n > 1 else ""


def supervise(
    run: RunConfig,
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
    print(f"warning: worker {index} {crash}; starting a new one", file=sys.stderr)


def kill_hanging(study: Study, detector: HangDetector, launcher: Launcher) -> None:
    """Kill the workers of this launcher whose trials hang; they will be replaced."""
    running = study.get_trials(deepcopy=False, states=(TrialState.RUNNING,))
    hanging = detector.hanging(running)
    for index, worker in launcher.running().items():
        if any(is_same_worker(worker, other) for other in hanging):
            launcher.kill(index)
