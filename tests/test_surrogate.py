"""The surrogate of training, and the choice among searches that run on it."""

from typing import Any

import numpy as np
import pytest

pytest.importorskip("sklearn", reason="the group 'sets' is not installed")

from curve_entries import entry
from curves_plan import LENGTH, RUNGS
from optuna.distributions import BaseDistribution, CategoricalDistribution, FloatDistribution
from search_methods import summarize
from search_methods_optuna import Finalists, Fit, Outcome, choose, searches
from surrogate import LOWEST, Noise, Surrogate, features, leave_one_out, to_logit
from surrogate_table import START, measured_noise

from hpo.space.space import Point
from model.train import CHANCE_ACCURACY

SPACE: dict[str, BaseDistribution] = {
    "x": FloatDistribution(0.01, 100, log=True),
    "y": FloatDistribution(0, 1),
    "norm": CategoricalDistribution(["none", "batch"]),
}
QUIET = Noise(0.0, 0.0)
NORMS = ("none", "batch")


def accuracy(point: dict[str, Any]) -> list[float]:
    """A curve of two epochs that is best at x = 1 and y = 0.7 with a norm."""
    logit = 2.5 - 0.2 * np.log10(point["x"]) ** 2 - 3 * (point["y"] - 0.7) ** 2
    logit += 0.3 * (point["norm"] == "batch")
    return [1 / (1 + np.exp(-logit + 0.5)), 1 / (1 + np.exp(-logit))]


def random_points(n: int, seed: int = 0) -> list[dict[str, Any]]:
    rng = np.random.default_rng(seed)
    return [
        {"x": 10 ** rng.uniform(-2, 2), "y": rng.uniform(), "norm": ["none", "batch"][i % 2]}
        for i in range(n)
    ]


@pytest.fixture(scope="module")
def surrogate() -> Surrogate:
    points = random_points(40)
    curves = np.array([accuracy(point) for point in points])
    return Surrogate(SPACE, points, [1, 2], curves, QUIET)


def test_a_feature_is_a_position_in_the_range_or_a_choice() -> None:
    point = {"x": 1.0, "y": 1.0, "norm": "batch"}
    assert features(point, SPACE).tolist() == pytest.approx([0, 0, 1, 1, 1])


def test_how_bad_a_fit_is_does_not_matter() -> None:
    assert to_logit(np.array([0.05]))[0] == to_logit(np.array([LOWEST]))[0]


def test_the_surrogate_predicts_curves_of_configurations_it_has_not_seen(
    surrogate: Surrogate,
) -> None:
    for point in random_points(10, seed=1):
        assert surrogate.expected_curve(point) == pytest.approx(accuracy(point), abs=0.01)
    left_out = leave_one_out(surrogate, random_points(40))
    seen = [accuracy(point)[-1] for point in random_points(40)]
    assert np.corrcoef(left_out, seen)[0, 1] > 0.95


def test_a_configuration_diverges_above_a_rate_that_a_norm_raises() -> None:
    space: dict[str, BaseDistribution] = {
        "lr": FloatDistribution(0.001, 1.0, log=True),
        "model.conv_norm": CategoricalDistribution(["none", "batch"]),
    }
    points: list[dict[str, Any]] = [
        {"lr": 10 ** -(i / 10), "model.conv_norm": norm} for i in range(30) for norm in NORMS
    ]
    limits = {"none": 0.05, "batch": 0.3}
    diverged = [point["lr"] > limits[point["model.conv_norm"]] for point in points]
    curves = np.array([[0.6, CHANCE_ACCURACY if failed else 0.7] for failed in diverged])
    surrogate = Surrogate(space, points, [1, 2], curves, QUIET)
    assert [surrogate.diverges(point) for point in points] == diverged
    assert surrogate.is_learning_N.tolist() == [not failed for failed in diverged]
    curve = surrogate.curve(points[0], np.random.default_rng(0))
    assert curve[1] == CHANCE_ACCURACY < curve[0]
    assert surrogate.expected_curve(points[0])[-1] == CHANCE_ACCURACY


def test_a_fit_differs_from_the_expected_curve_by_the_noise() -> None:
    points = random_points(20)
    curves = np.array([accuracy(point) for point in points])
    noisy = Surrogate(SPACE, points, [1, 2], curves, Noise(0.2, 0.1))
    rng, expected = np.random.default_rng(0), to_logit(noisy.expected_curve(points[0]))
    errors = np.array([to_logit(noisy.curve(points[0], rng)) - expected for _ in range(2000)])
    assert errors.std(0) == pytest.approx([np.hypot(0.2, 0.1)] * 2, rel=0.1)
    assert np.corrcoef(errors.T)[0, 1] == pytest.approx(0.8, abs=0.05)


def test_the_noise_is_that_between_seeds_of_one_configuration() -> None:
    rng = np.random.default_rng(0)
    logits = [1.0 + 0.1 * rng.normal() + 0.05 * rng.normal(size=len(RUNGS)) for _ in range(400)]
    fits = [
        entry(dict(zip(RUNGS, 1 / (1 + np.exp(-logit)), strict=True)), seed=seed)
        for seed, logit in enumerate(logits)
    ]
    noise = measured_noise({"fits": [*fits, entry(dict.fromkeys(RUNGS, 0.9), number=1)]})
    assert noise.fit == pytest.approx(0.1, rel=0.15)
    assert noise.epoch == pytest.approx(0.05, rel=0.1)


class Landscape:
    """Fits whose accuracy depends on the learning rate alone."""

    epochs = (4, 12, LENGTH)

    def accuracy(self, point: Point) -> float:
        return float(0.9 - 0.1 * np.log10(point["lr"] / 0.1) ** 2)

    def start_fit(self, point: Point, rng: np.random.Generator) -> Fit:
        return lambda epoch: self.accuracy(point) - {4: 0.2, 12: 0.1, LENGTH: 0.0}[epoch]


def test_the_default_is_always_a_finalist() -> None:
    complete = [(0.9, 3, {"lr": 0.001}), (0.8, 4, {"lr": 0.002}), (0.7, 0, START)]
    rng, landscape = np.random.default_rng(0), Landscape()
    assert choose(complete, Finalists(), landscape, rng) == {"lr": 0.001}
    assert choose(complete, Finalists(2, 1), landscape, rng) == START


def test_every_search_spends_its_budget_and_never_loses_to_the_default_without_noise() -> None:
    landscape = Landscape()
    for name, search in searches(LENGTH):
        if name != "GPSampler":  # slow
            outcome = search(landscape, 200, 0)
            assert outcome.gain >= 0, name
            assert outcome.n_trials > 1
            assert outcome.n_full >= 1


def test_the_difference_of_two_searches_is_paired_by_seed() -> None:
    better = [Outcome(0.01 * seed + 0.02, 1, 1) for seed in range(5)]
    worse = [Outcome(0.01 * seed, 1, 1) for seed in range(5)]
    table = summarize({"a": better, "b": worse})
    assert table["ours − it"].tolist() == ["", "+2.00 (+2.00 to +2.00)"]
