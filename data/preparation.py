"""Converts any image of a character into a drawing like Omniglot's.

Ink is what differs from the paper around it, so shadows do not matter. The ink is cropped, centred
on a square, scaled to the size and the pen width of Omniglot's drawings, and binarised.

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
from data.images import FloatImage, border_brightness, pad_to_square, resize_longer_side

WORK_SIZE = 4 * FULL_SIZE  # longer side in pixels at which the ink is processed
MAX_PEN_WIDTH = WORK_SIZE // 4  # in pixels; wider shapes are shadows or the edge of the paper
MIN_CONTRAST = 0.08  # between ink and paper, as a fraction of the range of brightness
MIN_BLOT_FRACTION = 0.01  # of the area of the largest blot; smaller blots are dust
# Medians over Omniglot's training alphabets: the longer side of the ink as a fraction of the image,
# and the pen width in pixels as measured by `pen_width` at WORK_SIZE.
INK_FRACTION, PEN_WIDTH = 0.65, 21.0

Mask = npt.NDArray[np.bool_]


@dataclass(frozen=True)
class Preparation:
    """How images are converted into drawings.

    Args:
        light_ink: whether the ink is lighter than the paper; None decides for each image.
        binarize: whether the drawing is black and white; otherwise it keeps its grey levels.
        preprocess: whether the ink is cropped, centred, scaled and given Omniglot's pen width.
    """

    light_ink: bool | None = None
    binarize: bool = True
    preprocess: bool = True


def prepare_drawing(brightness_HW: FloatImage, preparation: Preparation, name: str) -> Tensor:
    """Return an image as a drawing: uint8, 105×105, ink 255, paper 0 (Deviation D8).

    Args:
        brightness_HW: brightness in [0, 1], of any size.
        preparation: how to convert the image.
        name: name of the image, for error messages.

    Raises:
        InputError: the image has no ink.
    """
    ink_HW = find_ink(resize_longer_side(brightness_HW, WORK_SIZE), preparation.light_ink)
    if (contrast := float(ink_HW.max())) < MIN_CONTRAST:
        raise InputError(
            f"The contrast of an image must be at least {MIN_CONTRAST:.0%}, but {name} has "
            f"{contrast:.0%} and shows no ink. Take a clearer picture."
        )
    mask_HW = remove_specks(ink_HW > otsu_threshold(ink_HW))
    image_HW = mask_HW.astype(np.float32) if preparation.binarize else ink_HW / contrast * mask_HW
    square = centre_ink(image_HW, mask_HW) if preparation.preprocess else pad_to_square(image_HW)
    if preparation.preprocess and preparation.binarize:
        mask = set_pen_width(square > 0.5)
        square = centre_ink(mask.astype(np.float32), mask)  # a new pen width changes the size
    drawing = F.interpolate(torch.from_numpy(square)[None, None], FULL_SIZE, mode="area")[0, 0]
    drawing = (drawing >= 0.5).float() if preparation.binarize else drawing
    return drawing.clamp(0, 1).mul(255).round().to(torch.uint8)


def find_ink(brightness_HW: FloatImage, light_ink: bool | None) -> FloatImage:
    """Return how much each pixel differs from the paper around it, in [0, 1].

    The brightness of the paper is estimated by the grey closing of the image, which removes every
    dark shape narrower than ``MAX_PEN_WIDTH``.

    Args:
        brightness_HW: brightness in [0, 1].
        light_ink: whether the ink is lighter than the paper; None decides by the border.
    """
    light = is_ink_light(brightness_HW) if light_ink is None else light_ink
    smooth = ndimage.gaussian_filter(1 - brightness_HW if light else brightness_HW, 1.0)
    paper = ndimage.grey_closing(smooth, size=(MAX_PEN_WIDTH, MAX_PEN_WIDTH), mode="nearest")
    return np.asarray((paper - smooth).clip(0, 1), dtype=np.float32)


def is_ink_light(brightness_HW: FloatImage) -> bool:
    """Return whether the ink is lighter than the image's border, which is paper."""
    return border_brightness(brightness_HW) < otsu_threshold(brightness_HW)


def otsu_threshold(values: FloatImage) -> float:
    """Return the threshold that minimises the variance within the two classes it separates.

    Source: Otsu 1979, "A threshold selection method from gray-level histograms".
    """
    count, edges = np.histogram(values, bins=256)
    centre = (edges[:-1] + edges[1:]) / 2
    n_below, n_total = count.cumsum(), count.sum()
    sum_below = (count * centre).cumsum()
    with np.errstate(divide="ignore", invalid="ignore"):
        mean_below = sum_below / n_below
        mean_above = (sum_below[-1] - sum_below) / (n_total - n_below)
        between = n_below * (n_total - n_below) * (mean_below - mean_above) ** 2
    variance = np.nan_to_num(between)
    return float(edges[1:][variance >= variance.max() * (1 - 1e-9)].mean())


def remove_specks(mask_HW: Mask) -> Mask:
    """Return the ink without blots that are tiny compared to the largest one."""
    label_HW, n = ndimage.label(mask_HW, structure=np.ones((3, 3)))
    area = np.bincount(label_HW.ravel(), minlength=n + 1)
    area[0] = 0
    return np.asarray((area >= MIN_BLOT_FRACTION * area.max())[label_HW] & mask_HW)


def centre_ink(image_HW: FloatImage, mask_HW: Mask) -> FloatImage:
    """Return the ink cropped, scaled to ``INK_FRACTION`` and centred on a square.

    Args:
        image_HW: ink 1, paper 0.
        mask_HW: where the ink is.
    """
    box = ndimage.find_objects(mask_HW.astype(np.uint8))[0]
    ink = resize_longer_side(image_HW[box], round(INK_FRACTION * WORK_SIZE))
    square = np.zeros((WORK_SIZE, WORK_SIZE), dtype=np.float32)
    top, left = ((WORK_SIZE - n) // 2 for n in ink.shape)
    square[top : top + ink.shape[0], left : left + ink.shape[1]] = ink
    return square


def pen_width(mask_HW: Mask) -> float:
    """Return the width of the strokes in pixels: four times the mean distance to the paper."""
    return 4 * float(ndimage.distance_transform_edt(mask_HW)[mask_HW].mean())


def set_pen_width(mask_HW: Mask) -> Mask:
    """Return the strokes thinned or widened to ``PEN_WIDTH``."""
    excess = (pen_width(mask_HW) - PEN_WIDTH) / 2
    if excess > 0:
        return np.asarray(ndimage.distance_transform_edt(mask_HW) > excess)
    return np.asarray(ndimage.distance_transform_edt(~mask_HW) <= -excess)
