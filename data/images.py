"""Reads image files of many formats; the files are not trusted.

Array suffixes: H W pixels.
"""

import hashlib
from collections.abc import Iterable, Sequence
from pathlib import Path

import numpy as np
import numpy.typing as npt
import torch
from PIL import Image, ImageOps
from torch import Tensor

from data.errors import InputError
from data.files import file_repair
from data.image_files import image_formats, needs_pillow_heif

MAX_PIXELS = 80_000_000  # per image; a photograph has about 12 to 50 million
# Possible values of white in integer and float images: fractions, and the largest number of n bits.
N_BITS = (*range(2, 9), 10, 12, 14, 16, 20, 24, 32)
WHITE_LEVELS = (*(2.0**-k for k in range(20, -1, -1)), *(2.0**n - 1 for n in N_BITS))

FloatImage = npt.NDArray[np.float32]
# The values of black and white by the kind of an image's mode, "I" (integer) or "F" (float).
Ranges = dict[str, tuple[float, float]]


def read_image(
    path: Path, *, colour: bool = False, ranges: Ranges | None = None
) -> tuple[FloatImage, Ranges]:
    """Return an image as float32 in [0, 1], and its range if its values are not bytes.

    The image is rotated upright; of an animation, the first frame is read.

    Args:
        path: file of the image.
        colour: whether to read H×W×3 colours instead of H×W brightness.
        ranges: ranges to use; by default, the image's own.

    Raises:
        InputError: the file is not a readable image, or has more than ``MAX_PIXELS`` pixels.
    """
    convert = to_colours if colour else to_brightness
    try:
        with Image.open(path, formats=image_formats()) as image:
            if image.width * image.height > MAX_PIXELS:  # checked before pixels are decoded
                raise Image.DecompressionBombError
            upright = ImageOps.exif_transpose(image)
            own = value_ranges(upright)
            return convert(upright, ranges or own), own
    except (Image.DecompressionBombError, Image.DecompressionBombWarning) as error:
        raise InputError(
            f"An image must have at most {MAX_PIXELS:,} pixels, but {path} has more. Scale it down."
        ) from error
    except MemoryError as error:
        raise InputError(
            f"There is not enough memory to read {path}. Free memory, or scale the image down."
        ) from error
    except Exception as error:  # decoders raise any exception on corrupt bytes
        if isinstance(error, OSError) and error.errno:
            raise InputError(f"{path} cannot be read ({error}). {file_repair(error)}") from error
        install = "Install pillow-heif (uv sync --extra heic)"
        repair = install if needs_pillow_heif(path) else "Remove it"
        raise InputError(
            f"{path} is not a readable image ({error}). {repair}, or save it as PNG."
        ) from error


def read_brightness(path: Path) -> FloatImage:
    """Return an image as H×W float32 in [0, 1], 0 is black; see :func:`read_image`."""
    return read_image(path)[0]


def value_ranges(image: Image.Image) -> Ranges:
    """Return the values of black and white if an image's values are not bytes, otherwise nothing.

    White is the lowest of ``WHITE_LEVELS`` that no value exceeds; black is 0 or the lowest value.

    Raises:
        ValueError: a pixel is infinite or not a number.
    """
    if image.mode[0] not in "IF":
        return {}
    values = np.asarray(image, dtype=np.float64)
    if not np.isfinite(values).all():
        raise ValueError("not every pixel is a number")
    lowest, highest = float(values.min()), float(values.max())
    white = next((level for level in WHITE_LEVELS if highest <= level), highest)
    return {image.mode[0]: (min(0.0, lowest), white)}


def merge_ranges(all_ranges: Iterable[Ranges]) -> Ranges:
    """Return the ranges that cover the ranges of several images."""
    merged: Ranges = {}
    for ranges in all_ranges:
        for kind, (black, white) in ranges.items():
            low, high = merged.get(kind, (black, white))
            merged[kind] = min(low, black), max(high, white)
    return merged


def to_brightness(image: Image.Image, ranges: Ranges) -> FloatImage:
    """Return an image's H×W brightness in [0, 1].

    Transparent pixels are white, or black if all other pixels are white.

    Args:
        image: image of any mode.
        ranges: values of black and white of integer and float images.
    """
    if image.mode[0] in "IF":
        black, white = ranges[image.mode[0]]
        values = np.asarray(image, dtype=np.float64)
        return np.asarray(((values - black) / (white - black)).clip(0, 1), dtype=np.float32)
    if not image.has_transparency_data:
        return np.asarray(image.convert("L")).astype(np.float32) / np.float32(255)
    rgba = image.convert("RGBA")
    grey = np.asarray(rgba.convert("L"), dtype=np.float32) / 255
    alpha = np.asarray(rgba.getchannel("A"), dtype=np.float32) / 255
    is_white = bool((grey[alpha > 0.5] > 0.9).all())
    background = 0.0 if is_white else 1.0
    return np.asarray(grey * alpha + background * (1 - alpha), dtype=np.float32)


def to_colours(image: Image.Image, ranges: Ranges) -> FloatImage:
    """Return an image's H×W×3 red, green and blue in [0, 1]; transparent pixels are white.

    Args:
        image: image of any mode.
        ranges: values of black and white of integer and float images.
    """
    if image.mode[0] in "IF":
        return np.repeat(to_brightness(image, ranges)[..., None], 3, axis=2)
    rgba = image.convert("RGBA")
    white = Image.new("RGBA", rgba.size, "white")
    opaque = Image.alpha_composite(white, rgba).convert("RGB")
    return np.asarray(opaque).astype(np.float32) / np.float32(255)


def read_square_images(
    paths: Sequence[Path], image_size: int, *, colour: bool
) -> tuple[list[Tensor], list[bytes]]:
    """Return images as :func:`read_square_image` does, with one range for all, and their hashes.

    Only images whose own range is smaller are read again. Images have the same hash if all their
    pixels are equal.
    """
    squares, own, hashes = [], [], []
    for path in paths:
        image, ranges = read_image(path, colour=colour)
        squares.append(to_square(image, image_size))
        own.append(ranges)
        hashes.append(pixel_hash(image, ranges))
    merged = merge_ranges(own)
    for i, ranges in enumerate(own):
        if not ranges.items() <= merged.items():
            squares[i] = read_square_image(paths[i], image_size, colour=colour, ranges=merged)
    return squares, hashes


def read_square_image(
    path: Path, image_size: int, *, colour: bool, ranges: Ranges | None = None
) -> Tensor:
    """Return an image as uint8, H×W or 3×H×W, centred on a square.

    A grey image with a light border is inverted, so that paper is 0 and ink 255 (Deviation D8).

    Args:
        path: file of the image.
        image_size: height and width of the square in pixels.
        colour: whether the image keeps its colours.
        ranges: values of black and white; by default, the image's own.

    Raises:
        InputError: the file is not a readable image.
    """
    return to_square(read_image(path, colour=colour, ranges=ranges)[0], image_size)


def resize_longer_side(image_HW: FloatImage, longer_side: int) -> FloatImage:
    """Return an image resized so that its longer side has ``longer_side`` pixels."""
    height, width = image_HW.shape
    scale = longer_side / max(height, width)
    size = max(1, round(width * scale)), max(1, round(height * scale))
    resampling = Image.Resampling.BOX if scale < 1 else Image.Resampling.BICUBIC
    return np.asarray(Image.fromarray(image_HW).resize(size, resampling), dtype=np.float32)


def pad_to_square(image_HW: FloatImage) -> FloatImage:
    """Return an image centred on a square of zeros."""
    side = max(image_HW.shape)
    square = np.zeros((side, side), dtype=np.float32)
    top, left = ((side - n) // 2 for n in image_HW.shape)
    square[top : top + image_HW.shape[0], left : left + image_HW.shape[1]] = image_HW
    return square


def border_brightness(image_HW: FloatImage) -> float:
    """Return the median of an image's outermost pixels, which are mostly paper."""
    edges = (image_HW[0], image_HW[-1], image_HW[:, 0], image_HW[:, -1])
    return float(np.median(np.concatenate(edges)))


def pixel_hash(image: FloatImage, ranges: Ranges) -> bytes:
    """Return a hash of the size, the range and the pixels of an image."""
    digest = hashlib.blake2b(f"{image.shape} {ranges}".encode(), digest_size=16)
    digest.update(np.ascontiguousarray(image).tobytes())
    return digest.digest()


def to_square(image: FloatImage, image_size: int) -> Tensor:
    """Return H×W brightness, inverted on light paper, or H×W×3 colours as a uint8 square."""
    if image.ndim == 3:
        planes = list(np.moveaxis(image, -1, 0))
    else:
        planes = [1 - image if border_brightness(image) > 0.5 else image]
    squares = [pad_to_square(resize_longer_side(plane, image_size)) for plane in planes]
    square = torch.from_numpy(np.stack(squares))
    return square.clamp(0, 1).mul(255).round().to(torch.uint8).squeeze(0)
