"""Every test figure of one trained network, and of the 1-NN baseline beside it.

Tensor suffixes: R blocks, Q queries, S support.
"""

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from typing import Any

import pandas as pd
import torch
from torch import Tensor

from data.drawings import Drawings
from data.episodes import Episodes, dense_validation
from data.pairs import Pairs, draw_pairs
from data.splits import TEST_DRAWERS, Split, select_drawers
from model.evaluate import (
    averaged_logits,
    best_threshold,
    correctness,
    episode_logits,
    nearest_neighbour_scores,
    pair_logits,
    verification_accuracy,
    wilson_interval,
)
from model.n_way import EPISODE_SEED, n_way_accuracies, n_way_episodes, roc_curve
from model.siamese import DenseNet, SiameseNet

REPORTED_WAYS = (2, 5, 10, 15, 20)

N_PAIRS = 10_000  # §4.1: verification pairs for validation, and for the test

Scorer = Callable[[Drawings, Episodes], Tensor]  # → R×Q×S, higher is likelier


@dataclass(frozen=True)
class TestMetrics:
    """One network's figures.

    Args:
        figures: JSON values; accuracies are shares in [0, 1].
        predictions: one row per official episode.
        confusions: of :func:`model.n_way.n_way_accuracies`, without the training alphabets.
        filters_NHW: the first layer's weights, if it is convolutional.
    """

    figures: dict[str, Any]
    predictions: pd.DataFrame
    confusions: pd.DataFrame
    filters_NHW: Tensor | None


def prediction_table(scores_RQS: Tensor, test: Drawings, official: Episodes) -> pd.DataFrame:
    """Return one row per official episode: what was asked, what was answered, how surely.

    Characters are numbered over the test alphabets from 0; drawers from 1, as in the archives.
    """
    scores, target = scores_RQS.cpu(), official.target_RQ
    answer_RQ = scores.argmax(-1)
    n_runs, n_queries = target.shape
    character, drawer = test.character_N.cpu(), test.drawer_N.cpu()
    query = official.query_RQ.flatten()
    support_drawer = drawer[official.support_RS[:, 0]].repeat_interleave(n_queries)
    columns: dict[str, Any] = {
        "lake_run": torch.arange(1, n_runs + 1).repeat_interleave(n_queries),
        "item": torch.arange(1, n_queries + 1).repeat(n_runs),
        "query_drawer": drawer[query] + 1,
        "support_drawer": support_drawer + 1,
        "character": character[query],
        "answer": character[official.support_RS].gather(-1, answer_RQ).flatten(),
        "credit": correctness(scores, target).flatten(),
        "logit_right": scores.gather(-1, target.unsqueeze(-1)).flatten(),
        "logit_answer": scores.gather(-1, answer_RQ.unsqueeze(-1)).flatten(),
    }
    table = pd.DataFrame({name: column.numpy() for name, column in columns.items()})
    alphabets = [test.alphabets[a] for a in test.alphabet_N.cpu()[query].tolist()]
    table.insert(2, "alphabet", alphabets)
    return table


def official_metrics(table: pd.DataFrame) -> dict[str, Any]:
    """Return accuracy on the official episodes: in all, per run and per alphabet."""
    accuracy = float(table["credit"].mean())
    per_run = table.groupby(table["lake_run"].map("run{:02}".format))["credit"].mean()
    return {
        "accuracy": accuracy,
        "interval": wilson_interval(accuracy, len(table)),
        "n_episodes": len(table),
        "per_lake_run": per_run.to_dict(),
        "per_alphabet": table.groupby("alphabet")["credit"].mean().to_dict(),
    }


def scorer_accuracy(scorer: Scorer, drawings: Drawings, episodes: Episodes) -> float:
    """Return the share of episodes answered rightly."""
    return correctness(scorer(drawings, episodes), episodes.target_RQ).mean().item()


def official_predictions(scorer: Scorer, split: Split) -> pd.DataFrame:
    """Return the answers to the official episodes, each asked once, at the drawings' size."""
    return prediction_table(scorer(split.test, split.official), split.test, split.official)


def n_way_metrics(
    net: SiameseNet, parts: dict[str, Drawings]
) -> tuple[dict[str, Any], pd.DataFrame]:
    """Return N-way accuracies on random episodes, in all (test) and by alphabet, and confusions.

    Args:
        net: on the drawings' device.
        parts: ``"test"``, and ``"val"`` where it was not trained on.
    """
    found = {part: n_way_accuracies(net, drawings) for part, drawings in parts.items()}
    by_alphabet = {
        part: {
            alphabet: {str(n): a for n, a in zip(rows["n_way"], rows["accuracy"], strict=True)}
            for alphabet, rows in frame.groupby("alphabet", sort=False)
        }
        for part, (frame, _) in found.items()
    }
    mean = found["test"][0].groupby("n_way")["accuracy"].mean()
    figures = {
        "random_episodes": {str(n): float(share) for n, share in mean.items()},
        "by_alphabet": by_alphabet,
    }
    return figures, pd.concat([confused for _, confused in found.values()], ignore_index=True)


def verification_pairs(drawings: Drawings) -> Pairs:
    """Return 10,000 fixed pairs, half of them same.

    Source: Koch 2015 §4.1.
    """
    generator = torch.Generator(drawings.images_NHW.device).manual_seed(EPISODE_SEED)
    return draw_pairs(drawings, N_PAIRS, generator=generator)


def verification_metrics(net: SiameseNet, split: Split) -> dict[str, Any]:
    """Return the threshold chosen on validation pairs, its accuracy, and the test's ROC curve."""
    val, test = split.val, select_drawers(split.test, TEST_DRAWERS)
    val_pairs, test_pairs = verification_pairs(val), verification_pairs(test)
    chosen = best_threshold(pair_logits(net, val, val_pairs), val_pairs.same_B)
    logits_B = pair_logits(net, test, test_pairs)
    return {
        "threshold": chosen.threshold,
        "validation_accuracy": chosen.accuracy,
        "test_accuracy": verification_accuracy(logits_B, test_pairs.same_B, chosen.threshold),
        "n_pairs": N_PAIRS,
        "chosen": {
            "false": (logits_B >= chosen.threshold)[~test_pairs.same_B].double().mean().item(),
            "true": (logits_B >= chosen.threshold)[test_pairs.same_B].double().mean().item(),
        },
        "roc": roc_curve(logits_B, test_pairs.same_B),
    }


def evaluate_network(net: SiameseNet, split: Split, *, val_is_held_out: bool = True) -> TestMetrics:
    """Return every figure of a trained network.

    Args:
        net: on the device of the split's drawings.
        split: nothing is chosen on its ``test``.
        val_is_held_out: False for a network that was trained on the validation alphabets; then
            what they would say (validation accuracy, verification threshold) is None.
    """
    alone, averaged = partial(episode_logits, net), partial(averaged_logits, net)
    predictions = official_predictions(alone, split)
    parts = {"test": split.test} | ({"val": split.val} if val_is_held_out else {})
    surveyed, confusions = n_way_metrics(net, parts)
    official = scorer_accuracy(averaged, split.test, split.official)
    figures: dict[str, Any] = {
        "official": official_metrics(predictions),
        "validation_accuracy": None,
        **surveyed,
        "verification": None,
        "averaged": {"validation_accuracy": None, "official": official},
    }
    if val_is_held_out:
        dense = dense_validation(split.val)
        figures["validation_accuracy"] = scorer_accuracy(alone, split.val, dense)
        figures["averaged"]["validation_accuracy"] = scorer_accuracy(averaged, split.val, dense)
        figures["verification"] = verification_metrics(net, split)
    return TestMetrics(figures, predictions, confusions, first_filters(net))


def first_filters(net: SiameseNet) -> Tensor | None:
    """Return the first layer's N×H×W weights, the mean over colours; None of a network without."""
    if isinstance(net, DenseNet):
        return None
    return net.conv1.weight.mean(1).detach().cpu()


def evaluate_baseline(split: Split) -> dict[str, Any]:
    """Return the figures of 1-NN on pixels, by cosine, on the same episodes."""
    predictions = official_predictions(nearest_neighbour_scores, split)
    validation = scorer_accuracy(nearest_neighbour_scores, split.val, dense_validation(split.val))
    test, limit = split.test, int(split.test.count_A.min())
    ways = {
        str(n): scorer_accuracy(nearest_neighbour_scores, test, n_way_episodes(test, n))
        for n in REPORTED_WAYS
        if n <= limit
    }
    return {
        "official": official_metrics(predictions),
        "validation_accuracy": validation,
        "random_episodes": ways,
    }
