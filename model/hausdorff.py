"""The modified Hausdorff distance between drawings: Lake's baseline without learning.

Tensor suffixes: R blocks, Q queries, W candidates, S support, P points of ink, H W pixels.

Source: Dubuisson and Jain 1994; Lake et al. 2015, whose demonstration has 38.8 % errors on the
official episodes.
"""

import torch
from torch import Tensor

from data.drawings import Drawings
from data.episodes import Episodes
from model.evaluate import candidate_scores

INK_THRESHOLD = 128  # of 255
EXACT = "donot_use_mm_for_euclid_dist"  # matrix products would round small distances


def hausdorff_scores(drawings: Drawings, episodes: Episodes) -> Tensor:
    """Return float32 R×Q×W negative distances, so that a higher score is more likely."""
    blocks = []
    for query_Q, support_S in zip(episodes.query_RQ, episodes.support_RS, strict=True):
        supports = [ink_points(drawings.images_NHW[position]) for position in support_S]
        queries = [ink_points(drawings.images_NHW[position]) for position in query_Q]
        blocks.append(torch.stack([-modified_hausdorff(query, supports) for query in queries]))
    return candidate_scores(torch.stack(blocks), episodes.n_shot)


def modified_hausdorff(query_P2: Tensor, supports: list[Tensor]) -> Tensor:
    """Return the S float32 distances in pixels between a query and S drawings.

    A distance is the larger of two means: over the points of the query, the distance to the
    nearest point of the drawing, and vice versa.

    Args:
        query_P2: float32, points of the query; see :func:`ink_points`.
        supports: float32 P×2 points of each drawing.
    """
    sizes = [len(points_P2) for points_P2 in supports]
    distances = torch.cdist(query_P2, torch.cat(supports), compute_mode=EXACT).split(sizes, dim=1)
    return torch.stack([torch.maximum(d.amin(1).mean(), d.amin(0).mean()) for d in distances])


def ink_points(image_HW: Tensor) -> Tensor:
    """Return the float32 P×2 positions of the ink of a uint8 image, in pixels from their mean."""
    points_P2 = (image_HW >= INK_THRESHOLD).nonzero().float()
    return points_P2 - points_P2.mean(0)
