"""Reads image files of many formats; the files are not trusted.

Array suffixes: H W pixels.
"""

from collections.abc import Callable
from pathlib import Path

import numpy as np
import numpy.typing as npt
from PIL import Image, ImageOps

from data.errors import InputError
from data.image_files import image_formats, needs_pillow_heif

MAX_PIXELS = 80_000_000  # per image; a photograph has about 12 to 50 million
WHITE_LEVELS = (1.0, 255.0, 65535.0)  # possible values of white in integer and float images

FloatImage = npt.NDArray[np.float32]


def read_brightness(path: Path) -> FloatImage:
    """Return an image as H×W float32 in [0, 1], 0 is black.

    The image is rotated upright; of an animation, the first frame is read. Transparent pixels are
    white, or black if all other pixels are white.

    Raises:
        InputError: the file is not a readable image, or has more than ``MAX_PIXELS`` pixels.
    """
    return _read_image(path, to_brightness)


def read_colours(path: Path) -> FloatImage:
    """Return an image as H×W×3 float32 in [0, 1]; transparent pixels are white.

    Raises:
        InputError: the file is not a readable image, or has more than ``MAX_PIXELS`` pixels.
    """
    return _read_image(path, to_colours)


def to_brightness(image: Image.Image) -> FloatImage:
    """Return an image's H×W brightness in [0, 1].

    Raises:
        ValueError: a pixel is infinite or not a number.
    """
    if image.mode.startswith(("I", "F")):
        values = np.asarray(image, dtype=np.float64)
        if not np.isfinite(values).all():
            raise ValueError("not every pixel is a number")
        levels = WHITE_LEVELS[-1:] if ";16" in image.mode else WHITE_LEVELS
        white = next((level for level in levels if values.max() <= level), values.max())
        return np.asarray((values / white).clip(0, 1), dtype=np.float32)
    if not image.has_transparency_data:
        return np.asarray(image.convert("L")).astype(np.float32) / np.float32(255)
    rgba = image.convert("RGBA")
    grey = np.asarray(rgba.convert("L"), dtype=np.float32) / 255
    alpha = np.asarray(rgba.getchannel("A"), dtype=np.float32) / 255
    is_white = bool((grey[alpha > 0.5] > 0.9).all())
    background = 0.0 if is_white else 1.0
    return np.asarray(grey * alpha + background * (1 - alpha), dtype=np.float32)


def to_colours(image: Image.Image) -> FloatImage:
    """Return an image's H×W×3 red, green and blue in [0, 1]; transparent pixels are white."""
    rgba = image.convert("RGBA")
    white = Image.new("RGBA", rgba.size, "white")
    opaque = Image.alpha_composite(white, rgba).convert("RGB")
    return np.asarray(opaque).astype(np.float32) / np.float32(255)


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


def _read_image(path: Path, convert: Callable[[Image.Image], FloatImage]) -> FloatImage:
    try:
        with Image.open(path, formats=image_formats()) as image:
            if image.width * image.height > MAX_PIXELS:  # checked before pixels are decoded
                raise Image.DecompressionBombError
            return convert(ImageOps.exif_transpose(image))
    except (Image.DecompressionBombError, Image.DecompressionBombWarning) as error:
        raise InputError(
            f"An image must have at most {MAX_PIXELS:,} pixels, but {path} has more. Scale it down."
        ) from error
    except Exception as error:  # decoders raise any exception on corrupt bytes
        install = "Install pillow-heif (uv sync --extra heic)"
        repair = install if needs_pillow_heif(path) else "Remove it"
        raise InputError(
            f"{path} is not a readable image ({error}). {repair}, or save it as PNG."
        ) from error
