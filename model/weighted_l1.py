"""Weighted L1 distances between two sets of embeddings, without a tensor of all differences.

Tensor suffixes: Q queries, S support, E embedding, C some components of E.
"""

from collections.abc import Iterator
from typing import Any

import torch
from torch import Tensor

# Differences held at a time: 2 MiB, a core's cache; a GPU wants few and large kernels instead.
CHUNK, GPU_CHUNK = 2**19, 2**26

MIN_WIDTH = 128  # components in a row, so that the innermost loop is worth its start


def weighted_l1(h1_QE: Tensor, h2_SE: Tensor, weight_E: Tensor) -> Tensor:
    """Return Q×S sums ``Σ_j α_j |h1_qj − h2_sj|``.

    Args:
        h1_QE: float32.
        h2_SE: float32.
        weight_E: α, of any sign.
    """
    if torch.compiler.is_compiling():  # the compiler fuses it by itself
        return (h1_QE.unsqueeze(1) - h2_SE).abs() @ weight_E
    n_rows = max(1, _chunk_size(h1_QE.device) // (MIN_WIDTH * len(h2_SE)))
    return torch.cat([_WeightedL1.apply(q, h2_SE, weight_E) for q in h1_QE.split(n_rows)])


def _chunk_size(device: torch.device) -> int:
    """Return how many differences are held at a time."""
    return CHUNK if device.type == "cpu" else GPU_CHUNK


def _differences(h1_QE: Tensor, h2_SE: Tensor) -> Iterator[tuple[slice, Tensor]]:
    """Yield some components C of E and the Q×S×C differences in them, in one buffer for all."""
    n_rows = len(h1_QE) * len(h2_SE)
    width = min(max(1, _chunk_size(h1_QE.device) // n_rows), h1_QE.shape[1])
    buffer = h1_QE.new_empty(n_rows * width)
    for start in range(0, h1_QE.shape[1], width):
        part = slice(start, start + width)
        q, s = h1_QE[:, None, part], h2_SE[None, :, part]
        d_QSC = buffer[: n_rows * q.shape[-1]].view(len(h1_QE), len(h2_SE), -1)
        yield part, torch.sub(q, s, out=d_QSC)


class _WeightedL1(torch.autograd.Function):
    """``torch.cdist`` with weights of any sign, and a backward pass of its kind."""

    @staticmethod
    def forward(ctx: Any, h1_QE: Tensor, h2_SE: Tensor, weight_E: Tensor) -> Tensor:
        """Add up the components part by part."""
        ctx.save_for_backward(h1_QE, h2_SE, weight_E)
        sums = h1_QE.new_zeros(len(h1_QE) * len(h2_SE))
        for part, d_QSC in _differences(h1_QE, h2_SE):
            sums.addmv_(d_QSC.abs_().flatten(0, 1), weight_E[part])
        return sums.view(len(h1_QE), len(h2_SE))

    @staticmethod
    @torch.autograd.function.once_differentiable
    def backward(ctx: Any, gradient_QS: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """Weigh the signs of the differences by the gradient, summed over S and over Q."""
        h1_QE, h2_SE, weight_E = ctx.saved_tensors
        over_S, over_Q = torch.empty_like(h1_QE), torch.empty_like(h2_SE)
        for part, d_QSC in _differences(h1_QE, h2_SE):
            d_QSC.sign_().mul_(gradient_QS.unsqueeze(-1))
            over_S[:, part], over_Q[:, part] = d_QSC.sum(1), d_QSC.sum(0)
        # |d| = d · sign(d), so the weight's gradient needs no further pass.
        to_weight = (h1_QE * over_S).sum(0) - (h2_SE * over_Q).sum(0)
        return weight_E * over_S, -weight_E * over_Q, to_weight
