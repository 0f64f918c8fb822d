"""The supervisor of a study's workers: one that dies or hangs costs its trial alone."""

import sys
import time
from dataclasses import replace

import optuna
from optuna.study import Study
from optuna.trial import FrozenTrial, TrialState

from data.errors import InputError
from hpo.budget import N_TRIALS, Budget, count_ended, stop_requests
from hpo.cards import Cards
from hpo.finalists import finalist_fits, judge, open_finalists
from hpo.job import Job
from hpo.keeping import keeping_of
from hpo.launcher import Launcher, WorkerDied
from hpo.owner import Owner, read_owner
from hpo.progress import Progress, name_of_finalist
from hpo.retry import put_back_orphans
from hpo.storage import storage_errors
from hpo.worker import MAX_BUGS, open_job

POLL_SECONDS = 0.5


class Watch:
    """Notices trials that make no progress.

    Args:
        seconds: without a finished epoch.
    """

    def __init__(self, seconds: float) -> None:
        """Have seen nothing."""
        self._seconds = seconds
        self._seen: dict[Owner, tuple[tuple[int, int], float]] = {}

    def hanging(self, running: list[FrozenTrial]) -> list[Owner]:
        """Return the owners of the trials without progress."""
        now = time.monotonic()
        for trial in running:
            owner, mark = read_owner(trial), (trial.number, len(trial.intermediate_values))
            if self._seen.get(owner, (None, now))[0] != mark:
                self._seen[owner] = mark, now
        owners = [read_owner(trial) for trial in running]
        return [owner for owner in owners if now - self._seen[owner][1] > self._seconds]


def run(job: Job, launcher: Launcher) -> Study:
    """Search until the budget is spent; if all trials have ended, fit the finalists.

    Raises:
        InputError: data, storage, device, study or disk are not what they should be.
        WorkerBug: three trials in a row failed.
    """
    optuna.logging.set_verbosity(optuna.logging.ERROR)  # we say ourselves what is news
    with storage_errors(job.storage):
        # Schema and study are made here, by one process; workers find them.
        storage, study, _, _ = open_job(job)
        job = replace(job, budget=replace(job.budget, stop_requests=stop_requests(study)))
        study.set_user_attr(N_TRIALS, job.budget.n_trials)
        progress = Progress(
            study, job.budget.n_trials, job.settings.max_epochs, then=finalists_to_come(job)
        )
        supervise(job, "search", job.budget, launcher, progress)
        fits = finalist_fits(study, job)
        if fits and count_ended(study) >= job.budget.n_trials:
            finalists = open_finalists(storage, study, job)
            budget = Budget(len(fits), None, job.budget.stop_requests)
            shown = Progress(finalists, len(fits), job.settings.max_epochs, name_of_finalist)
            supervise(job, "finalists", budget, launcher, shown, study)
            if count_ended(finalists) >= len(fits):
                judge(study, finalists, job.n_finalist_seeds)
        return study


def finalists_to_come(job: Job) -> str:
    """Return how many fits follow the search, in words; nothing where there is no choice."""
    n = min(job.n_finalists, job.budget.n_trials)
    return f"{n * job.n_finalist_seeds} fits of finalists" if n > 1 else ""


def supervise(
    job: Job,
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
    study, watch, deaths = progress.study, Watch(job.trial_timeout), 0
    cards = Cards(study)
    lock = keeping_of(study, job.var).lock
    owners: dict[int, Owner] = {}
    put_back_orphans(study, lock, job.max_retries)
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
                if isinstance(outcome, WorkerDied):
                    deaths += 1
                    # Parameters that kill each of their workers are given up before that.
                    mourn(index, outcome, deaths, MAX_BUGS + job.max_retries)
                    put_back_orphans(study, lock, job.max_retries, {owners[index]})
                    launcher.start(job, phase, index)
                elif outcome is not None:
                    raise outcome
            end_hanging(study, watch, launcher)
    finally:
        put_back_orphans(study, lock, job.max_retries, launcher.stop())
        progress.update()
        progress.close()
        cards.finish()


def mourn(index: int, how: WorkerDied, deaths: int, limit: int) -> None:
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


def end_hanging(study: Study, watch: Watch, launcher: Launcher) -> None:
    """Kill those of our workers whose trials make no progress; they will be replaced."""
    running = study.get_trials(deepcopy=False, states=(TrialState.RUNNING,))
    hanging = watch.hanging(running)
    for index, owner in launcher.running().items():
        if owner in hanging:
            launcher.kill(index)
