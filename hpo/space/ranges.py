"""The ranges of the search space: which parameters may vary, and between which values.

Source: Koch 2015 §3.2 "Hyperparameter optimization".
"""

import math

from optuna.distributions import BaseDistribution, FloatDistribution, IntDistribution

from data.drawings import FULL_SIZE
from data.errors import InputError
from model.architecture import CONVS, LAYERS, ModelConfig

GROUPS = ("lr", "momentum", "l2", "filters", "kernels", "units")

PAPER_FILTERS = (64, 128, 128, 256)

PAPER_KERNELS = (10, 7, 4, 4)

PAPER_UNITS = 4096

# Deviation D13: λ is drawn on a log scale, for a uniform draw from [0, 0.1] hardly ever comes
# near the useful values; what falls below this floor means 0.
L2_RANGE = (1e-6, 1e-1)


def parse_groups(groups: list[str]) -> tuple[str, ...]:
    """Return the searched groups in their fixed order; ``paper`` means all of them.

    Raises:
        InputError: an unknown group.
    """
    if unknown := sorted(set(groups) - {*GROUPS, "paper"}):
        raise InputError(
            f"--search takes groups of {', '.join(GROUPS)}, or paper, but got "
            f"{', '.join(unknown)}. Correct the name."
        )
    return tuple(group for group in GROUPS if group in groups or "paper" in groups)


def clip_kernels(image_size: int, kernels: tuple[int, ...]) -> tuple[int, int, int, int]:
    """Return the kernels, each lowered to what leaves the later layers at least one pixel.

    Deviation D14: the paper's kernel ranges contain impossible networks (four of 20×20); lowering
    keeps the space a box in which every point is a network.
    """
    clipped, size = [], image_size
    for layer, kernel in enumerate(kernels):
        n_poolings = len(CONVS) - 1 - layer
        clipped.append(max(1, min(kernel, size - 2**n_poolings + 1)))
        size = size - clipped[-1] + 1
        size = size // 2 if n_poolings else size
    return clipped[0], clipped[1], clipped[2], clipped[3]


def paper_kernels(image_size: int) -> tuple[int, int, int, int]:
    """Return the kernels of the paper's best architecture scaled to an image size.

    Rounding up keeps the last feature map at the paper's share of the image (6 of 105 pixels, 2 of
    35), which a single pixel would lose.

    Raises:
        InputError: no such network fits so small an image.
    """
    if image_size < 16:
        raise InputError(
            f"`image_size >= 16` must hold, but it is {image_size}. Raise --image-size."
        )
    scaled = tuple(max(2, math.ceil(k * image_size / FULL_SIZE)) for k in PAPER_KERNELS)
    return clip_kernels(image_size, scaled)


def paper_model(image_size: int, init: str) -> ModelConfig:
    """Return the paper's best architecture at an image size."""
    return ModelConfig(image_size, PAPER_FILTERS, paper_kernels(image_size), PAPER_UNITS, init)


def kernel_range(image_size: int) -> tuple[int, int]:
    """Return the paper's range 3 … 20 of a 105-pixel image, scaled to an image size.

    It starts at 2, or at 1 where the image is so small that the paper's network needs it.
    """
    scale = image_size / FULL_SIZE
    low = min(max(2, round(3 * scale)), *paper_kernels(image_size))
    return low, max(3, round(20 * scale))


def search_space(image_size: int, search: tuple[str, ...]) -> dict[str, BaseDistribution]:
    """Return every searched parameter with its range, by name (``conv1.lr``, ``fc1.units``)."""
    low, high = kernel_range(image_size)
    per_layer: dict[str, tuple[tuple[str, ...], str, BaseDistribution]] = {
        # Deviation D6: the scale of the learning rate is not given; we take the logarithm.
        "lr": (LAYERS, "lr", FloatDistribution(1e-4, 1e-1, log=True)),
        "momentum": (LAYERS, "momentum", FloatDistribution(0.0, 1.0)),
        "l2": (LAYERS, "l2", FloatDistribution(*L2_RANGE, log=True)),
        "filters": (CONVS, "filters", IntDistribution(16, 256, step=16)),
        "kernels": (CONVS, "kernel", IntDistribution(low, high)),
        "units": (("fc1",), "units", IntDistribution(128, 4096, step=16)),
    }
    space: dict[str, BaseDistribution] = {}
    for layers, name, distribution in (per_layer[group] for group in search):
        space |= {f"{layer}.{name}": distribution for layer in layers}
    return space
