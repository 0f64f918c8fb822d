"""Distorts, rotates and mirrors the drawings of a training step.

Tensor suffixes: B images, P pairs, H W pixels. ``T``: distortion parameters, float32 B×7.
"""

import torch
from torch import Tensor

from data.affine import distort, identity_parameters, sample_distortions
from model.config import FitConfig

# The paper adds eight distorted copies to each pair (§3.2), so that 8 of 9 are distorted.
DISTORTED_FRACTION = 8 / 9


def augment_pairs(x: Tensor, fit: FitConfig, *, generator: torch.Generator) -> Tensor:
    """Return the drawings of P pairs, changed as ``fit`` says.

    A pair is distorted with probability 8/9, each of its drawings independently. Both drawings of a
    pair, which are of one alphabet, are rotated and mirrored in the same way.

    Args:
        x: float B×1×H×W, or B×3×H×W for colour images, B = 2P; the left drawings, then the right.
        fit: configuration of the fit.
        generator: random state on the device of ``x``.

    Source: Koch 2015 §3.2, §4.1. Deviation D12: instead of a list of nine copies of each pair, a
    pair stays undistorted with probability 1/9 each time it is used.
    """
    n_pairs, T = len(x) // 2, identity_parameters(x.device).repeat(len(x), 1)
    if not fit.distort.is_identity:
        distorted = sample_distortions(len(x), fit.distort, generator=generator)
        random_P = torch.rand(n_pairs, generator=generator, device=x.device)
        is_distorted = (random_P < DISTORTED_FRACTION).repeat(2).unsqueeze(1)
        T = torch.where(is_distorted, distorted, T)
    pair_B = torch.arange(n_pairs, device=x.device).repeat(2)
    return _distort_and_turn(x, T, pair_B, n_pairs, fit, generator=generator)


def augment_groups(
    x: Tensor, group_B: Tensor, n_groups: int, fit: FitConfig, *, generator: torch.Generator
) -> Tensor:
    """Return drawings, changed as ``fit`` says.

    Each drawing is distorted independently. The drawings of a group, for example of an alphabet,
    are rotated and mirrored in the same way.

    Args:
        x: float B×1×H×W, or B×3×H×W for colour images.
        group_B: int64, group of each drawing, below ``n_groups``.
        n_groups: number of groups.
        fit: configuration of the fit.
        generator: random state on the device of ``x``.
    """
    T = identity_parameters(x.device).repeat(len(x), 1)
    if not fit.distort.is_identity:
        T = sample_distortions(len(x), fit.distort, generator=generator)
    return _distort_and_turn(x, T, group_B, n_groups, fit, generator=generator)


def _distort_and_turn(
    x: Tensor,
    T: Tensor,
    group_B: Tensor,
    n_groups: int,
    fit: FitConfig,
    *,
    generator: torch.Generator,
) -> Tensor:
    """Return drawings distorted by ``T``, each group rotated and mirrored as ``fit`` says.

    ``T`` is changed in place.
    """
    if fit.distort.is_identity and not (fit.turns or fit.mirrors):
        return x

    def one_per_group(n: int) -> Tensor:
        return torch.randint(n, (n_groups,), generator=generator, device=x.device)[group_B]

    if fit.turns:
        T[:, 0] += 90.0 * one_per_group(4)
    if fit.mirrors:
        T[:, 3] *= 1 - 2 * one_per_group(2)  # a negative width mirrors the drawing
    return distort(x, T)
