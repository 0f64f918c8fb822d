"""N-way accuracy of a network by alphabet, and what it takes for what.

More than a headline needs, for those who want to know where a network is good. Tensor suffixes: N
drawings, R blocks, Q queries, S support.
"""

from typing import Any

import pandas as pd
import torch
from torch import Tensor

from data.drawings import Drawings
from data.episodes import Episodes, random_episodes
from model.evaluate import correctness, embed_drawings, logits_between
from model.siamese import SiameseNet

N_WAYS = range(2, 21)

N_WAY_CONFUSED = 20

N_BLOCKS = 40  # random blocks per alphabet and N

EPISODE_SEED = 2015  # fixes the episodes, whatever the fit's seed


def n_way_episodes(drawings: Drawings, n_way: int) -> Episodes:
    """Return the random within-alphabet episodes of one N."""
    return random_episodes(drawings, n_way=n_way, n_blocks=N_BLOCKS, seed=EPISODE_SEED)


@torch.no_grad()
def n_way_accuracies(net: SiameseNet, drawings: Drawings) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Return accuracies and confusions on random within-alphabet episodes.

    Args:
        net: on the drawings' device.
        drawings: of the alphabets in question.

    Returns:
        ``alphabet``, ``n_way``, ``accuracy``; and from the widest episodes ``alphabet``,
        ``character``, ``answer`` (numbered within the alphabet from 0) and ``count``. An N is left
        out if an alphabet has fewer characters.
    """
    h_NE = embed_drawings(net, drawings, torch.arange(len(drawings)))
    limit = int(drawings.count_A.min())
    rows: list[dict[str, Any]] = []
    confusions = pd.DataFrame(columns=["alphabet", "character", "answer", "count"])
    for n_way in (n for n in N_WAYS if n <= limit):
        episodes = n_way_episodes(drawings, n_way)
        logits_RQS = logits_between(net, h_NE, episodes).cpu()
        right_RQ = correctness(logits_RQS, episodes.target_RQ)
        by_alphabet = right_RQ.view(len(drawings.alphabets), -1).mean(1).tolist()
        for alphabet, accuracy in zip(drawings.alphabets, by_alphabet, strict=True):
            rows.append({"alphabet": alphabet, "n_way": n_way, "accuracy": accuracy})
        if n_way == min(N_WAY_CONFUSED, limit):
            answers = episodes.support_RS.gather(1, logits_RQS.argmax(-1))
            confusions = _confusions(drawings, episodes.query_RQ, answers)
    return pd.DataFrame(rows, columns=["alphabet", "n_way", "accuracy"]), confusions


def _confusions(drawings: Drawings, query_RQ: Tensor, answer_RQ: Tensor) -> pd.DataFrame:
    """Return how often each character was taken for each."""
    character_N, alphabet_N = drawings.character_N.cpu(), drawings.alphabet_N.cpu()
    first_A = drawings.first_A.cpu()
    query, answer = query_RQ.flatten(), answer_RQ.flatten()
    alphabet = alphabet_N[query]
    frame = pd.DataFrame(
        {
            "alphabet": [drawings.alphabets[a] for a in alphabet.tolist()],
            "character": (character_N[query] - first_A[alphabet]).numpy(),
            "answer": (character_N[answer] - first_A[alphabet]).numpy(),
        }
    )
    return frame.value_counts(sort=False).reset_index(name="count")


def roc_curve(logits_B: Tensor, same_B: Tensor, n_points: int = 200) -> dict[str, list[float]]:
    """Return ``false`` and ``true`` positive rates of verification, thinned to some points.

    A point for each threshold: pairs of equal logits are on one side of it.

    Args:
        logits_B: higher is likelier the same character.
        same_B: whether it is.
        n_points: at most.
    """
    order = logits_B.argsort(descending=True)
    logits, same = logits_B[order].cpu(), same_B[order].double().cpu()
    true, false = same.cumsum(0) / same.sum(), (1 - same).cumsum(0) / (1 - same).sum()
    last = torch.cat([logits[1:] != logits[:-1], torch.ones(1, dtype=torch.bool)]).nonzero()[:, 0]
    at = last[torch.linspace(0, len(last) - 1, n_points).round().long().unique()]
    zero = torch.zeros(1, dtype=torch.float64)
    return {
        "false": torch.cat([zero, false[at]]).tolist(),
        "true": torch.cat([zero, true[at]]).tolist(),
    }
