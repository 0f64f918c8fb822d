"""Verification on the test alphabets: do two drawings show the same character?

Tensor suffix: B pairs.
"""

from dataclasses import dataclass

import torch
from torch import Tensor

from data.drawings import Drawings
from data.pairs import Pairs, sample_pairs
from data.splits import TEST_DRAWERS, Split, select_drawers
from model.evaluate import best_threshold, pair_logits, verification_accuracy
from model.intervals import ClusterAccuracies, cluster_accuracies
from model.n_way import EPISODE_SEED
from model.siamese import SiameseNet

N_PAIRS = 10_000  # §4.1: number of pairs for validation, and for the test
N_ROC_POINTS = 200


@dataclass(frozen=True)
class RocPoint:
    """The rates at one threshold.

    Args:
        false: false-positive rate in [0, 1], the fraction of different pairs classified as same.
        true: true-positive rate in [0, 1], the fraction of same pairs classified as same.
    """

    false: float
    true: float


@dataclass(frozen=True)
class RocCurve:
    """The rates at decreasing thresholds, from (0, 0) to (1, 1).

    Args:
        false: false-positive rates in [0, 1].
        true: true-positive rates in [0, 1].
    """

    false: list[float]
    true: list[float]


@dataclass(frozen=True)
class VerificationMetrics:
    """Verification with the threshold that is best on validation pairs.

    Args:
        threshold: a pair is classified as same if its logit is at least this.
        validation_accuracy: accuracy in [0, 1] on the validation pairs.
        test_accuracy: accuracy in [0, 1] on the test pairs.
        n_pairs: number of validation pairs, and of test pairs.
        chosen: rates on the test pairs at this threshold.
        roc: ROC curve of the test pairs.
        clusters: accuracies on the test pairs by alphabet or character, for intervals; None in old
            files.
    """

    threshold: float
    validation_accuracy: float
    test_accuracy: float
    n_pairs: int
    chosen: RocPoint
    roc: RocCurve
    clusters: ClusterAccuracies | None = None


def verification_pairs(drawings: Drawings) -> Pairs:
    """Return 10,000 pairs, half of them same; equal drawings always give equal pairs.

    Source: Koch 2015 §4.1.
    """
    generator = torch.Generator().manual_seed(EPISODE_SEED)  # the same on every device
    return sample_pairs(drawings, N_PAIRS, generator=generator)


def verification_metrics(net: SiameseNet, split: Split) -> VerificationMetrics:
    """Return the metrics of a network; the threshold is chosen on validation pairs.

    Args:
        net: network on the device of the split's drawings.
        split: the validation drawings, and the test drawings by the paper's four test drawers.
    """
    val, test = split.val, select_drawers(split.test, TEST_DRAWERS)
    val_pairs, test_pairs = verification_pairs(val), verification_pairs(test)
    best = best_threshold(pair_logits(net, val, val_pairs).cpu(), val_pairs.same_B)
    logits_B = pair_logits(net, test, test_pairs).cpu()
    classified_same_B = logits_B >= best.threshold
    return VerificationMetrics(
        threshold=best.threshold,
        validation_accuracy=best.accuracy,
        test_accuracy=verification_accuracy(logits_B, test_pairs.same_B, best.threshold),
        n_pairs=N_PAIRS,
        chosen=RocPoint(
            false=classified_same_B[~test_pairs.same_B].double().mean().item(),
            true=classified_same_B[test_pairs.same_B].double().mean().item(),
        ),
        roc=roc_curve(logits_B, test_pairs.same_B),
        clusters=cluster_accuracies(
            (classified_same_B == test_pairs.same_B).double(),
            test_pairs.left_B,
            _keys(test_pairs),
            test,
            unit="pairs",
        ),
    )


def _keys(pairs: Pairs) -> list[frozenset[int]]:
    """Return what identifies each pair: its two drawings in any order."""
    positions = zip(pairs.left_B.tolist(), pairs.right_B.tolist(), strict=True)
    return [frozenset(pair) for pair in positions]


def roc_curve(logits_B: Tensor, same_B: Tensor, n_points: int = N_ROC_POINTS) -> RocCurve:
    """Return the ROC curve of logits. Pairs with equal logits share one point.

    Args:
        logits_B: float logits; a higher one means that the pair is more likely the same character.
        same_B: bool, whether the pair is the same character.
        n_points: maximum number of points, in addition to (0, 0).
    """
    order = logits_B.argsort(descending=True)
    logits, same = logits_B[order].cpu(), same_B[order].double().cpu()
    true, false = same.cumsum(0) / same.sum(), (1 - same).cumsum(0) / (1 - same).sum()
    ends_tie = torch.cat([logits[1:] != logits[:-1], torch.ones(1, dtype=torch.bool)])
    last = ends_tie.nonzero()[:, 0]
    at = last[torch.linspace(0, len(last) - 1, n_points).round().long().unique()]
    zero = torch.zeros(1, dtype=torch.float64)
    return RocCurve(torch.cat([zero, false[at]]).tolist(), torch.cat([zero, true[at]]).tolist())
