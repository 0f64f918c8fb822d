from datetime import datetime, timedelta

import optuna
import pytest
from optuna.trial import TrialState, create_trial

from hpo.study.budget import (
    Budget,
    busy_seconds,
    count_finished,
    count_started,
    request_stop,
    trials_since_best,
)
from hpo.study.plan import reserved_epochs, spent_epochs
from hpo.study.trials import RETRY_OF

COMPLETE, PRUNED, FAIL = TrialState.COMPLETE, TrialState.PRUNED, TrialState.FAIL


def study_of(spans: list[tuple[float, float, TrialState]]) -> optuna.Study:
    """A study with a trial for each span of seconds."""
    study, start_of_study = optuna.create_study(direction="maximize"), datetime(2026, 1, 1)
    for start, end, state in spans:
        value = 0.5 if state == COMPLETE else None
        trial = create_trial(state=state, value=value)
        trial.datetime_start = start_of_study + timedelta(seconds=start)
        trial.datetime_complete = start_of_study + timedelta(seconds=end)
        study.add_trial(trial)
    return study


@pytest.mark.parametrize(
    ("spans", "seconds"),
    [
        ([], 0),
        ([(0, 10, COMPLETE), (20, 25, PRUNED)], 15),
        ([(0, 10, COMPLETE), (5, 12, COMPLETE), (6, 7, PRUNED)], 12),
        ([(0, 10, COMPLETE), (10, 90_000, FAIL)], 10),
    ],
    ids=["no trial", "a pause", "two workers", "a crash noticed a day later"],
)
def test_training_time_counts_overlaps_once_and_no_pauses(
    spans: list[tuple[float, float, TrialState]], seconds: float
) -> None:
    assert busy_seconds(study_of(spans)) == seconds


def trained(*n_epochs: int) -> optuna.Study:
    """A study of complete trials with these numbers of epochs."""
    study = optuna.create_study(direction="maximize")
    for n in n_epochs:
        values = dict.fromkeys(range(1, n + 1), 0.5)
        study.add_trial(create_trial(value=0.5, intermediate_values=values))
    return study


def test_a_budget_is_exhausted_by_trials_epochs_or_a_stop_request() -> None:
    study = trained(10, 5)
    assert not Budget(3, 16).is_exhausted(study)
    assert Budget(2).is_exhausted(study)
    assert Budget(3, 15).is_exhausted(study)
    request_stop(study)
    assert Budget(3).is_exhausted(study)
    assert not Budget(3, stop_requests=1).is_exhausted(study), "a request to an earlier run"
    finalists = study_of([])
    assert not Budget(3).is_exhausted(finalists)
    assert Budget(3).is_exhausted(finalists, search_study=study), "finalists stop with the search"


def test_a_time_budget_reserves_the_epochs_of_the_finalists() -> None:
    study = trained(10, 10, 10, 1)
    assert reserved_epochs(100, 4, 1, 10) == 40
    assert reserved_epochs(100, 12, 1, 10) == 50, "at most half"
    assert reserved_epochs(100, 12, 4, 10) == 0, "one finalist cannot be compared"
    assert reserved_epochs(260, 16, 4, 10) == 120, "whole groups of four"
    assert not Budget(99, 42, n_fits=4, max_epochs=10).are_epochs_spent(study), "none is reserved"
    assert Budget(99, 61, n_fits=4, max_epochs=10).are_epochs_spent(study), "three are reserved"
    assert not Budget(99, 62, n_fits=3, max_epochs=10).are_epochs_spent(study)
    assert not Budget(99, 62, n_fits=3, max_epochs=10).is_exhausted(study)
    assert not Budget(99).are_epochs_spent(study)


def test_fewer_fits_are_affordable_if_time_is_short() -> None:
    study = trained(10, 10)
    assert Budget(99, 100, n_fits=4, max_epochs=10).affordable_fits(study) == 4
    assert Budget(99, 100, n_fits=12, max_epochs=10).affordable_fits(study) == 8, "80 are left"
    assert Budget(99, 62, n_fits=12, max_epochs=10).affordable_fits(study) == 4, "42 are left"
    spent = trained(10, 10, 20)
    assert Budget(99, 60, n_fits=12, max_epochs=10).affordable_fits(spent) == 3, "half of all"
    assert Budget(99, 22, n_fits=12, max_epochs=10).affordable_fits(study) == 0
    assert Budget(99, n_fits=12, max_epochs=10).affordable_fits(study) == 12


def test_a_small_budget_does_not_suffice_for_finalists() -> None:
    study = trained(10, 10)
    assert not Budget(99, 49, n_fits=3, max_epochs=10).can_fit_finalists(study), "29 are left"
    assert Budget(99, 50, n_fits=3, max_epochs=10).can_fit_finalists(study)
    assert Budget(99, 49, max_epochs=10).can_fit_finalists(study), "there are none"
    assert Budget(99, n_fits=3, max_epochs=10).can_fit_finalists(study)


def test_the_epochs_of_a_trial_that_was_queued_again_count_once() -> None:
    study = optuna.create_study(direction="maximize")
    interrupted = create_trial(state=FAIL, intermediate_values={1: 0.1, 2: 0.2})
    study.add_trial(interrupted)
    assert spent_epochs(study) == 2
    retry = create_trial(
        value=0.3, intermediate_values={1: 0.1, 2: 0.2, 3: 0.3}, user_attrs={RETRY_OF: 0}
    )
    study.add_trial(retry)
    assert spent_epochs(study) == 3


def test_a_trial_that_was_queued_again_counts_once() -> None:
    study = study_of([(0, 10, COMPLETE), (10, 20, FAIL)])
    assert (count_finished(study), count_started(study)) == (2, 2)
    study.enqueue_trial({}, user_attrs={RETRY_OF: 1})
    assert (count_finished(study), count_started(study)) == (1, 1)
    study.ask()
    assert (count_finished(study), count_started(study)) == (1, 2)


def test_patience_counts_the_trials_that_finish_after_the_best_one() -> None:
    study = study_of([(0, 90, COMPLETE), (10, 20, PRUNED), (30, 40, PRUNED)])
    assert trials_since_best(study) == 0, "the best one took longer"
    study.add_trial(study_of([(95, 99, PRUNED)]).trials[0])
    assert trials_since_best(study) == 1
