"""The rungs of a study, and what a time budget allows."""

import math

import pytest

from hpo.study.plan import (
    Plan,
    epochs_of_plan,
    epochs_per_trial,
    halving_rungs,
    length_of_fits,
    plan_budget,
    reserved_epochs,
)


@pytest.mark.parametrize(
    ("max_epochs", "expected"),
    [
        (54, [3, 9, 27, 54]),
        (81, [3, 9, 27, 81]),
        (200, [8, 24, 72, 200]),
        (36, [3, 9, 36]),
        (27, [3, 9, 27]),
        (8, [3, 8]),
        (4, [4]),
        (3, [3]),
        (1, [1]),
    ],
)
def test_a_lower_rung_is_a_third_of_the_next_one(max_epochs: int, expected: list[int]) -> None:
    assert halving_rungs(max_epochs) == expected


def test_a_third_of_the_trials_goes_on_at_every_rung() -> None:
    assert epochs_per_trial([4, 12, 36]) == pytest.approx(4 + 8 / 3 + 24 / 9)
    assert epochs_per_trial([36]) == 36


def test_a_time_budget_becomes_epochs_and_trials() -> None:
    assert plan_budget(80, 2.0, [4], n_fits=3, n_seeds=1) == Plan(40, 1 + (40 - 12 - 4) // 4)
    assert plan_budget(80, 2.0, [4], n_fits=9, n_seeds=1) == Plan(40, 1 + (40 - 20 - 4) // 4)
    assert plan_budget(2, 4.0, [4], n_fits=0, n_seeds=1) == Plan(1, 1), "the default is fitted"


def test_the_epochs_of_a_plan_are_those_of_its_budget() -> None:
    n_epochs = epochs_of_plan(20, halving_rungs(36), n_fits=4)
    assert n_epochs == 5 * 36 + math.ceil(19 * epochs_per_trial(halving_rungs(36)))
    plan = plan_budget(n_epochs, 1.0, halving_rungs(36), n_fits=4, n_seeds=1)
    assert plan == Plan(n_epochs, 20)
    assert epochs_of_plan(1, [36], n_fits=0) == 36


@pytest.mark.parametrize(
    ("n_epochs", "expected"), [(1, 3), (75, 27), (300, 54), (360, 54), (1200, 108), (2700, 162)]
)
def test_the_length_of_a_fit_grows_with_the_square_root_of_the_epochs(
    n_epochs: int, expected: int
) -> None:
    length = length_of_fits(n_epochs, default=54, n_default=300, n_fits=0, n_seeds=1)
    assert length == expected


@pytest.mark.parametrize(
    ("n_epochs", "n_seeds", "expected"), [(17, 1, 3), (200, 1, 27), (360, 1, 54), (360, 2, 27)]
)
def test_a_fit_is_short_enough_that_two_finalists_and_the_winner_can_be_fitted(
    n_epochs: int, n_seeds: int, expected: int
) -> None:
    fits = {"n_fits": 3 * n_seeds, "n_seeds": n_seeds}
    length = length_of_fits(n_epochs, default=54, n_default=368, **fits)
    assert length == expected
    is_possible = n_epochs >= 18
    assert bool(reserved_epochs(n_epochs, **fits, max_epochs=length)) == is_possible
