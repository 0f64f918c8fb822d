"""The budget of a study, shared by all its workers on all hosts."""

import math
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime, timedelta
from statistics import fmean

from optuna.study import Study
from optuna.trial import TrialState

from hpo.settings.study_settings import StudyConfig
from hpo.study.trials import best_trials, retry_numbers

STOP_REQUESTS = "stop_requests"  # user attribute: how often the study was asked to stop
N_TRIALS = "n_trials"  # user attribute: the latest --n-trials, for the progress displays
FINISHED = (TrialState.COMPLETE, TrialState.PRUNED, TrialState.FAIL)
# A crashed trial is marked as failed only when another process notices it, so its duration is
# meaningless.
# Largest share of a time budget that is kept for the fits of the finalists.
RESERVED_SHARE = 0.5
TIMED = (TrialState.COMPLETE, TrialState.PRUNED, TrialState.RUNNING)


@dataclass(frozen=True)
class Budget:
    """The limits at which a study stops.

    Args:
        n_trials: number of trials of the study, at least 1.
        seconds: training time of the study and its finalists, see :func:`busy_seconds`; None for no
            limit.
        stop_requests: number of stop requests when this run began; one more stops it.
        n_fits: number of fits of finalists, for which time is reserved.
        workers: number of trials that run at the same time.
        patience: number of trials in a row without improvement that ends the search; None for no
            such limit.
    """

    n_trials: int
    seconds: float | None = None
    stop_requests: int = 0
    n_fits: int = 0
    workers: int = 1
    patience: int | None = None

    def is_exhausted(self, study: Study, search_study: Study | None = None) -> bool:
        """Return whether no further trial may start.

        Args:
            study: study whose trials are counted.
            search_study: study that receives the stop requests, if it is another one.
        """
        return (
            count_started(study) >= self.n_trials
            or self.is_time_spent(study)
            or self.is_stagnant(study)
            or count_stop_requests(search_study or study) > self.stop_requests
        )

    def is_stagnant(self, study: Study) -> bool:
        """Return whether the latest trials have not improved the best value for too long."""
        return self.patience is not None and trials_since_best(study) >= self.patience

    def is_time_spent(self, study: Study) -> bool:
        """Return whether only the reserved time is left."""
        if self.seconds is None:
            return False
        return busy_seconds(study) + self.reserved_seconds(study) >= self.seconds

    def reserved_seconds(self, study: Study) -> float:
        """Return the time that is reserved for the fits: their estimate, at most half the budget.

        A fit takes as long as the mean complete trial.
        """
        estimate = self.n_fits * mean_seconds(study) / self.workers
        return min(estimate, RESERVED_SHARE * (self.seconds or 0.0))

    def affordable_fits(self, study: Study) -> int:
        """Return how many fits the time allows that is left, at least the reserved time."""
        if self.seconds is None or not mean_seconds(study):
            return self.n_fits
        left = max(self.seconds - busy_seconds(study), self.reserved_seconds(study))
        return min(self.n_fits, math.floor(left * self.workers / mean_seconds(study) + 1e-9))


def study_budget(config: StudyConfig) -> Budget:
    """Return the budget of the search of a study; a single finalist is not fitted."""
    n_fits = (config.n_finalists + 1) * config.n_finalist_seeds if config.n_finalists > 1 else 0
    return Budget(
        config.n_trials,
        config.time_budget,
        config.stop_requests,
        n_fits=n_fits if config.has_one_goal else 0,
        workers=config.workers,
        patience=config.patience_trials,
    )


def trials_since_best(study: Study) -> int:
    """Return how many trials have finished after the best one; 0 without a complete trial."""
    best = best_trials(study, 1)
    finished = study.get_trials(deepcopy=False, states=(TrialState.COMPLETE, TrialState.PRUNED))
    return sum(trial.number > best[0].number for trial in finished) if best else 0


def mean_seconds(study: Study) -> float:
    """Return the mean wall time of the complete trials in seconds; 0 without a complete trial."""
    complete = study.get_trials(deepcopy=False, states=(TrialState.COMPLETE,))
    times = [t.duration.total_seconds() for t in complete if t.duration]
    return fmean(times) if times else 0.0


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
