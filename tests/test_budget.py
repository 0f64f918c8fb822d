from datetime import datetime, timedelta

import optuna
import pytest
from optuna.trial import TrialState, create_trial

from hpo.study.budget import Budget, busy_seconds, request_stop


def worked(spans: list[tuple[float, float, TrialState]]) -> optuna.Study:
    """Return a study with a trial per span of seconds."""
    study, zero = optuna.create_study(direction="maximize"), datetime(2026, 1, 1)
    for start, end, state in spans:
        value = 0.5 if state == TrialState.COMPLETE else None
        trial = create_trial(state=state, value=value)
        trial.datetime_start = zero + timedelta(seconds=start)
        trial.datetime_complete = zero + timedelta(seconds=end)
        study.add_trial(trial)
    return study


C, P, F = TrialState.COMPLETE, TrialState.PRUNED, TrialState.FAIL


@pytest.mark.parametrize(
    ("spans", "seconds"),
    [
        ([], 0),
        ([(0, 10, C), (20, 25, P)], 15),
        ([(0, 10, C), (5, 12, C), (6, 7, P)], 12),
        ([(0, 10, C), (10, 90_000, F)], 10),
    ],
    ids=["nothing", "a pause", "two workers", "noticed a day later"],
)
def test_time_of_work_counts_what_overlaps_once_and_no_pause(
    spans: list[tuple[float, float, TrialState]], seconds: float
) -> None:
    assert busy_seconds(worked(spans)) == seconds


def test_a_budget_is_spent_by_trials_by_time_or_by_request() -> None:
    study = worked([(0, 10, C), (20, 25, P)])
    assert not Budget(3, 16).is_exhausted(study)
    assert Budget(2).is_exhausted(study)
    assert Budget(3, 15).is_exhausted(study)
    request_stop(study)
    assert Budget(3).is_exhausted(study)
    assert not Budget(3, stop_requests=1).is_exhausted(study), "it was for an earlier run"
    finalists = worked([])
    assert not Budget(3).is_exhausted(finalists)
    assert Budget(3).is_exhausted(finalists, asked=study), "finalists stop with their search"
