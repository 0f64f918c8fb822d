"""N-way accuracy by alphabet, and which characters a network confuses.

Tensor suffixes: N drawings, R blocks, Q queries, W candidates.
"""

from typing import Any

import pandas as pd
import torch
from torch import Tensor

from data.drawings import Drawings
from data.episodes import Episodes, random_episodes
from model.evaluate import correctness, embed_drawings, logits_from_embeddings
from model.siamese import SiameseNet

N_WAYS = range(2, 21)
CONFUSION_N_WAY = 20  # confusions are counted on episodes with this many candidates
N_BLOCKS = 40  # random blocks per alphabet and N
EPISODE_SEED = 2015  # the same episodes for every network

AccuracyByWay = dict[int, float]  # accuracy in [0, 1] by the number of candidates


def n_way_episodes(drawings: Drawings, n_way: int, n_shot: int = 1) -> Episodes:
    """Return random N-way episodes; all candidates of an episode are of one alphabet."""
    return random_episodes(
        drawings, n_way=n_way, n_blocks=N_BLOCKS, seed=EPISODE_SEED, n_shot=n_shot
    )


@torch.no_grad()
def n_way_accuracies(
    net: SiameseNet, drawings: Drawings, n_shot: int = 1
) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Return the accuracies and the confusions of a network on random N-way episodes.

    Args:
        net: network on the device of the drawings.
        drawings: drawings of the alphabets to evaluate.
        n_shot: number of support drawings per candidate.

    Returns:
        Two frames. Accuracies: ``alphabet``, ``n_way`` (2 to 20, but at most the number of
        characters of the smallest alphabet) and ``accuracy`` in [0, 1]. Confusions, on the
        episodes with the largest N: ``alphabet``, ``character`` and ``answer`` (numbers within
        the alphabet, from 0) and ``count``.
    """
    h_NE = embed_drawings(net, drawings, torch.arange(len(drawings)))
    max_n_way = int(drawings.count_A.min())
    rows: list[dict[str, Any]] = []
    confusions = pd.DataFrame(columns=["alphabet", "character", "answer", "count"])
    for n_way in (n for n in N_WAYS if n <= max_n_way):
        episodes = n_way_episodes(drawings, n_way, n_shot)
        logits_RQW = logits_from_embeddings(net, h_NE, episodes).cpu()
        correct_RQ = correctness(logits_RQW, episodes.target_RQ)
        alphabet_R = drawings.alphabet_N.cpu()[episodes.query_RQ[:, 0]]
        for i, alphabet in enumerate(drawings.alphabets):
            accuracy = correct_RQ[alphabet_R == i].mean().item()
            rows.append({"alphabet": alphabet, "n_way": n_way, "accuracy": accuracy})
        if n_way == min(CONFUSION_N_WAY, max_n_way):
            answer_RQ = episodes.first_support(logits_RQW.argmax(-1))
            confusions = _count_confusions(drawings, episodes.query_RQ, answer_RQ)
    return pd.DataFrame(rows, columns=["alphabet", "n_way", "accuracy"]), confusions


def _count_confusions(drawings: Drawings, query_RQ: Tensor, answer_RQ: Tensor) -> pd.DataFrame:
    """Return how often each character was answered for each character."""
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
