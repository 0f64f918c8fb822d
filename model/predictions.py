"""Predictions on the official test episodes: one row per episode, and the accuracies of the rows.

Tensor suffixes: R blocks, Q queries, W candidates.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import pandas as pd
import torch
from torch import Tensor

from data.drawings import Drawings
from data.episodes import Episodes
from data.splits import Split
from model.evaluate import correctness, wilson_interval

Scorer = Callable[[Drawings, Episodes], Tensor]  # returns R×Q×W scores; higher is more likely


@dataclass(frozen=True)
class OfficialAccuracy:
    """Accuracies in [0, 1] on the official episodes.

    Args:
        accuracy: on all episodes.
        interval: 95 % interval of ``accuracy`` for other drawings, given the network.
        n_episodes: number of episodes.
        per_lake_run: by run, ``"run01"`` to ``"run20"`` on Omniglot.
        per_alphabet: by alphabet.
    """

    accuracy: float
    interval: tuple[float, float]
    n_episodes: int
    per_lake_run: dict[str, float]
    per_alphabet: dict[str, float]


def official_predictions(scorer: Scorer, split: Split) -> pd.DataFrame:
    """Return the answers of a scorer to the official episodes of a split."""
    return prediction_table(scorer(split.test, split.official), split.test, split.official)


def official_accuracy(predictions: pd.DataFrame) -> OfficialAccuracy:
    """Return the accuracies of a table of :func:`prediction_table`."""
    accuracy = float(predictions["credit"].mean())
    runs = predictions["lake_run"].map("run{:02}".format)
    return OfficialAccuracy(
        accuracy=accuracy,
        interval=wilson_interval(accuracy, len(predictions)),
        n_episodes=len(predictions),
        per_lake_run=predictions.groupby(runs)["credit"].mean().to_dict(),
        per_alphabet=predictions.groupby("alphabet")["credit"].mean().to_dict(),
    )


def prediction_table(scores_RQW: Tensor, test: Drawings, official: Episodes) -> pd.DataFrame:
    """Return one row per official episode: the episode, the answer, and two logits.

    ``logit_right`` is the logit of the correct candidate, ``logit_answer`` the logit of the answer.
    Characters are numbered over all test alphabets from 0, drawers from 1 as in the archives.
    In an image folder, the drawer of an image is its number within the class, so the candidates of
    one episode may differ in it: ``support_drawer`` is that of the right candidate's first support
    drawing, ``answer_drawer`` that of the answer's. ``credit`` is 1 for a correct answer, and 1/k
    if k candidates tie for the highest score.
    """
    scores, target = scores_RQW.cpu(), official.target_RQ
    answer_RQ = scores.argmax(-1)
    right = official.first_support(target).flatten()
    answer = official.first_support(answer_RQ).flatten()
    n_runs, n_queries = target.shape
    character, drawer = test.character_N.cpu(), test.drawer_N.cpu()
    query = official.query_RQ.flatten()
    columns: dict[str, Any] = {
        "lake_run": torch.arange(1, n_runs + 1).repeat_interleave(n_queries),
        "item": torch.arange(1, n_queries + 1).repeat(n_runs),
        "query_drawer": drawer[query] + 1,
        "support_drawer": drawer[right] + 1,
        "answer_drawer": drawer[answer] + 1,
        "character": character[query],
        "answer": character[answer],
        "credit": correctness(scores, target).flatten(),
        "logit_right": scores.gather(-1, target.unsqueeze(-1)).flatten(),
        "logit_answer": scores.gather(-1, answer_RQ.unsqueeze(-1)).flatten(),
    }
    table = pd.DataFrame({name: column.numpy() for name, column in columns.items()})
    alphabets = [test.alphabets[a] for a in test.alphabet_N.cpu()[query].tolist()]
    table.insert(2, "alphabet", alphabets)
    return table
