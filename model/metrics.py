"""The metrics of one trained network on the test alphabets, and of the 1-NN baseline.

Tensor suffixes: N filters, H W their pixels.
"""

import json
from dataclasses import asdict, dataclass, field
from functools import partial
from typing import Any

import pandas as pd
import torch
from torch import Tensor

from data.drawings import Drawings
from data.episodes import Episodes, dense_validation
from data.splits import Split
from model.evaluate import (
    averaged_logits,
    correctness,
    episode_logits,
    nearest_neighbour_scores,
)
from model.intervals import ClusterAccuracies, episode_clusters
from model.n_way import AccuracyByWay, n_way_accuracies, n_way_episodes
from model.predictions import OfficialAccuracy, Scorer, official_accuracy, official_predictions
from model.siamese import SiameseNet
from model.verification import VerificationMetrics, verification_metrics

REPORTED_WAYS = (2, 5, 10, 15, 20)


@dataclass(frozen=True)
class AveragedAccuracy:
    """Accuracies in [0, 1] with the logits averaged over distorted copies of the drawings.

    Args:
        validation_accuracy: on the validation episodes; None if they were trained on.
        official: on the official episodes.
    """

    validation_accuracy: float | None
    official: float


@dataclass(frozen=True)
class ValidationAccuracy:
    """Accuracies in [0, 1] on the validation episodes.

    Args:
        plain: with the logits of the drawings.
        averaged: with the logits averaged over distorted copies of the drawings.
    """

    plain: float
    averaged: float


@dataclass(frozen=True)
class NetworkMetrics:
    """The metrics of one network; accuracies in [0, 1].

    Args:
        official: on the official episodes.
        validation_accuracy: on the validation episodes; None if their alphabets were trained on.
        random_episodes: on random N-way episodes of the test alphabets.
        by_alphabet: on random N-way episodes, by part (``"test"``, ``"val"``) and alphabet.
        verification: on pairs; None if the validation alphabets were trained on.
        averaged: with distorted copies averaged.
        clusters: accuracies by alphabet or character, for intervals: ``"official"`` and
            ``"averaged"`` on the official episodes. Empty in old files.
    """

    official: OfficialAccuracy
    validation_accuracy: float | None
    random_episodes: AccuracyByWay
    by_alphabet: dict[str, dict[str, AccuracyByWay]]
    verification: VerificationMetrics | None
    averaged: AveragedAccuracy
    clusters: dict[str, ClusterAccuracies] = field(default_factory=dict)

    def to_dict(self) -> dict[str, Any]:
        """Return JSON values."""
        return json_values(self)


@dataclass(frozen=True)
class BaselineMetrics:
    """The metrics of 1-NN on pixels; see :class:`NetworkMetrics`."""

    official: OfficialAccuracy
    validation_accuracy: float
    random_episodes: AccuracyByWay


@dataclass(frozen=True)
class NetworkEvaluation:
    """Everything that the evaluation of one network returns.

    Args:
        metrics: its metrics.
        predictions: one row per official episode; see :func:`model.predictions.prediction_table`.
        confusions: second frame of :func:`model.n_way.n_way_accuracies`, for all alphabets that
            were not trained on.
        filters_NHW: float32 weights of the first layer, averaged over its input channels; None if
            the layer is not convolutional.
    """

    metrics: NetworkMetrics
    predictions: pd.DataFrame
    confusions: pd.DataFrame
    filters_NHW: Tensor | None


def json_values(values: Any) -> dict[str, Any]:
    """Return a dataclass as JSON values: keys become strings, and tuples become lists."""
    return dict(json.loads(json.dumps(asdict(values))))


def evaluate_network(
    net: SiameseNet, split: Split, *, val_is_held_out: bool = True
) -> NetworkEvaluation:
    """Return the metrics of a trained network. Nothing is chosen on the test alphabets.

    Args:
        net: network on the device of the split's drawings.
        split: data set.
        val_is_held_out: False for a network that was trained on the validation alphabets. Then
            validation accuracy and verification are None.
    """
    plain, averaged = partial(episode_logits, net), partial(averaged_logits, net)
    predictions = official_predictions(plain, split)
    official_RQ = torch.tensor(predictions["credit"].to_numpy())
    parts = {"test": split.test} | ({"val": split.val} if val_is_held_out else {})
    frames = {part: n_way_accuracies(net, d, split.n_shot) for part, d in parts.items()}
    averaged_RQ = correctness(averaged(split.test, split.official), split.official.target_RQ)
    validation = None
    if val_is_held_out:
        episodes = dense_validation(split.val, n_way=split.n_way, n_shot=split.n_shot)
        validation = validation_accuracy(net, split.val, episodes)
    metrics = NetworkMetrics(
        official=official_accuracy(predictions),
        validation_accuracy=validation.plain if validation else None,
        random_episodes=_mean_by_way(frames["test"][0]),
        by_alphabet={part: _by_alphabet(accuracies) for part, (accuracies, _) in frames.items()},
        verification=verification_metrics(net, split) if val_is_held_out else None,
        averaged=AveragedAccuracy(
            validation.averaged if validation else None, averaged_RQ.mean().item()
        ),
        clusters={
            "official": episode_clusters(official_RQ, split.official, split.test),
            "averaged": episode_clusters(averaged_RQ, split.official, split.test),
        },
    )
    confusions = pd.concat([confusions for _, confusions in frames.values()], ignore_index=True)
    return NetworkEvaluation(metrics, predictions, confusions, _first_filters(net))


def validation_accuracy(
    net: SiameseNet, val: Drawings, episodes: Episodes | None = None
) -> ValidationAccuracy:
    """Return the accuracies of a network on validation episodes.

    Args:
        net: network on the device of the drawings.
        val: validation drawings.
        episodes: episodes as positions in ``val``; by default, the dense 20-way, one-shot ones.
    """
    scorers: tuple[Scorer, ...] = (partial(episode_logits, net), partial(averaged_logits, net))
    episodes = dense_validation(val) if episodes is None else episodes
    return ValidationAccuracy(*(scorer_accuracy(scorer, val, episodes) for scorer in scorers))


def evaluate_baseline(split: Split) -> BaselineMetrics:
    """Return the metrics of 1-NN by cosine similarity of pixels, on the episodes of networks."""
    test, max_n_way = split.test, int(split.test.count_A.min())
    episodes = dense_validation(split.val, n_way=split.n_way, n_shot=split.n_shot)
    return BaselineMetrics(
        official=official_accuracy(official_predictions(nearest_neighbour_scores, split)),
        validation_accuracy=scorer_accuracy(nearest_neighbour_scores, split.val, episodes),
        random_episodes={
            n: scorer_accuracy(
                nearest_neighbour_scores, test, n_way_episodes(test, n, split.n_shot)
            )
            for n in REPORTED_WAYS
            if n <= max_n_way
        },
    )


def scorer_accuracy(scorer: Scorer, drawings: Drawings, episodes: Episodes) -> float:
    """Return the accuracy of a scorer on episodes, in [0, 1]."""
    return correctness(scorer(drawings, episodes), episodes.target_RQ).mean().item()


def scorer_clusters(scorer: Scorer, drawings: Drawings, episodes: Episodes) -> ClusterAccuracies:
    """Return the accuracies of a scorer on episodes by alphabet or character."""
    correct_RQ = correctness(scorer(drawings, episodes), episodes.target_RQ)
    return episode_clusters(correct_RQ, episodes, drawings)


def _mean_by_way(accuracies: pd.DataFrame) -> AccuracyByWay:
    """Return the mean over the alphabets."""
    means = accuracies.groupby("n_way")["accuracy"].mean()
    return {int(n): float(mean) for n, mean in means.items()}


def _by_alphabet(accuracies: pd.DataFrame) -> dict[str, AccuracyByWay]:
    return {
        str(alphabet): dict(zip(rows["n_way"].tolist(), rows["accuracy"].tolist(), strict=True))
        for alphabet, rows in accuracies.groupby("alphabet", sort=False)
    }


def _first_filters(net: SiameseNet) -> Tensor | None:
    filters_NHW = net.first_filters()
    return None if filters_NHW is None else filters_NHW.cpu()
