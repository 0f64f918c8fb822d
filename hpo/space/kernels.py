"""Kernel sizes for other image sizes."""

from dataclasses import replace

from data.errors import require
from model.architecture import CONVS, ModelConfig

MIN_IMAGE_SIZE = 16  # pixels


def require_image_size(image_size: int) -> None:
    """Raise InputError unless images of a size, in pixels, are large enough for the network."""
    law = f"image_size >= {MIN_IMAGE_SIZE}"
    require(image_size >= MIN_IMAGE_SIZE, law, image_size, "Raise --image-size.")


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


def resize_model(model: ModelConfig, image_size: int) -> ModelConfig:
    """Return the architecture for another image size; kernels are scaled, rounded and clipped."""
    scale = image_size / model.image_size
    kernels = tuple(max(1, round(kernel * scale)) for kernel in model.kernels)
    return replace(model, image_size=image_size, kernels=clip_kernels(image_size, kernels))
