"""95 % confidence intervals of accuracies whose episodes share drawings, alphabets and fits.

Two episodes of one alphabet are more alike than two episodes of different alphabets, and all
episodes of a fit share its weights. An interval that treats the episodes as independent is far too
narrow. The intervals here therefore resample whole clusters (alphabets, or characters if there is
one alphabet) and whole fits.

Tensor suffixes: F fits, C clusters, B resamples, R blocks, Q queries, N drawings.
"""

from collections.abc import Hashable, Sequence
from dataclasses import dataclass, replace

import numpy as np
import numpy.typing as npt
import pandas as pd
from scipy import stats
from torch import Tensor

from data.drawings import Drawings
from data.episodes import Episodes
from data.labels import alphabet_label, character_label
from model.standard_error import two_way_error

Array = npt.NDArray[np.float64]

CONFIDENCE = 0.95
MIN_CLUSTERS = 10  # a bootstrap over fewer clusters has no reliable width
MIN_EPISODES = 10  # an exact interval over fewer episodes says almost nothing
N_RESAMPLES = 1000
TOO_FEW = "too few to say"


@dataclass(frozen=True)
class Interval:
    """A 95 % confidence interval of an accuracy.

    Args:
        low: lower bound in [0, 1].
        high: upper bound in [0, 1].
        covers: what the interval covers, for example ``"10 alphabets and 3 fits"``.
    """

    low: float
    high: float
    covers: str


@dataclass(frozen=True)
class ClusterAccuracies:
    """Accuracies of one or more networks on the same episodes, by cluster.

    Args:
        cluster: name of a cluster in the singular, for example ``"alphabet"``.
        accuracy_FC: accuracies in [0, 1], one list per fit with one value per cluster.
        n_episodes_C: number of different episodes of each cluster.
        unit: what an accuracy is measured on, ``"episodes"`` or ``"pairs"``.
    """

    cluster: str
    accuracy_FC: list[list[float]]
    n_episodes_C: list[int]
    unit: str = "episodes"

    @property
    def mean(self) -> float:
        """Mean accuracy in [0, 1] over fits and episodes."""
        return float(np.average(np.mean(self.accuracy_FC, axis=0), weights=self.n_episodes_C))


def cluster_accuracies(
    correct: Tensor,
    position: Tensor,
    keys: Sequence[Hashable],
    drawings: Drawings,
    unit: str = "episodes",
) -> ClusterAccuracies:
    """Return the accuracies of one network by alphabet, or by character if there is one alphabet.

    Args:
        correct: float in [0, 1] of each of M episodes or pairs; any shape with M elements.
        position: int64, M; a drawing of the cluster of each episode, as position in ``drawings``.
        keys: M values that are equal for equal episodes.
        drawings: drawings of the episodes.
        unit: what an accuracy is measured on, ``"episodes"`` or ``"pairs"``.
    """
    by_alphabet = len(drawings.alphabets) > 1
    cluster_N = drawings.alphabet_N if by_alphabet else drawings.character_N
    frame = pd.DataFrame(
        {
            "cluster": cluster_N.cpu()[position.flatten().cpu()].numpy(),
            "correct": correct.flatten().cpu().numpy(),
            "key": pd.Series(keys, dtype=object),
        }
    )
    groups = frame.groupby("cluster")
    label = alphabet_label if by_alphabet else character_label
    return ClusterAccuracies(
        cluster=label(drawings.name),
        accuracy_FC=[groups["correct"].mean().tolist()],
        n_episodes_C=groups["key"].nunique().tolist(),
        unit=unit,
    )


def episode_clusters(
    correct_RQ: Tensor, episodes: Episodes, drawings: Drawings
) -> ClusterAccuracies:
    """Return :func:`cluster_accuracies` of episodes.

    Args:
        correct_RQ: float in [0, 1] of every episode, from :func:`model.evaluate.correctness`.
        episodes: R × Q episodes as positions in ``drawings``.
        drawings: drawings of the episodes.
    """
    keys = [key for block in episodes.keys_by_block() for key in block]
    return cluster_accuracies(correct_RQ, episodes.query_RQ, keys, drawings)


def merge_fits(fits: Sequence[ClusterAccuracies]) -> ClusterAccuracies:
    """Return the accuracies of several fits on the same episodes as one table."""
    return replace(
        fits[0], accuracy_FC=[accuracy_C for fit in fits for accuracy_C in fit.accuracy_FC]
    )


def accuracy_interval(accuracies: ClusterAccuracies) -> Interval | None:
    """Return the 95 % interval of a mean accuracy; None if there are too few episodes.

    The interval is :func:`cluster_interval` if that exists, otherwise :func:`exact_interval` over
    the different episodes.
    """
    accuracy_FC = np.asarray(accuracies.accuracy_FC, float)
    n_episodes_C = np.asarray(accuracies.n_episodes_C, float)
    if interval := cluster_interval(accuracy_FC, n_episodes_C, accuracies.cluster):
        return interval
    n, n_clusters = sum(accuracies.n_episodes_C), len(accuracies.n_episodes_C)
    if n < MIN_EPISODES:
        return None
    covers = f"{n} {accuracies.unit} as if independent"
    if n_clusters < MIN_CLUSTERS:
        clusters = f"{n_clusters} {_plural(accuracies.cluster, n_clusters)}"
        covers += f", {clusters} are {TOO_FEW} more"
    return exact_interval(accuracies.mean * n, n, covers)


def cluster_interval(accuracy_FC: Array, n_episodes_C: Array, cluster: str) -> Interval | None:
    """Return the 95 % interval of a mean accuracy, for other clusters and other fits.

    Clusters and fits are resampled with replacement. The quantiles of the resampled means are
    taken at a level that corrects for the number of clusters and fits: an uncorrected percentile
    interval over ten clusters covers the true mean in only 88 % of the cases.

    Args:
        accuracy_FC: accuracies in [0, 1] of each fit on each cluster.
        n_episodes_C: number of episodes of each cluster, the weights of the mean.
        cluster: name of a cluster in the singular, for example ``"alphabet"``.

    Returns:
        None if there are fewer than :data:`MIN_CLUSTERS` clusters or if all accuracies are equal:
        then a bootstrap has no width.

    Source: Owen 2007, "The pigeonhole bootstrap" (resampling of both factors); Hesterberg 2015,
    "What Teachers Should Know About the Bootstrap" (expanded percentiles); Satterthwaite 1946
    (degrees of freedom).
    """
    n_fits, n_clusters = accuracy_FC.shape
    if n_clusters < MIN_CLUSTERS or np.ptp(accuracy_FC) == 0:
        return None
    standard_error, degrees = two_way_error(accuracy_FC, n_episodes_C)
    means_B = _resampled_means(accuracy_FC, n_episodes_C)
    t = stats.t.ppf((1 + CONFIDENCE) / 2, degrees)
    level = stats.norm.cdf(-t * standard_error / means_B.std())
    low, high = np.quantile(means_B, [level, 1 - level])
    fits = f"{n_fits} fits" if n_fits > 1 else "not other fits"
    joined = " and " if n_fits > 1 else ", "
    return Interval(float(low), float(high), f"{n_clusters} {_plural(cluster, 2)}{joined}{fits}")


def exact_interval(n_correct: float, n: int, covers: str) -> Interval:
    """Return the 95 % Clopper-Pearson interval of a fraction of independent episodes.

    Args:
        n_correct: number of correct episodes in [0, n]; shared ties make it a fraction.
        n: number of episodes.
        covers: what the interval covers.
    """
    tail = (1 - CONFIDENCE) / 2
    low = stats.beta.ppf(tail, n_correct, n - n_correct + 1) if n_correct > 0 else 0.0
    high = stats.beta.ppf(1 - tail, n_correct + 1, n - n_correct) if n_correct < n else 1.0
    return Interval(float(low), float(high), covers)


def format_interval(interval: Interval | None) -> str:
    """Return an interval and what it covers, for example ``91.2% to 95.9% (10 alphabets …)``."""
    return f"{interval.low:.1%} to {interval.high:.1%} ({interval.covers})" if interval else TOO_FEW


def _resampled_means(accuracy_FC: Array, n_episodes_C: Array) -> Array:
    """Return the weighted means of resamples of the fits and clusters, the same in every call."""
    rng = np.random.default_rng(0)
    n_fits, n_clusters = accuracy_FC.shape
    fits_BF = rng.multinomial(n_fits, [1 / n_fits] * n_fits, N_RESAMPLES) / n_fits
    counts_BC = rng.multinomial(n_clusters, [1 / n_clusters] * n_clusters, N_RESAMPLES)
    weight_BC = counts_BC * n_episodes_C
    sums_B = ((fits_BF @ accuracy_FC) * weight_BC).sum(1)
    return np.asarray(sums_B / weight_BC.sum(1))


def _plural(noun: str, n: int) -> str:
    """Return a noun in the singular if ``n`` is 1, otherwise in the plural."""
    return noun if n == 1 else f"{noun}es" if noun.endswith("s") else f"{noun}s"
