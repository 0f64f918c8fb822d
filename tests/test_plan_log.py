"""What a study with a time budget announces."""

import logging

import pytest

from hpo.runtime.plan_log import log_plan
from hpo.settings.study_settings import StudyConfig
from hpo.study.budget import Budget


def announced(caplog: pytest.LogCaptureFixture, budget: Budget, **changes: object) -> list[str]:
    """What is logged at the start of a default study with an epoch of 6 s."""
    run = StudyConfig(time_budget=600.0, max_epochs=54, **changes)  # type: ignore[arg-type]
    with caplog.at_level(logging.INFO):
        log_plan(run, budget, epoch_seconds=6.0)
    return [record.getMessage() for record in caplog.records]


def test_the_plan_is_logged(caplog: pytest.LogCaptureFixture) -> None:
    assert announced(caplog, Budget(20, n_epochs=360, n_fits=4)) == [
        "plan     360 epochs: about 20 trials of 3 or 9 or 27 or 54 epochs, at most 4 further fits"
    ]


def test_a_budget_that_is_too_small_for_a_search_says_what_one_needs(
    caplog: pytest.LogCaptureFixture,
) -> None:
    plan, note = announced(caplog, Budget(1, n_epochs=100, n_fits=4))
    assert "about 1 trial of" in plan
    minutes = 43  # (5 × 54 + 19 × 8) epochs of 6 s
    assert f"{minutes} min" in note
    assert "--time-budget" in note
    assert "--max-epochs" in note


def test_who_asks_for_few_trials_gets_no_advice(caplog: pytest.LogCaptureFixture) -> None:
    assert len(announced(caplog, Budget(1, n_epochs=100, n_fits=4), n_trials=1)) == 1


def test_without_a_time_budget_there_is_no_plan(caplog: pytest.LogCaptureFixture) -> None:
    assert announced(caplog, Budget(30)) == []
