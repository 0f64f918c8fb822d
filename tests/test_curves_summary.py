"""What is read from the table of learning curves."""

import json

import curves
import numpy as np
import pytest
from curve_entries import entry
from curves_plan import LENGTH, N_CONFIGURATIONS, RUNGS, configurations, sample_uniform
from curves_summary import curve_of, lengths, noise, rank_correlations, schedules
from optuna.distributions import CategoricalDistribution, FloatDistribution, IntDistribution

from model.train import CHANCE_ACCURACY


def rising(by: float) -> dict[int, float]:
    """Accuracies that rise by a step for every epoch."""
    return {rung: 0.5 + by * rung for rung in RUNGS}


def test_held_out_alphabets_are_not_in_a_curve() -> None:
    assert curve_of(entry(rising(0.01))) == pytest.approx(list(rising(0.01).values()))


def test_a_fit_that_diverged_ends_at_chance() -> None:
    curve = curve_of(entry({1: 0.5, 2: 0.6}, stopped="collapsed"))
    assert curve[:2] == pytest.approx([0.5, 0.6])
    assert set(curve[2:]) == {CHANCE_ACCURACY}


def test_fits_that_diverge_and_further_seeds_rank_nothing() -> None:
    crossing = {rung: 0.9 - 0.1 / rung - 0.002 * rung for rung in RUNGS}  # leads at first
    fits = [entry(rising(0.01), 0), entry(rising(0.009), 1), entry(crossing, 2)]
    fits += [entry({1: 0.9}, 3, stopped="collapsed"), entry({1: 0.99}, 0, seed=1)]
    table = rank_correlations(fits).set_index("epoch")
    assert list(table.columns) == ["3 that learn", "3 above 80%"]
    assert table["3 that learn"][LENGTH] == 1
    assert table["3 that learn"][1] == pytest.approx(0.5)


def test_a_short_fit_stands_beside_the_whole_fit_at_the_same_epoch() -> None:
    short = entry({4: 0.7}, epochs=4)
    table = schedules([entry(rising(0.01)), entry(rising(0.01), 1), short])
    assert table.to_dict("records") == [
        {"number": 0, "whole fit": 0.86, "cosine of 4": 0.7, "whole fit, epoch 4": 0.54}
    ]


def test_a_longer_fit_is_not_a_schedule_of_the_whole_fit() -> None:
    longer = entry({LENGTH: 0.7, 54: 0.9}, epochs=54)
    assert list(schedules([entry(rising(0.01)), entry({4: 0.6}, epochs=4), longer]).columns) == [
        "number",
        "whole fit",
        "cosine of 4",
        "whole fit, epoch 4",
    ]


def test_lengths_are_compared_at_the_end_of_the_fits() -> None:
    fits = [entry({epochs: accuracy}, epochs=epochs) for epochs, accuracy in ((4, 0.6), (8, 0.7))]
    fits += [
        entry({LENGTH: 0.7, 54: accuracy}, seed=i, epochs=54)
        for i, accuracy in ((0, 0.8), (1, 0.9))
    ]
    fits += [entry({LENGTH: 0.8}, 1)]
    table = lengths(fits).set_index("epochs")
    assert table["mean"].to_dict() == pytest.approx({4: 0.6, 8: 0.7, 54: 0.85})
    assert table["count"].to_dict() == {4: 1, 8: 1, 54: 2}


def test_noise_is_of_repeated_configurations() -> None:
    fits = [entry({LENGTH: 0.8}), entry({LENGTH: 0.82}, seed=1), entry({LENGTH: 0.9}, 1)]
    assert noise(fits).to_dict("records") == [
        {"number": 0, "count": 2, "mean": 0.81, "std": pytest.approx(0.0141)}
    ]


def test_the_configurations_of_the_committed_table_do_not_change() -> None:
    stored = json.loads(curves.RESULTS.read_text())["configurations"]
    points = [point for _, _, point in configurations(N_CONFIGURATIONS, 35)]
    assert points[: len(stored)] == [configuration["point"] for configuration in stored]


def test_uniform_values_cover_the_whole_range() -> None:
    rng = np.random.default_rng(0)
    log = [sample_uniform(FloatDistribution(1e-4, 1e-1, log=True), rng) for _ in range(600)]
    assert np.median(log) == pytest.approx(10**-2.5, rel=0.4)
    assert {sample_uniform(CategoricalDistribution([True, False]), rng) for _ in range(30)} == {
        True,
        False,
    }
    steps = {sample_uniform(IntDistribution(16, 64, step=16), rng) for _ in range(99)}
    assert steps == {16, 32, 48, 64}
