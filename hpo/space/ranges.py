"""The ranges of the search space: which parameters may vary, and between which values.

The constants below hold the range of every parameter, for example ``LR_RANGE`` for ``conv1.lr``.
:func:`search_space` turns them into Optuna distributions.

Source: Koch 2015 §3.2 "Hyperparameter optimization".
"""

import math

from optuna.distributions import BaseDistribution, FloatDistribution, IntDistribution

from data.drawings import FULL_SIZE
from data.errors import InputError
from model.architecture import CONVS, LAYERS, ModelConfig

GROUPS = ("lr", "momentum", "l2", "filters", "kernels", "units")

# Deviation D6: the paper does not state the scale of the learning rate; ours is logarithmic.
LR_RANGE = (1e-4, 1e-1)
MOMENTUM_RANGE = (0.0, 1.0)
# Deviation D13: λ is sampled on a log scale, because a uniform sample from [0, 0.1] is rarely close
# to a useful value. Values below hpo.space.configuration.MIN_L2 are treated as 0.
L2_RANGE = (1e-6, 1e-1)
FILTERS_RANGE, FILTERS_STEP = (16, 256), 16
KERNEL_RANGE = (3, 20)  # pixels, at 105×105 pixels; kernel_range scales it to other image sizes
UNITS_RANGE, UNITS_STEP = (128, 4096), 16

PAPER_FILTERS = (64, 128, 128, 256)
PAPER_KERNELS = (10, 7, 4, 4)  # pixels, at 105×105 pixels
PAPER_UNITS = 4096
MIN_IMAGE_SIZE = 16  # pixels


def search_space(image_size: int, groups: tuple[str, ...]) -> dict[str, BaseDistribution]:
    """Return the distribution of every searched parameter by name (``conv1.lr``, ``fc1.units``).

    Args:
        image_size: height and width of the images in pixels; it sets the range of the kernels.
        groups: searched groups, from :data:`GROUPS`.
    """
    # Group → its layers, the parameter of each layer, and the distribution of that parameter.
    by_group: dict[str, tuple[tuple[str, ...], str, BaseDistribution]] = {
        "lr": (LAYERS, "lr", FloatDistribution(*LR_RANGE, log=True)),
        "momentum": (LAYERS, "momentum", FloatDistribution(*MOMENTUM_RANGE)),
        "l2": (LAYERS, "l2", FloatDistribution(*L2_RANGE, log=True)),
        "filters": (CONVS, "filters", IntDistribution(*FILTERS_RANGE, step=FILTERS_STEP)),
        "kernels": (CONVS, "kernel", IntDistribution(*kernel_range(image_size))),
        "units": (("fc1",), "units", IntDistribution(*UNITS_RANGE, step=UNITS_STEP)),
    }
    space: dict[str, BaseDistribution] = {}
    for layers, parameter, distribution in (by_group[group] for group in groups):
        space |= {f"{layer}.{parameter}": distribution for layer in layers}
    return space


def parse_groups(names: list[str]) -> tuple[str, ...]:
    """Return the searched groups in the order of :data:`GROUPS`; ``paper`` stands for all of them.

    Raises:
        InputError: a name is not a group.
    """
    if unknown := sorted(set(names) - {*GROUPS, "paper"}):
        raise InputError(
            f"--search must be one or more of {', '.join(GROUPS)}, or paper, but got "
            f"{', '.join(unknown)}. Correct the name."
        )
    return tuple(group for group in GROUPS if group in names or "paper" in names)


def kernel_range(image_size: int) -> tuple[int, int]:
    """Return the lowest and highest kernel size in pixels: the paper's range, scaled.

    The lowest size is at least 2, except for images so small that the scaled architecture of the
    paper contains a kernel of size 1.
    """
    scale = image_size / FULL_SIZE
    low = min(max(2, round(KERNEL_RANGE[0] * scale)), *paper_kernels(image_size))
    return low, max(3, round(KERNEL_RANGE[1] * scale))


def clip_kernels(image_size: int, kernels: tuple[int, ...]) -> tuple[int, int, int, int]:
    """Return the kernel sizes, lowered where necessary so that every layer has at least one pixel.

    Deviation D14: the paper's kernel ranges contain impossible networks (four of 20×20). With
    lowered kernels, every point of the space is a network, and the ranges are independent.
    """
    clipped, size = [], image_size
    for layer, kernel in enumerate(kernels):
        n_poolings = len(CONVS) - 1 - layer
        clipped.append(max(1, min(kernel, size - 2**n_poolings + 1)))
        size = size - clipped[-1] + 1
        size = size // 2 if n_poolings else size
    return clipped[0], clipped[1], clipped[2], clipped[3]


def paper_kernels(image_size: int) -> tuple[int, int, int, int]:
    """Return the kernel sizes of the paper's best architecture, scaled to an image size.

    They are rounded up, so that the last feature map keeps its share of the image: 6 of 105 pixels,
    2 of 35 pixels.

    Raises:
        InputError: the image size is below :data:`MIN_IMAGE_SIZE`.
    """
    if image_size < MIN_IMAGE_SIZE:
        raise InputError(
            f"The image size must be at least {MIN_IMAGE_SIZE} pixels, but is {image_size}. "
            "Raise --image-size."
        )
    scaled = tuple(max(2, math.ceil(k * image_size / FULL_SIZE)) for k in PAPER_KERNELS)
    return clip_kernels(image_size, scaled)


def paper_model(image_size: int, init: str) -> ModelConfig:
    """Return the paper's best architecture, scaled to an image size."""
    return ModelConfig(image_size, PAPER_FILTERS, paper_kernels(image_size), PAPER_UNITS, init)
