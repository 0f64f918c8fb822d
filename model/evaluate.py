"""One-shot and verification accuracy from embeddings that are computed once.

Tensor suffixes: N drawings, M positions of drawings, B pairs, R blocks, Q queries, S support,
W candidates (= ``n_way``), E embedding, P pixels.
"""

import math
from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import Tensor

from data.affine import distort, sample_distortions
from data.drawings import Drawings
from data.episodes import Episodes
from data.pairs import Pairs
from model.losses import to_input
from model.siamese import SiameseNet

EMBED_BATCH = 256  # drawings per batch
COMPARE_BLOCKS = 16  # blocks per batch
COMPARE_PAIRS = 512  # pairs per batch
N_COPIES, COPIES_SEED = 8, 2015  # distorted copies over which logits are averaged
Z_95 = 1.959964  # 97.5 % quantile of the standard normal distribution


@torch.no_grad()
def embed_drawings(
    net: SiameseNet,
    drawings: Drawings,
    position_M: Tensor,
    *,
    generator: torch.Generator | None = None,
) -> Tensor:
    """Return N×E float32 embeddings; the rows of drawings outside ``position_M`` are zero.

    Args:
        net: network on the device of the drawings.
        drawings: N images of the network's size.
        position_M: int64, positions of the drawings to embed, in any order; duplicates are embedded
            only once.
        generator: random state that distorts each drawing as in the paper, on any device; None for
            undistorted drawings.
    """
    device = drawings.images_NHW.device
    h_NE = torch.zeros(len(drawings), net.head.in_features, device=device)
    for position_B in position_M.to(device).unique().split(EMBED_BATCH):
        x = to_input(drawings.images_NHW[position_B])
        if generator is not None:
            x = distort(x, sample_distortions(len(x), generator=generator).to(device))
        h_NE[position_B] = net.embed(x)
    return h_NE


@torch.no_grad()
def episode_logits(net: SiameseNet, drawings: Drawings, episodes: Episodes) -> Tensor:
    """Return float32 R×Q×W logits of every query with every candidate of its block."""
    h_NE = embed_drawings(net, drawings, _positions(episodes))
    return logits_from_embeddings(net, h_NE, episodes)


@torch.no_grad()
def averaged_logits(
    net: SiameseNet, drawings: Drawings, episodes: Episodes, *, n_copies: int = N_COPIES
) -> Tensor:
    """Return float32 R×Q×W logits, averaged over each drawing and ``n_copies`` distorted copies.

    The copies have the distortions of the paper, whatever the network was trained with. They are
    the same in every call.
    """
    position_M = _positions(episodes)
    generator = torch.Generator().manual_seed(COPIES_SEED)  # the same on every device
    logits_RQW = episode_logits(net, drawings, episodes)
    for _ in range(n_copies):
        h_NE = embed_drawings(net, drawings, position_M, generator=generator)
        logits_RQW += logits_from_embeddings(net, h_NE, episodes)
    return logits_RQW / (1 + n_copies)


@torch.no_grad()
def logits_from_embeddings(net: SiameseNet, h_NE: Tensor, episodes: Episodes) -> Tensor:
    """Return float32 R×Q×W logits of every query with every candidate of its block.

    Args:
        net: network that compares the embeddings.
        h_NE: float32 embeddings of the drawings to which the episodes refer.
        episodes: positions of queries and support drawings.
    """
    query_RQ, support_RS = (t.to(h_NE.device) for t in (episodes.query_RQ, episodes.support_RS))
    batches = zip(query_RQ.split(COMPARE_BLOCKS), support_RS.split(COMPARE_BLOCKS), strict=True)
    logits = torch.cat([net.compare(h_NE[query], h_NE[support]) for query, support in batches])
    return candidate_scores(logits, episodes.n_shot)


def candidate_scores(scores_RQS: Tensor, n_shot: int) -> Tensor:
    """Return the R×Q×W scores of the candidates: the means over their support drawings.

    Args:
        scores_RQS: float, scores of queries and support drawings.
        n_shot: number of support drawings per candidate; they are adjacent.
    """
    return scores_RQS if n_shot == 1 else scores_RQS.unflatten(-1, (-1, n_shot)).mean(-1)


def correctness(scores_RQW: Tensor, target_RQ: Tensor) -> Tensor:
    """Return R×Q float64: 1/k if the target and k − 1 others have the highest score, otherwise 0.

    Deviation D4: the paper does not mention ties. If the credit for ties is shared, a constant
    network has an accuracy of exactly 1/n_way, independent of the position of the correct answer.
    If a score of a query is NaN, the query counts as incorrect.

    Args:
        scores_RQW: float, scores of queries and candidates; higher is more likely.
        target_RQ: int64, index in W of the correct answer.
    """
    highest_RQ1 = scores_RQW.amax(-1, keepdim=True)
    is_highest_RQW = scores_RQW == highest_RQ1
    target_RQ1 = target_RQ.to(scores_RQW.device).unsqueeze(-1)
    is_correct_RQ = is_highest_RQW.gather(-1, target_RQ1).squeeze(-1)
    return is_correct_RQ.double() / is_highest_RQW.sum(-1).clamp(min=1)


def one_shot_accuracy(net: SiameseNet, drawings: Drawings, episodes: Episodes) -> float:
    """Return the fraction of episodes that the network answers correctly, in [0, 1].

    Source: Koch 2015 §4.2, ``C* = argmax_c p(c)``. Logits have the same order as p, but do
    not become equal where p saturates.
    """
    logits_RQW = episode_logits(net, drawings, episodes)
    return correctness(logits_RQW, episodes.target_RQ).mean().item()


def nearest_neighbour_scores(drawings: Drawings, episodes: Episodes) -> Tensor:
    """Return float32 R×Q×W cosine similarities of the pixels: the 1-NN baseline.

    Source: Koch 2015 Table 2 reports 21.7 % for it on the official episodes.
    """
    x_NP = F.normalize(drawings.images_NHW.flatten(1).float(), dim=1)
    query_RQ, support_RS = (t.to(x_NP.device) for t in (episodes.query_RQ, episodes.support_RS))
    batches = zip(query_RQ.split(COMPARE_BLOCKS), support_RS.split(COMPARE_BLOCKS), strict=True)
    scores = torch.cat([x_NP[query] @ x_NP[support].mT for query, support in batches])
    return candidate_scores(scores, episodes.n_shot)


def pixel_distance_scores(drawings: Drawings, episodes: Episodes) -> Tensor:
    """Return float32 R×Q×W negative Euclidean distances of pixels: the usual form of 1-NN."""
    x_NP = drawings.images_NHW.flatten(1).float()
    query_RQ, support_RS = (t.to(x_NP.device) for t in (episodes.query_RQ, episodes.support_RS))
    blocks = zip(query_RQ, support_RS, strict=True)
    scores = torch.stack([-torch.cdist(x_NP[query], x_NP[support]) for query, support in blocks])
    return candidate_scores(scores, episodes.n_shot)


def wilson_interval(fraction: float, n: int) -> tuple[float, float]:
    """Return the 95 % Wilson interval of a fraction.

    Args:
        fraction: observed fraction in [0, 1].
        n: number of observations.
    """
    z = Z_95
    centre = (fraction + z * z / (2 * n)) / (1 + z * z / n)
    half = z / (1 + z * z / n) * math.sqrt(fraction * (1 - fraction) / n + z * z / (4 * n * n))
    return max(0.0, centre - half), min(1.0, centre + half)


@torch.no_grad()
def pair_logits(net: SiameseNet, drawings: Drawings, pairs: Pairs) -> Tensor:
    """Return the B float32 logits of B pairs; each drawing is embedded once."""
    h_NE = embed_drawings(net, drawings, torch.cat([pairs.left_B, pairs.right_B]))
    batches = zip(
        pairs.left_B.split(COMPARE_PAIRS), pairs.right_B.split(COMPARE_PAIRS), strict=True
    )
    return torch.cat([net.compare(h_NE[left], h_NE[right]) for left, right in batches])


@dataclass(frozen=True)
class Verification:
    """A threshold and its accuracy.

    Args:
        threshold: a pair is classified as same if its logit is at least this.
        accuracy: fraction of pairs that are classified correctly, in [0, 1].
    """

    threshold: float
    accuracy: float


def best_threshold(logits_B: Tensor, same_B: Tensor) -> Verification:
    """Return the threshold with the highest accuracy on pairs.

    Args:
        logits_B: float, logits of the pairs.
        same_B: bool, whether a pair is the same character.
    """
    order = logits_B.argsort(descending=True)
    sorted_logits, same = logits_B[order], same_B[order].long()
    # n_correct[k]: correct pairs if the first k + 1 pairs are classified as "same": the same pairs
    # among them plus the different pairs after them.
    n_correct = same.cumsum(0) + (1 - same).sum() - (1 - same).cumsum(0)
    ends_tie = torch.cat(
        [sorted_logits[1:] != sorted_logits[:-1], sorted_logits.new_ones(1, dtype=torch.bool)]
    )
    k = int(torch.where(ends_tie, n_correct, -1).argmax())
    return Verification(sorted_logits[k].item(), n_correct[k].item() / len(sorted_logits))


def verification_accuracy(logits_B: Tensor, same_B: Tensor, threshold: float) -> float:
    """Return the fraction of pairs that a threshold classifies correctly, in [0, 1].

    Args:
        logits_B: float, logits of the pairs.
        same_B: bool, whether a pair is the same character.
        threshold: a pair is classified as same if its logit is at least this.
    """
    return ((logits_B >= threshold) == same_B).double().mean().item()


def _positions(episodes: Episodes) -> Tensor:
    """Return the positions (int64, M) of all drawings of episodes; some occur several times."""
    return torch.cat([episodes.query_RQ.flatten(), episodes.support_RS.flatten()])
