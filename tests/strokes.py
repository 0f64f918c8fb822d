"""Synthetic images of a character, and measures that compare two drawings."""

import numpy as np
import numpy.typing as npt
import torch.nn.functional as F
from torch import Tensor

Array = npt.NDArray[np.float32]


def stroke(size: int = 105, pen: int = 3) -> Array:
    """Return a hook, black on white."""
    image = np.ones((size, size), dtype=np.float32)
    a, b, c = round(0.2 * size), round(0.5 * size), round(0.8 * size)
    image[a:c, a : a + pen] = 0
    image[c - pen : c, a:c] = 0
    image[b:c, c - pen : c] = 0
    return image


def overlap(a: Tensor, b: Tensor) -> float:
    """Return the intersection of the inks over their union."""
    return (((a > 127) & (b > 127)).sum() / ((a > 127) | (b > 127)).sum()).item()


def near(a: Tensor, b: Tensor) -> float:
    """Return the fraction of either ink within one pixel of the other's; the lower of the two."""
    wide_a, wide_b = (F.max_pool2d(x[None].float(), 3, 1, 1)[0] > 127 for x in (a, b))
    return min((wide_b[a > 127]).float().mean().item(), (wide_a[b > 127]).float().mean().item())


def photograph(image: Array, *, seed: int = 0) -> Array:
    """Return grey paper with a shadow and noise, and the enlarged drawing somewhere on it."""
    rng = np.random.default_rng(seed)
    large = np.kron(1 - image, np.ones((4, 4), dtype=np.float32))
    paper = np.full((700, 900), 0.75, dtype=np.float32)
    paper[150 : 150 + len(large), 300 : 300 + len(large)] -= 0.45 * large
    shadow = np.linspace(0.5, 1.0, 900, dtype=np.float32)
    noise = rng.normal(0, 0.03, paper.shape).astype(np.float32)
    return np.asarray((paper * shadow + noise).clip(0, 1))
