"""Every test figure of one trained network, and of the 1-NN baseline beside it."""

import math
from collections import defaultdict
from dataclasses import dataclass
from typing import Any

import pandas as pd
import torch
from torch import Tensor

from data.drawings import Drawings
from data.episodes import VALIDATIONS, Episodes, random_episodes
from data.pairs import Pairs, draw_pairs
from data.splits import TEST_DRAWERS, Split
from model.evaluate import (
    best_threshold,
    credit,
    episode_logits,
    nearest_neighbour_scores,
    one_shot_accuracy,
    pair_logits,
    verification_accuracy,
    wilson_interval,
)
from model.siamese import SiameseNet

WAYS = (2, 5, 10, 15, 20)
N_BLOCKS = 40  # random blocks per test alphabet and N
N_PAIRS = 10_000  # §4.1: verification pairs for validation, and for the test
EPISODE_SEED = 2015  # fixes random episodes and verification pairs, whatever the fit's seed


@dataclass(frozen=True)
class Score:
    """One network's figures.

    Args:
        figures: JSON values; accuracies are shares in [0, 1].
        predictions: one row per official episode.
    """

    figures: dict[str, Any]
    predictions: pd.DataFrame


def mean_by(keys: list[str], values: list[float]) -> dict[str, float]:
    """Return the mean value of each key, in the order of first appearance."""
    grouped: dict[str, list[float]] = defaultdict(list)
    for key, value in zip(keys, values, strict=True):
        grouped[key].append(value)
    return {key: sum(group) / len(group) for key, group in grouped.items()}


def official_figures(scores_RQS: Tensor, test: Drawings, official: Episodes) -> dict[str, Any]:
    """Return accuracy on the official episodes: in all, per run and per alphabet."""
    right_RQ = credit(scores_RQS, official.target_RQ).cpu()
    n_runs, n_queries = right_RQ.shape
    alphabets = [test.alphabets[a] for a in test.alphabet_N.cpu()[official.query_RQ].flatten()]
    runs = [f"run{run + 1:02}" for run in range(n_runs) for _ in range(n_queries)]
    values = right_RQ.flatten().tolist()
    accuracy = right_RQ.mean().item()
    return {
        "accuracy": accuracy,
        "interval": wilson_interval(accuracy, len(official)),
        "n_episodes": len(official),
        "per_run": mean_by(runs, values),
        "per_alphabet": mean_by(alphabets, values),
    }


def prediction_table(scores_RQS: Tensor, test: Drawings, official: Episodes) -> pd.DataFrame:
    """Return one row per official episode: what was asked, what was answered, how surely.

    Characters are numbered over the test alphabets from 0; drawers from 1, as in the archives.
    """
    scores, target = scores_RQS.cpu(), official.target_RQ
    answer_RQ = scores.argmax(-1)
    n_runs, n_queries = target.shape
    character, drawer = test.character_N.cpu(), test.drawer_N.cpu()
    query = official.query_RQ.flatten()

    def at(column_RQ: Tensor, of_RS: Tensor) -> list[Any]:
        return list(of_RS.gather(-1, column_RQ).flatten().tolist())

    def logit(column_RQ: Tensor) -> list[float]:
        return list(scores.gather(-1, column_RQ.unsqueeze(-1)).flatten().tolist())

    return pd.DataFrame(
        {
            "run": [run + 1 for run in range(n_runs) for _ in range(n_queries)],
            "item": list(range(1, n_queries + 1)) * n_runs,
            "alphabet": [test.alphabets[a] for a in test.alphabet_N.cpu()[query].tolist()],
            "query_drawer": (drawer[query] + 1).tolist(),
            "support_drawer": (drawer[official.support_RS[:, 0]] + 1)
            .repeat_interleave(n_queries)
            .tolist(),
            "character": character[query].tolist(),
            "answer": at(answer_RQ, character[official.support_RS]),
            "credit": credit(scores, target).flatten().tolist(),
            "logit_right": logit(target),
            "logit_answer": logit(answer_RQ),
        }
    )


def verification_pairs(drawings: Drawings) -> Pairs:
    """Return 10,000 fixed pairs, half of them same.

    Source: Koch 2015 §4.1.
    """
    device = drawings.images_NHW.device
    rng = torch.Generator(device).manual_seed(EPISODE_SEED)
    return draw_pairs(drawings, N_PAIRS, generator=rng)


def verification_figures(net: SiameseNet, split: Split) -> dict[str, float]:
    """Return the threshold chosen on validation pairs, and its accuracy there and on the test."""
    val, test = split.val, split.test.only(drawers=TEST_DRAWERS)
    val_pairs, test_pairs = verification_pairs(val), verification_pairs(test)
    chosen = best_threshold(pair_logits(net, val, val_pairs), val_pairs.same_B)
    logits_B = pair_logits(net, test, test_pairs)
    return {
        "threshold": chosen.threshold,
        "validation_accuracy": chosen.accuracy,
        "test_accuracy": verification_accuracy(logits_B, test_pairs.same_B, chosen.threshold),
        "n_pairs": N_PAIRS,
    }


def ways(split: Split) -> dict[int, Episodes]:
    """Return the random within-alphabet episodes of the test alphabets for each N they allow."""
    limit = int(split.test.count_A.min())
    return {
        n: random_episodes(split.test, n_way=n, n_blocks=N_BLOCKS, seed=EPISODE_SEED)
        for n in WAYS
        if n <= limit
    }


def score_network(net: SiameseNet, split: Split) -> Score:
    """Return every figure of a trained network; the official episodes are evaluated once.

    Args:
        net: on the device of the split's drawings.
        split: all three parts; nothing is chosen on ``test``.
    """
    scores_RQS = episode_logits(net, split.test, split.official)
    dense = VALIDATIONS["dense"](split.val)
    figures = {
        "official": official_figures(scores_RQS, split.test, split.official),
        "random_episodes": {
            str(n): one_shot_accuracy(net, split.test, episodes)
            for n, episodes in ways(split).items()
        },
        "verification": verification_figures(net, split),
        "validation_accuracy": one_shot_accuracy(net, split.val, dense),
    }
    return Score(figures, prediction_table(scores_RQS, split.test, split.official))


def score_baseline(split: Split) -> dict[str, Any]:
    """Return the figures of 1-NN on pixels by cosine on the same episodes."""

    def accuracy(drawings: Drawings, episodes: Episodes) -> float:
        return (
            credit(nearest_neighbour_scores(drawings, episodes), episodes.target_RQ).mean().item()
        )

    official = nearest_neighbour_scores(split.test, split.official)
    return {
        "official": official_figures(official, split.test, split.official),
        "random_episodes": {str(n): accuracy(split.test, e) for n, e in ways(split).items()},
        "validation_accuracy": accuracy(split.val, VALIDATIONS["dense"](split.val)),
    }


def mean_and_sd(values: list[float]) -> tuple[float, float | None]:
    """Return mean and sample standard deviation (None for a single value)."""
    mean = sum(values) / len(values)
    if len(values) < 2:
        return mean, None
    return mean, math.sqrt(sum((v - mean) ** 2 for v in values) / (len(values) - 1))
