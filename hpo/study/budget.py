"""How long a study goes on, all its processes on all hosts taken together."""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime, timedelta

from optuna.study import Study
from optuna.trial import TrialState

from hpo.study.trials import retry_numbers

STOP_REQUESTS = "stop_requests"

N_TRIALS = "n_trials"  # that were asked for last, for those who look on

FINISHED = (TrialState.COMPLETE, TrialState.PRUNED, TrialState.FAIL)

# A trial that was interrupted ends when somebody notices: its time says nothing.
BUSY = (TrialState.COMPLETE, TrialState.PRUNED, TrialState.RUNNING)


@dataclass(frozen=True)
class Budget:
    """What ends a study.

    Args:
        n_trials: trials of the study in all.
        seconds: of work on it in all, or None; see :func:`busy_seconds`.
        stop_requests: how many there were when this run began; one more ends it.
    """

    n_trials: int
    seconds: float | None = None
    stop_requests: int = 0

    def is_exhausted(self, study: Study, asked: Study | None = None) -> bool:
        """Return whether no further trial may begin.

        Args:
            study: whose trials count.
            asked: the one that is asked to stop, if it is another.
        """
        return (
            count_started(study) >= self.n_trials
            or (self.seconds is not None and busy_seconds(study) >= self.seconds)
            or stop_requests(asked or study) > self.stop_requests
        )


def stop_requests(study: Study) -> int:
    """Return how often somebody has asked the study's processes to end."""
    return int(study.user_attrs.get(STOP_REQUESTS, 0))


def request_stop(study: Study) -> None:
    """Ask every process of the study to finish its trial and end."""
    study.set_user_attr(STOP_REQUESTS, stop_requests(study) + 1)


def count_finished(study: Study) -> int:
    """Return how many trials have ended, those put back into the queue not counted."""
    return len(study.get_trials(deepcopy=False, states=FINISHED)) - len(retry_numbers(study))


def count_started(study: Study) -> int:
    """Return how many trials have ended or are running."""
    running = study.get_trials(deepcopy=False, states=(TrialState.RUNNING,))
    return count_finished(study) + len(running)


def busy_seconds(study: Study) -> float:
    """Return for how long at least one trial was running, interrupted ones left out, in seconds."""
    now = datetime.now()
    trials = study.get_trials(deepcopy=False, states=BUSY)
    return union_seconds(
        (t.datetime_start, t.datetime_complete or now) for t in trials if t.datetime_start
    )


def union_seconds(spans: Iterable[tuple[datetime, datetime]]) -> float:
    """Return how much time lies in at least one of the spans, in seconds."""
    total, until = timedelta(), datetime.min
    for start, end in sorted(spans):
        total += max(timedelta(), end - max(start, until))
        until = max(until, end)
    return total.total_seconds()
