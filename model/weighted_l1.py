"""Weighted L1 distances between two sets of embeddings, without a tensor of all differences.

Tensor suffixes: Q queries, S support, E embedding, C some components of E.
"""

from collections.abc import Iterator
from typing import Any

import torch
from torch import Tensor

# Number of differences computed at once. On a CPU they take 2 MiB, which fits a core's cache; a
# GPU needs few and large kernels.
CPU_CHUNK_SIZE, GPU_CHUNK_SIZE = 2**19, 2**26
MIN_WIDTH = 128  # components per chunk, so that the innermost loop is long enough


def weighted_l1(h1_QE: Tensor, h2_SE: Tensor, weight_E: Tensor) -> Tensor:
    """Return the float32 Q×S sums ``Σ_j α_j |h1_qj − h2_sj|``.

    Args:
        h1_QE: float32, embeddings of queries.
        h2_SE: float32, embeddings of support drawings.
        weight_E: float32, weights α of any sign.
    """
    if torch.compiler.is_compiling():  # the compiler fuses these operations
        return (h1_QE.unsqueeze(1) - h2_SE).abs() @ weight_E
    n_rows = max(1, _chunk_size(h1_QE.device) // (MIN_WIDTH * len(h2_SE)))
    return torch.cat([_WeightedL1.apply(rows, h2_SE, weight_E) for rows in h1_QE.split(n_rows)])


def _chunk_size(device: torch.device) -> int:
    return CPU_CHUNK_SIZE if device.type == "cpu" else GPU_CHUNK_SIZE


def _differences(h1_QE: Tensor, h2_SE: Tensor) -> Iterator[tuple[slice, Tensor]]:
    """Yield slices of C components of E, and their Q×S×C differences in a shared buffer."""
    n_pairs = len(h1_QE) * len(h2_SE)
    width = min(max(1, _chunk_size(h1_QE.device) // n_pairs), h1_QE.shape[1])
    buffer = h1_QE.new_empty(n_pairs * width)
    for start in range(0, h1_QE.shape[1], width):
        part = slice(start, start + width)
        h1_Q1C, h2_1SC = h1_QE[:, None, part], h2_SE[None, :, part]
        d_QSC = buffer[: n_pairs * h1_Q1C.shape[-1]].view(len(h1_QE), len(h2_SE), -1)
        yield part, torch.sub(h1_Q1C, h2_1SC, out=d_QSC)


class _WeightedL1(torch.autograd.Function):
    """``torch.cdist`` with weights of any sign, forward and backward."""

    @staticmethod
    def forward(ctx: Any, h1_QE: Tensor, h2_SE: Tensor, weight_E: Tensor) -> Tensor:
        """Return the sums, added up chunk by chunk."""
        ctx.save_for_backward(h1_QE, h2_SE, weight_E)
        sums = h1_QE.new_zeros(len(h1_QE) * len(h2_SE))
        for part, d_QSC in _differences(h1_QE, h2_SE):
            sums.addmv_(d_QSC.abs_().flatten(0, 1), weight_E[part])
        return sums.view(len(h1_QE), len(h2_SE))

    @staticmethod
    @torch.autograd.function.once_differentiable
    def backward(ctx: Any, gradient_QS: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """Return the gradients: signs of the differences times the gradient, summed over S or Q."""
        h1_QE, h2_SE, weight_E = ctx.saved_tensors
        over_S, over_Q = torch.empty_like(h1_QE), torch.empty_like(h2_SE)
        for part, d_QSC in _differences(h1_QE, h2_SE):
            d_QSC.sign_().mul_(gradient_QS.unsqueeze(-1))
            over_S[:, part], over_Q[:, part] = d_QSC.sum(1), d_QSC.sum(0)
        # |d| = d · sign(d), so the gradient of the weights needs no further pass.
        weight_gradient = (h1_QE * over_S).sum(0) - (h2_SE * over_Q).sum(0)
        return weight_E * over_S, -weight_E * over_Q, weight_gradient
