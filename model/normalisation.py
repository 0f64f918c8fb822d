"""Normalisation layers of the network, none of which is part of the paper's network."""

import math

import torch
import torch.nn.functional as F
from torch import Tensor, nn

MAX_GROUPS = 8  # channels of a convolution are normalised in at most this many groups


def norm_name(layer: str) -> str:
    """Return the name of the module that normalises the outputs of a layer."""
    return f"{layer}_norm"


def convolution_norm(kind: str, n_channels: int) -> nn.Module | None:
    """Return a normalisation of B×C×H×W, or None for ``"none"``.

    Args:
        kind: ``"none"``, ``"batch"`` or ``"group"``.
        n_channels: number of channels, C.

    Source: Ioffe and Szegedy 2015 (batch), Wu and He 2018 (group).
    """
    if kind == "batch":
        return nn.BatchNorm2d(n_channels)
    return nn.GroupNorm(math.gcd(n_channels, MAX_GROUPS), n_channels) if kind == "group" else None


def apply_norm(norm: nn.Module | None, x: Tensor) -> Tensor:
    """Return the normalised values, of the type of ``x``; ``x`` itself without a normalisation."""
    return x if norm is None else norm(x).to(x.dtype)


def to_unit_length(h_BE: Tensor) -> Tensor:
    """Return embeddings that all have the same Euclidean length, ``sqrt(E) / 2``.

    This is the length of an embedding whose components are all 0.5, so the distances keep the
    magnitude for which the head is initialised.

    Args:
        h_BE: float32, outputs of the sigmoid.
    """
    return F.normalize(h_BE, dim=1) * (0.5 * math.sqrt(h_BE.shape[1]))


@torch.no_grad()
def average_buffers(average: nn.Module, net: nn.Module, weight: float) -> None:
    """Move the running statistics of an averaged network towards those of a network.

    Args:
        average: averaged network; changed in place.
        net: network of the same architecture.
        weight: share of the new statistics, in [0, 1].
    """
    for mean, new in zip(average.buffers(), net.buffers(), strict=True):
        if mean.is_floating_point():
            mean.lerp_(new, weight)
        else:  # the number of batches
            mean.copy_(new)
