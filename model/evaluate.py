"""One-shot and verification accuracy from embeddings that are computed once.

Tensor suffixes: N drawings, B pairs, R blocks, Q queries, S support, E embedding.
"""

import math
from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import Tensor

from data.affine import distort, draw_distortions
from data.drawings import Drawings
from data.episodes import Episodes
from data.pairs import Pairs
from model.losses import to_input
from model.siamese import SiameseNet

EMBED_BATCH = 256

COMPARE_BLOCKS = 16

COMPARE_PAIRS = 512

N_COPIES, COPIES_SEED = 8, 2015


@torch.no_grad()
def embed_drawings(
    net: SiameseNet,
    drawings: Drawings,
    used_M: Tensor,
    *,
    generator: torch.Generator | None = None,
) -> Tensor:
    """Return N×E float32 embeddings; rows not in ``used_M`` are zero and cost nothing.

    Args:
        net: on the drawings' device.
        drawings: N images of the network's size.
        used_M: positions of the drawings that are wanted, in any order, repeats allowed.
        generator: distorts each drawing, on the drawings' device; None for the drawings themselves.
    """
    device = drawings.images_NHW.device
    h_NE = torch.zeros(len(drawings), net.config.units, device=device)
    for at in used_M.to(device).unique().split(EMBED_BATCH):
        x = to_input(drawings.images_NHW[at])
        if generator is not None:
            x = distort(x, draw_distortions(len(x), generator=generator))
        h_NE[at] = net.embed(x)
    return h_NE


@torch.no_grad()
def episode_logits(net: SiameseNet, drawings: Drawings, episodes: Episodes) -> Tensor:
    """Return R×Q×S logits of every query with every support drawing of its block."""
    used = torch.cat([episodes.query_RQ.flatten(), episodes.support_RS.flatten()])
    return logits_between(net, embed_drawings(net, drawings, used), episodes)


@torch.no_grad()
def averaged_logits(
    net: SiameseNet, drawings: Drawings, episodes: Episodes, *, n_copies: int = N_COPIES
) -> Tensor:
    """Return R×Q×S logits, the mean over the drawings and ``n_copies`` distorted copies of each.

    The distortions are those of training, drawn from a seed of their own.
    """
    used = torch.cat([episodes.query_RQ.flatten(), episodes.support_RS.flatten()])
    generator = torch.Generator(drawings.images_NHW.device).manual_seed(COPIES_SEED)
    logits = episode_logits(net, drawings, episodes)
    for _ in range(n_copies):
        h_NE = embed_drawings(net, drawings, used, generator=generator)
        logits += logits_between(net, h_NE, episodes)
    return logits / (1 + n_copies)


@torch.no_grad()
def logits_between(net: SiameseNet, h_NE: Tensor, episodes: Episodes) -> Tensor:
    """Return R×Q×S logits from embeddings: rows of ``h_NE`` are the drawings of the episodes."""
    query, support = (t.to(h_NE.device) for t in (episodes.query_RQ, episodes.support_RS))
    blocks = zip(query.split(COMPARE_BLOCKS), support.split(COMPARE_BLOCKS), strict=True)
    return torch.cat([net.compare(h_NE[q], h_NE[s]) for q, s in blocks])


def correctness(scores_RQS: Tensor, target_RQ: Tensor) -> Tensor:
    """Return for each episode 1 if the target alone scores highest, 1/k in a tie of k, else 0.

    Deviation D4: the paper does not mention ties. Sharing them gives a network that answers the
    same to everything exactly 1/n_way, wherever the right answer lies. A score that is not a
    number is never right.
    """
    top = scores_RQS.amax(-1, keepdim=True)
    winners = scores_RQS == top
    hit = winners.gather(-1, target_RQ.to(scores_RQS.device).unsqueeze(-1)).squeeze(-1)
    return hit.double() / winners.sum(-1).clamp(min=1)


def one_shot_accuracy(net: SiameseNet, drawings: Drawings, episodes: Episodes) -> float:
    """Return the share of episodes answered rightly, in [0, 1], ties shared.

    Source: Koch 2015 §4.2, ``C* = argmax_c p(c)``; logits rank like p and do not saturate.
    """
    logits = episode_logits(net, drawings, episodes)
    return correctness(logits, episodes.target_RQ).mean().item()


def nearest_neighbour_scores(drawings: Drawings, episodes: Episodes) -> Tensor:
    """Return R×Q×S cosines of the raw pixels: the 1-NN baseline.

    Source: Koch 2015 Table 2 has 21.7 % for it on the official episodes.
    """
    x_NP = F.normalize(drawings.images_NHW.flatten(1).float(), dim=1)
    query, support = (t.to(x_NP.device) for t in (episodes.query_RQ, episodes.support_RS))
    blocks = zip(query.split(COMPARE_BLOCKS), support.split(COMPARE_BLOCKS), strict=True)
    return torch.cat([x_NP[q] @ x_NP[s].mT for q, s in blocks])


def pixel_distance_scores(drawings: Drawings, episodes: Episodes) -> Tensor:
    """Return R×Q×S negative Euclidean distances of the raw pixels: 1-NN as it is usually meant."""
    x_NP = drawings.images_NHW.flatten(1).float()
    query, support = (t.to(x_NP.device) for t in (episodes.query_RQ, episodes.support_RS))
    return torch.stack(
        [-torch.cdist(x_NP[q], x_NP[s]) for q, s in zip(query, support, strict=True)]
    )


def wilson_interval(share: float, n: int) -> tuple[float, float]:
    """Return the 95 % Wilson interval of a share observed in ``n`` draws."""
    z = 1.959964  # 97.5 % of a standard normal lie below
    centre = (share + z * z / (2 * n)) / (1 + z * z / n)
    half = z / (1 + z * z / n) * math.sqrt(share * (1 - share) / n + z * z / (4 * n * n))
    return max(0.0, centre - half), min(1.0, centre + half)


@torch.no_grad()
def pair_logits(net: SiameseNet, drawings: Drawings, pairs: Pairs) -> Tensor:
    """Return the B logits of B pairs, each drawing embedded once."""
    h_NE = embed_drawings(net, drawings, torch.cat([pairs.left_B, pairs.right_B]))
    chunks = zip(pairs.left_B.split(COMPARE_PAIRS), pairs.right_B.split(COMPARE_PAIRS), strict=True)
    return torch.cat([net.compare(h_NE[i], h_NE[j]) for i, j in chunks])


@dataclass(frozen=True)
class Verification:
    """Accuracy of "same if the logit reaches the threshold", in [0, 1]."""

    threshold: float
    accuracy: float


def best_threshold(logits_B: Tensor, same_B: Tensor) -> Verification:
    """Return the logit from which on calling a pair same is right most often."""
    order = logits_B.argsort(descending=True)
    ranked, same = logits_B[order], same_B[order].long()
    # Calling the first k + 1 same: rightly same so far, plus the different ones that remain.
    right = same.cumsum(0) + (1 - same).sum() - (1 - same).cumsum(0)
    ends_tie = torch.cat([ranked[1:] != ranked[:-1], ranked.new_ones(1, dtype=torch.bool)])
    k = int(torch.where(ends_tie, right, -1).argmax())
    return Verification(ranked[k].item(), right[k].item() / len(ranked))


def verification_accuracy(logits_B: Tensor, same_B: Tensor, threshold: float) -> float:
    """Return the share of pairs that the threshold calls rightly."""
    return ((logits_B >= threshold) == same_B).double().mean().item()
