"""Confidence intervals: coverage with cluster effects, and what is said with too little data."""

import numpy as np
import pytest

from model.intervals import (
    TOO_FEW,
    ClusterAccuracies,
    accuracy_interval,
    cluster_interval,
    exact_interval,
    format_interval,
)

N_DATA_SETS = 1000


def coverage(
    n_fits: int, n_clusters: int, logit: float, cluster_sd: float, fit_sd: float, equal: bool
) -> float:
    """Return how often the interval contains the true mean of simulated accuracies."""
    rng = np.random.default_rng(2015)

    def accuracies(clusters: np.ndarray, fits: np.ndarray) -> np.ndarray:
        return 1 / (1 + np.exp(-(logit + cluster_sd * clusters + fit_sd * fits)))

    many = rng.standard_normal((2000, 1)), rng.standard_normal((1, 2000))
    truth, hits = accuracies(*many).mean(), 0
    for _ in range(N_DATA_SETS):
        n_C = np.full(n_clusters, 40) if equal else rng.integers(20, 80, n_clusters)
        p_FC = accuracies(rng.standard_normal((1, n_clusters)), rng.standard_normal((n_fits, 1)))
        accuracy_FC = rng.binomial(n_C, p_FC) / n_C
        interval = cluster_interval(accuracy_FC, n_C.astype(float), "alphabet")
        hits += interval is not None and interval.low <= truth <= interval.high
    return hits / N_DATA_SETS


@pytest.mark.parametrize(
    ("n_fits", "n_clusters", "logit", "cluster_sd", "fit_sd", "equal"),
    [
        (1, 10, 1.5, 0.5, 0.0, True),
        (3, 10, 2.5, 0.5, 0.15, True),
        (3, 10, 1.5, 0.3, 0.2, False),
        (5, 30, 1.0, 0.6, 0.1, False),
    ],
)
def test_intervals_cover_the_true_mean_in_95_percent_of_the_data_sets(
    n_fits: int, n_clusters: int, logit: float, cluster_sd: float, fit_sd: float, equal: bool
) -> None:
    assert 0.93 <= coverage(n_fits, n_clusters, logit, cluster_sd, fit_sd, equal) <= 0.97


def test_an_interval_says_what_it_covers() -> None:
    accuracy_FC = np.random.default_rng(0).uniform(0.8, 1, (3, 10)).tolist()
    for fits, expected in ((3, "10 alphabets and 3 fits"), (1, "10 alphabets, not other fits")):
        accuracies = ClusterAccuracies("alphabet", accuracy_FC[:fits], [40] * 10)
        interval = accuracy_interval(accuracies)
        assert interval is not None
        assert interval.covers == expected
        assert interval.low < accuracies.mean < interval.high


def test_clusters_are_weighted_by_their_episodes() -> None:
    accuracies = ClusterAccuracies("class", [[0.0, 1.0]], [1, 3])
    assert accuracies.mean == 0.75


def test_few_clusters_give_an_exact_interval_that_says_so() -> None:
    interval = accuracy_interval(ClusterAccuracies("group", [[0.9, 0.8]], [200, 200]))
    assert interval is not None
    assert "400 episodes" in interval.covers
    assert "2 groups" in interval.covers
    assert (interval.low, interval.high) == pytest.approx((0.811, 0.884), abs=1e-3)


def test_no_error_gives_an_exact_interval_with_a_width() -> None:
    interval = accuracy_interval(ClusterAccuracies("class", [[1.0] * 20], [5] * 20))
    assert interval is not None
    assert (interval.low, interval.high) == pytest.approx((0.964, 1.0), abs=1e-3)


def test_four_episodes_are_too_few_to_say() -> None:
    interval = accuracy_interval(ClusterAccuracies("class", [[1.0, 1.0]], [2, 2]))
    assert interval is None
    assert format_interval(interval) == TOO_FEW


@pytest.mark.parametrize(
    ("n_correct", "n", "bounds"),
    [(0, 10, (0.0, 0.3085)), (10, 10, (0.6915, 1.0)), (8, 10, (0.4439, 0.9748))],
)
def test_exact_intervals_are_those_of_clopper_and_pearson(
    n_correct: int, n: int, bounds: tuple[float, float]
) -> None:
    interval = exact_interval(n_correct, n, "")
    assert (interval.low, interval.high) == pytest.approx(bounds, abs=1e-4)
