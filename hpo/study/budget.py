"""The budget of a study, shared by all its workers on all hosts."""

from collections.abc import Iterable
from dataclasses import dataclass, replace
from datetime import datetime, timedelta

from optuna.study import Study
from optuna.trial import TrialState

from hpo.settings.sections import DEFAULT_TRIALS
from hpo.settings.study_settings import StudyConfig, StudySettings
from hpo.study.plan import (
    EPOCH_SECONDS,
    MIN_FITTED,
    Plan,
    epochs_of_plan,
    halving_rungs,
    length_of_fits,
    plan_budget,
    reserved_epochs,
    spent_epochs,
)
from hpo.study.trials import best_trials, retry_numbers

STOP_REQUESTS = "stop_requests"  # user attribute: how often the study was asked to stop
N_TRIALS = "n_trials"  # user attribute: the latest --n-trials, for the progress displays
FINISHED = (TrialState.COMPLETE, TrialState.PRUNED, TrialState.FAIL)
# A crashed trial is marked as failed only when another process notices it, so its duration is
# meaningless.
TIMED = (TrialState.COMPLETE, TrialState.PRUNED, TrialState.RUNNING)


@dataclass(frozen=True)
class Budget:
    """The limits at which a study stops.

    Args:
        n_trials: number of trials of the study, at least 1.
        n_epochs: epochs of all fits, those of the present finalists included; None for no limit.
        stop_requests: number of stop requests when this run began; one more stops it.
        n_fits: number of fits of finalists, for which epochs are reserved.
        n_seeds: number of fits of each finalist.
        max_epochs: epochs of such a fit.
        patience: number of trials in a row without improvement that ends the search; None for no
            such limit.
    """

    n_trials: int
    n_epochs: int | None = None
    stop_requests: int = 0
    n_fits: int = 0
    n_seeds: int = 1
    max_epochs: int = 0
    patience: int | None = None

    def is_exhausted(self, study: Study, search_study: Study | None = None) -> bool:
        """Return whether no further trial may start.

        Args:
            study: study whose trials are counted.
            search_study: study that receives the stop requests, if it is another one.
        """
        return (
            count_started(study) >= self.n_trials
            or self.are_epochs_spent(study)
            or self.is_stagnant(study)
            or count_stop_requests(search_study or study) > self.stop_requests
        )

    def is_spent(self, study: Study) -> bool:
        """Return whether the finished trials use up one of the limits."""
        return (
            count_finished(study) >= self.n_trials
            or self.are_epochs_spent(study)
            or self.is_stagnant(study)
        )

    def is_stagnant(self, study: Study) -> bool:
        """Return whether the latest trials have not improved the best value for too long."""
        return self.patience is not None and trials_since_best(study) >= self.patience

    def are_epochs_spent(self, study: Study) -> bool:
        """Return whether only the reserved epochs are left."""
        if self.n_epochs is None:
            return False
        return spent_epochs(study) + self._reserved_epochs(self.n_epochs) >= self.n_epochs

    def _reserved_epochs(self, n_epochs: int) -> int:
        return reserved_epochs(n_epochs, self.n_fits, self.n_seeds, self.max_epochs)

    def affordable_fits(self, study: Study) -> int:
        """Return how many fits the epochs allow that are left, at least the reserved ones."""
        if self.n_epochs is None:
            return self.n_fits
        left = max(self.n_epochs - spent_epochs(study), self._reserved_epochs(self.n_epochs))
        return min(self.n_fits, left // self.max_epochs)

    def can_fit_finalists(self, study: Study) -> bool:
        """Return whether the epochs that are left suffice for two finalists and the winner.

        True without a time budget, and if there are no finalists.
        """
        if self.n_epochs is None or self.n_fits == 0:
            return True
        return self.affordable_fits(study) >= MIN_FITTED * self.n_seeds


def study_budget(config: StudyConfig, study: Study) -> Budget:
    """Return the budget of the search of a study.

    Args:
        config: configuration of the run.
        study: its study, which stores how long an epoch takes if there is a time budget.
    """
    plan = study_plan(config, study.user_attrs.get(EPOCH_SECONDS))
    return Budget(
        plan.n_trials if plan else config.n_trials,
        plan.n_epochs if plan else None,
        config.stop_requests,
        n_fits=n_finalist_fits(config),
        n_seeds=config.n_finalist_seeds,
        max_epochs=config.max_epochs,
        patience=config.patience_trials,
    )


def study_plan(config: StudyConfig, epoch_seconds: float | None) -> Plan | None:
    """Return what the time budget of a run allows; None without a time budget.

    Args:
        config: configuration of the run.
        epoch_seconds: how long an epoch took at the start of the study.
    """
    if config.time_budget is None or epoch_seconds is None:
        return None
    rungs, n_fits = trial_rungs(config), n_finalist_fits(config)
    n_seeds = config.n_finalist_seeds
    plan = plan_budget(config.time_budget, epoch_seconds, rungs, n_fits, n_seeds)
    return plan if config.n_trials is None else replace(plan, n_trials=config.n_trials)


def planned_length(config: StudyConfig, epoch_seconds: float) -> int:
    """Return how many epochs a fit has in a study whose length follows from its time budget.

    Args:
        config: configuration of the run, with a time budget.
        epoch_seconds: how long an epoch takes.
    """
    assert config.time_budget is not None
    settings, n_fits = config.settings, n_finalist_fits(config)
    n_epochs = config.time_budget / epoch_seconds
    n_default = epochs_of_plan(DEFAULT_TRIALS, trial_rungs(settings), n_fits)
    n_seeds = config.n_finalist_seeds
    return length_of_fits(n_epochs, settings.max_epochs, n_default, n_fits, n_seeds)


def trial_rungs(settings: StudySettings) -> list[int]:
    """Return the epochs after which a trial may end: of the pruner ``halving``, its rungs."""
    longest = settings.max_epochs
    return halving_rungs(longest) if settings.pruner == "halving" else [longest]


def n_finalist_fits(config: StudyConfig) -> int:
    """Return the number of fits after the search; a single finalist is not fitted."""
    if config.n_finalists < 2 or not config.has_one_goal:
        return 0
    return (config.n_finalists + 1) * config.n_finalist_seeds


def trials_since_best(study: Study) -> int:
    """Return how many trials have finished after the best one; 0 without a complete trial."""
    best = best_trials(study, 1)
    if not best:
        return 0
    finished = study.get_trials(deepcopy=False, states=(TrialState.COMPLETE, TrialState.PRUNED))
    ends = [trial.datetime_complete for trial in (best[0], *finished)]
    first, *others = [end for end in ends if end is not None]
    return sum(end > first for end in others)


def count_stop_requests(study: Study) -> int:
    """Return how often the workers of a study were asked to stop."""
    return int(study.user_attrs.get(STOP_REQUESTS, 0))


def request_stop(study: Study) -> None:
    """Ask all workers of a study to stop after their current trial."""
    study.set_user_attr(STOP_REQUESTS, count_stop_requests(study) + 1)


def count_finished(study: Study) -> int:
    """Return the number of finished trials, without interrupted ones that were queued again."""
    return len(study.get_trials(deepcopy=False, states=FINISHED)) - len(retry_numbers(study))


def count_started(study: Study) -> int:
    """Return the number of finished and running trials, without those that were queued again."""
    running = study.get_trials(deepcopy=False, states=(TrialState.RUNNING,))
    return count_finished(study) + len(running)


def busy_seconds(study: Study) -> float:
    """Return how long at least one trial was running, in seconds; failed trials do not count."""
    now = datetime.now()
    trials = study.get_trials(deepcopy=False, states=TIMED)
    return union_seconds(
        (t.datetime_start, t.datetime_complete or now) for t in trials if t.datetime_start
    )


def union_seconds(spans: Iterable[tuple[datetime, datetime]]) -> float:
    """Return the length of the union of time spans (start, end), in seconds."""
    total, latest_end = timedelta(), datetime.min
    for start, end in sorted(spans):
        total += max(timedelta(), end - max(start, latest_end))
        latest_end = max(latest_end, end)
    return total.total_seconds()
