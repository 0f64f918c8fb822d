"""The modified Hausdorff distance between drawings: Lake's baseline without learning.

Tensor suffixes: R blocks, Q queries, S support, P points of ink.

Source: Dubuisson and Jain 1994; Lake et al. 2015, whose demonstration errs on 38.8 % of the
official episodes.
"""

import torch
from torch import Tensor

from data.drawings import Drawings
from data.episodes import Episodes

INK_THRESHOLD = 128  # of 255


def ink_points(image_HW: Tensor) -> Tensor:
    """Return P×2 positions of the ink in pixels, from its own centre; uint8 in, float32 out."""
    points_P2 = (image_HW >= INK_THRESHOLD).nonzero().float()
    return points_P2 - points_P2.mean(0)


def modified_hausdorff(query_P2: Tensor, supports: list[Tensor]) -> Tensor:
    """Return S distances in pixels from a query to each of S drawings.

    Each is the larger of two means: of the query's points to the nearest of the other's, and the
    other way round.
    """
    sizes = [len(points_P2) for points_P2 in supports]
    exact = "donot_use_mm_for_euclid_dist"
    distances = torch.cdist(query_P2, torch.cat(supports), compute_mode=exact).split(sizes, dim=1)
    each = [torch.maximum(d.amin(1).mean(), d.amin(0).mean()) for d in distances]
    return torch.stack(each)


def hausdorff_scores(drawings: Drawings, episodes: Episodes) -> Tensor:
    """Return R×Q×S negative distances, so that higher is likelier."""
    blocks = []
    for query, support in zip(episodes.query_RQ, episodes.support_RS, strict=True):
        supports = [ink_points(drawings.images_NHW[s]) for s in support]
        queries = [ink_points(drawings.images_NHW[q]) for q in query]
        blocks.append(torch.stack([-modified_hausdorff(q, supports) for q in queries]))
    return torch.stack(blocks)
