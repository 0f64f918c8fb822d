"""The supervisor of a study's workers: one that dies or hangs costs its trial alone."""

import sys
import time
from dataclasses import replace

import optuna
from optuna.study import Study
from optuna.trial import FrozenTrial, TrialState

from data.errors import InputError
from hpo.budget import N_TRIALS, Budget, count_finished, stop_requests
from hpo.cards import DashboardUpdates
from hpo.finalists import finalist_fits, record_winner, open_finalists
from hpo.job import RunConfig
from hpo.keeping import trial_files
from hpo.launcher import Launcher, WorkerCrash
from hpo.owner import WorkerId, worker_of
from hpo.progress import Progress, finalist_label
from hpo.retry import requeue_orphans
from hpo.storage import storage_errors
from hpo.worker import MAX_BUGS, open_run

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


def run_study(job: RunConfig, launcher: Launcher) -> Study:
    """Search until the budget is spent; if all trials have ended, fit the finalists.

    Raises:
        InputError: data, storage, device, study or disk are not what they should be.
        WorkerBug: three trials in a row failed.
    """
    optuna.logging.set_verbosity(optuna.logging.ERROR)  # we say ourselves what is news
    with storage_errors(job.storage):
        # Schema and study are made here, by one process; workers find them.
        storage, study, _, _ = open_run(job)
        job = replace(job, budget=replace(job.budget, stop_requests=stop_requests(study)))
        study.set_user_attr(N_TRIALS, job.budget.n_trials)
        progress = Progress(
            study, job.budget.n_trials, job.settings.max_epochs, then=describe_finalists(job)
        )
        supervise(job, "search", job.budget, launcher, progress)
        fits = finalist_fits(study, job)
        if fits and count_finished(study) >= job.budget.n_trials:
            finalists = open_finalists(storage, study, job)
            budget = Budget(len(fits), None, job.budget.stop_requests)
            shown = Progress(finalists, len(fits), job.settings.max_epochs, finalist_label)
            supervise(job, "finalists", budget, launcher, shown, study)
            if count_finished(finalists) >= len(fits):
                record_winner(study, finalists, job.n_finalist_seeds)
        return study


def describe_finalists(job: RunConfig) -> str:
    """Return how many fits follow the search, in words; nothing where there is no choice."""
    n = min(job.n_finalists, job.budget.n_trials)
    return f"{n * job.n_finalist_seeds} fits of finalists" if n > 1 else ""


def supervise(
    job: RunConfig,
    phase: str,
    budget: Budget,
    launcher: Launcher,
    progress: Progress,
    asked: Study | None = None,
) -> None:
    """Keep ``job.workers`` workers at a phase until they find nothing left to do.

    Args:
        job: what was asked for.
        phase: ``"search"`` or ``"finalists"``.
        budget: of the phase.
        launcher: starts the workers.
        progress: shows the phase's trials.
        asked: the study that is asked to stop, if it is not the phase's own.
    """
    study, watch, deaths = progress.study, HangDetector(job.trial_timeout), 0
    cards = DashboardUpdates(study)
    lock = trial_files(study, job.var).lock
    owners: dict[int, WorkerId] = {}
    requeue_orphans(study, lock, job.max_retries)
    if budget.is_spent(study, asked):
        return
    try:
        for index in range(job.workers):
            launcher.start(job, phase, index)
        while running := launcher.running():
            owners |= running
            ended = launcher.wait(POLL_SECONDS)
            if news := progress.update():
                deaths = 0
            cards.update(news=news)
            for index, outcome in ended.items():
                if isinstance(outcome, WorkerCrash):
                    deaths += 1
                    # Parameters that kill each of their workers are given up before that.
                    report_crash(index, outcome, deaths, MAX_BUGS + job.max_retries)
                    requeue_orphans(study, lock, job.max_retries, {owners[index]})
                    launcher.start(job, phase, index)
                elif outcome is not None:
                    raise outcome
            kill_hanging(study, watch, launcher)
    finally:
        requeue_orphans(study, lock, job.max_retries, launcher.stop())
        progress.update()
        progress.close()
        cards.finish()


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
