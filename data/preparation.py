"""From any picture of a character to a drawing like Omniglot's.

The ink is what differs from the paper around it, so that shadows do not matter. It is cropped, set
into the middle of a square, made as large and its pen as wide as Omniglot's, and binarised.

Array suffixes: H W pixels.
"""

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import torch
import torch.nn.functional as F
from scipy import ndimage
from torch import Tensor

from data.drawings import FULL_SIZE
from data.errors import InputError
from data.images import border_brightness, pad_to_square, scale_to

FloatImage = npt.NDArray[np.float32]

Mask = npt.NDArray[np.bool_]

WORK_SIZE = 4 * FULL_SIZE  # pixels of the longer side while ink is looked for

WIDEST_PEN = WORK_SIZE // 4  # pixels; what is wider is a shadow, or the paper's edge

LEAST_CONTRAST = 0.08  # between ink and paper, of the whole range of brightness

SPECK = 0.01  # of the largest blot: smaller ones are dust

# Medians over Omniglot's training alphabets: the longer side of the ink as a share of the image,
# and the pen as measured by `pen_width` at WORK_SIZE pixels.
INK_SHARE, PEN = 0.65, 21.0


@dataclass(frozen=True)
class Preparation:
    """How pictures are made drawings.

    Args:
        light_ink: whether the ink is lighter than the paper; None looks at each picture.
        binarize: whether the ink is black and white; otherwise it keeps its grey levels.
        preprocess: whether the ink is cropped, centred, scaled and given a fixed pen width.
    """

    light_ink: bool | None = None
    binarize: bool = True
    preprocess: bool = True


def prepare_drawing(brightness_HW: FloatImage, preparation: Preparation, name: str) -> Tensor:
    """Return a picture as a drawing: uint8, 105×105, ink 255, paper 0 (Deviation D8).

    Args:
        brightness_HW: in [0, 1], any size.
        preparation: how.
        name: of the picture, for the error.

    Raises:
        InputError: there is no ink on it.
    """
    ink_HW = find_ink(scale_to(brightness_HW, WORK_SIZE), preparation.light_ink)
    if (top := float(ink_HW.max())) < LEAST_CONTRAST:
        raise InputError(
            f"No ink is to be seen on {name}: its contrast is {top:.0%} and must be "
            f"{LEAST_CONTRAST:.0%}. Take a clearer picture."
        )
    mask_HW = remove_specks(ink_HW > otsu_threshold(ink_HW))
    shown = mask_HW.astype(np.float32) if preparation.binarize else ink_HW / top * mask_HW
    framed = centre_ink(shown, mask_HW) if preparation.preprocess else pad_to_square(shown)
    if preparation.preprocess and preparation.binarize:
        thin_HW = set_pen_width(framed > 0.5)
        framed = centre_ink(thin_HW.astype(np.float32), thin_HW)  # thinning took from its size
    small = F.interpolate(torch.from_numpy(framed)[None, None], FULL_SIZE, mode="area")[0, 0]
    small = (small >= 0.5).float() if preparation.binarize else small
    return small.clamp(0, 1).mul(255).round().to(torch.uint8)


def find_ink(brightness_HW: FloatImage, light_ink: bool | None) -> FloatImage:
    """Return how much each pixel differs from the paper around it, in [0, 1].

    The paper's own brightness is the grey closing of the picture: the picture without anything
    dark that is narrower than ``WIDEST_PEN``.
    """
    light = is_ink_light(brightness_HW) if light_ink is None else light_ink
    smooth = ndimage.gaussian_filter(1 - brightness_HW if light else brightness_HW, 1.0)
    paper = ndimage.grey_closing(smooth, size=(WIDEST_PEN, WIDEST_PEN), mode="nearest")
    return np.asarray((paper - smooth).clip(0, 1), dtype=np.float32)


def is_ink_light(brightness_HW: FloatImage) -> bool:
    """Return whether the picture's border, which is paper, is the darker part."""
    return border_brightness(brightness_HW) < otsu_threshold(brightness_HW)


def otsu_threshold(values: FloatImage) -> float:
    """Return the threshold that leaves the least variance on its two sides.

    Source: Otsu 1979, "A threshold selection method from gray-level histograms".
    """
    count, edges = np.histogram(values, bins=256)
    middle = (edges[:-1] + edges[1:]) / 2
    below, total = count.cumsum(), count.sum()
    sum_below = (count * middle).cumsum()
    with np.errstate(divide="ignore", invalid="ignore"):
        mean_below = sum_below / below
        mean_above = (sum_below[-1] - sum_below) / (total - below)
        between = below * (total - below) * (mean_below - mean_above) ** 2
    best = np.nan_to_num(between)
    return float(edges[1:][best >= best.max() * (1 - 1e-9)].mean())


def remove_specks(mask_HW: Mask) -> Mask:
    """Return the ink without blots that are tiny beside the rest."""
    label_HW, n = ndimage.label(mask_HW, structure=np.ones((3, 3)))
    area = np.bincount(label_HW.ravel(), minlength=n + 1)
    area[0] = 0
    return np.asarray((area >= SPECK * area.max())[label_HW] & mask_HW)


def centre_ink(image_HW: FloatImage, mask_HW: Mask) -> FloatImage:
    """Return the ink cropped, enlarged to ``INK_SHARE``, in the middle of a square."""
    box = ndimage.find_objects(mask_HW.astype(np.uint8))[0]
    ink = scale_to(image_HW[box], round(INK_SHARE * WORK_SIZE))
    framed = np.zeros((WORK_SIZE, WORK_SIZE), dtype=np.float32)
    top, left = ((WORK_SIZE - n) // 2 for n in ink.shape)
    framed[top : top + ink.shape[0], left : left + ink.shape[1]] = ink
    return framed


def pen_width(mask_HW: Mask) -> float:
    """Return the width of the strokes in pixels: four times the mean distance to the paper."""
    return 4 * float(ndimage.distance_transform_edt(mask_HW)[mask_HW].mean())


def set_pen_width(mask_HW: Mask) -> Mask:
    """Return the strokes drawn with Omniglot's pen: thinned, or widened, from their sides."""
    excess = (pen_width(mask_HW) - PEN) / 2
    if excess > 0:
        return np.asarray(ndimage.distance_transform_edt(mask_HW) > excess)
    return np.asarray(ndimage.distance_transform_edt(~mask_HW) <= -excess)
