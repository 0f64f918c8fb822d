"""The budget of a study, shared by all its workers on all hosts."""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime, timedelta

from optuna.study import Study
from optuna.trial import TrialState

from hpo.study.trials import retry_numbers

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
        seconds: training time of the study, see :func:`busy_seconds`; None for no limit.
        stop_requests: number of stop requests when this run began; one more stops it.
    """

    n_trials: int
    seconds: float | None = None
    stop_requests: int = 0

    def is_exhausted(self, study: Study, search_study: Study | None = None) -> bool:
        """Return whether no further trial may start.

        Args:
            study: study whose trials are counted.
            search_study: study that receives the stop requests, if it is another one.
        """
        return (
            count_started(study) >= self.n_trials
            or (self.seconds is not None and busy_seconds(study) >= self.seconds)
            or count_stop_requests(search_study or study) > self.stop_requests
        )


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
