"""Mean, standard deviation and interval of the test metrics over several networks."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from statistics import fmean, stdev
from typing import TypeVar

from model.intervals import (
    MIN_CLUSTERS,
    ClusterAccuracies,
    Interval,
    accuracy_interval,
    merge_fits,
)
from model.metrics import NetworkMetrics
from model.n_way import AccuracyByWay

Key = TypeVar("Key", str, int)


@dataclass(frozen=True)
class MeanSd:
    """Mean and sample standard deviation; ``sd`` is None for a single value."""

    mean: float
    sd: float | None


@dataclass(frozen=True)
class Summary:
    """Metrics of :class:`model.metrics.NetworkMetrics` over several networks.

    ``verification``, ``validation`` and ``averaged_validation`` are None if the validation
    alphabets were trained on.
    """

    official: MeanSd
    averaged: MeanSd
    verification: MeanSd | None
    validation: MeanSd | None
    averaged_validation: MeanSd | None
    random_episodes: dict[int, MeanSd]
    by_alphabet: dict[str, dict[str, AccuracyByWay]]
    official_per_lake_run: dict[str, float]
    official_per_alphabet: dict[str, float]


def summarize_metrics(metrics: Sequence[NetworkMetrics]) -> Summary:
    """Return mean and standard deviation of the metrics of several networks."""
    first, official = metrics[0], [m.official for m in metrics]
    verifications = [m.verification for m in metrics]
    return Summary(
        official=mean_and_sd([o.accuracy for o in official]),
        averaged=mean_and_sd([m.averaged.official for m in metrics]),
        verification=_mean_of_known(v.test_accuracy if v else None for v in verifications),
        validation=_mean_of_known(m.validation_accuracy for m in metrics),
        averaged_validation=_mean_of_known(m.averaged.validation_accuracy for m in metrics),
        random_episodes={
            n: mean_and_sd([m.random_episodes[n] for m in metrics]) for n in first.random_episodes
        },
        by_alphabet={
            part: {
                name: _mean_by_key([m.by_alphabet[part][name] for m in metrics])
                for name in alphabets
            }
            for part, alphabets in first.by_alphabet.items()
        },
        official_per_lake_run=_mean_by_key([o.per_lake_run for o in official]),
        official_per_alphabet=_mean_by_key([o.per_alphabet for o in official]),
    )


def metric_intervals(metrics: Sequence[NetworkMetrics]) -> dict[str, Interval | None]:
    """Return the 95 % intervals of the means of several networks, as far as their data is stored.

    Returns:
        Intervals of ``"official"``, ``"averaged"``, ``"verification"`` and, with enough test
        alphabets, ``"2-way"`` … ``"20-way"`` for random episodes; None for a metric with
        too few episodes.
    """
    tables = [_cluster_tables(m) for m in metrics]
    known = [name for name in tables[0] if all(name in table for table in tables)]
    return {name: accuracy_interval(merge_fits([t[name] for t in tables])) for name in known}


def mean_and_sd(values: Sequence[float]) -> MeanSd:
    """Return mean and sample standard deviation of at least one value."""
    return MeanSd(fmean(values), stdev(values) if len(values) > 1 else None)


def format_mean(value: MeanSd | None) -> str:
    """Return fractions as percent, for example ``92.3 ± 0.4 %``; a dash for None."""
    if value is None:
        return "–"
    sd = "" if value.sd is None else f" ± {100 * value.sd:.1f}"
    return f"{100 * value.mean:.1f}{sd} %"


def _cluster_tables(metrics: NetworkMetrics) -> dict[str, ClusterAccuracies]:
    """Return the accuracies of one network by cluster, for each metric."""
    tables = dict(metrics.clusters)
    per_alphabet, n_episodes = metrics.official.per_alphabet, metrics.official.n_episodes
    if not tables and len(per_alphabet) >= MIN_CLUSTERS:  # an old file, probably of Omniglot
        counts = [n_episodes // len(per_alphabet)] * len(per_alphabet)
        accuracies = [list(per_alphabet.values())]
        tables["official"] = ClusterAccuracies("alphabet", accuracies, counts)
    if metrics.verification and metrics.verification.clusters:
        tables["verification"] = metrics.verification.clusters
    by_way = list(metrics.by_alphabet["test"].values())
    if len(by_way) >= MIN_CLUSTERS:
        for n in metrics.random_episodes:
            accuracies = [[accuracy[n] for accuracy in by_way]]
            # All alphabets have the same weight in the mean.
            tables[f"{n}-way"] = ClusterAccuracies("alphabet", accuracies, [1] * len(by_way))
    return tables


def _mean_of_known(values: Iterable[float | None]) -> MeanSd | None:
    known = [value for value in values if value is not None]
    return mean_and_sd(known) if known else None


def _mean_by_key(dicts: Sequence[dict[Key, float]]) -> dict[Key, float]:
    return {key: fmean(values[key] for values in dicts) for key in dicts[0]}
