"""Images of any kind out of files, as brightness, without trusting them."""

import warnings
from collections.abc import Callable, Iterable
from pathlib import Path

import numpy as np
import numpy.typing as npt
from PIL import Image, ImageOps

from data.errors import InputError

Array = npt.NDArray[np.float32]

MAX_PIXELS = 100_000_000  # of an image; a photograph has some 12 to 50 million
GREYS = ("I", "I;16", "I;16B", "I;16L", "F")  # more than 256 of them, on no common scale


def image_files(folder: Path) -> list[Path]:
    """Return the images under a folder, of any depth, by the names' suffixes, in their order.

    Raises:
        InputError: there is none, or the folder cannot be read.
    """
    known = Image.registered_extensions()
    try:
        inside = sorted(path for path in folder.rglob("*") if path.suffix.lower() in known)
    except OSError as error:
        raise InputError(f"{folder} cannot be read ({error}). Make it readable.") from error
    found = [p for p in inside if p.is_file() and not p.name.startswith(".")]
    if not found:
        raise InputError(f"No image lies under {folder}. Name a folder of images.")
    return found


def expand(paths: Iterable[Path]) -> list[Path]:
    """Return the paths, each folder replaced by the images under it.

    Raises:
        InputError: a path does not exist, or a folder holds no image.
    """
    found: list[Path] = []
    for path in paths:
        if not path.exists():
            raise InputError(f"{path} does not exist. Correct the path.")
        found += image_files(path) if path.is_dir() else [path]
    return found


def read_brightness(path: Path) -> Array:
    """Return an image as H×W float32 in [0, 1], 0 black, upright, the first of several frames.

    Transparent parts are white, or black if all else is white.

    Raises:
        InputError: no readable image, or one of absurdly many pixels.
    """
    return _read(path, brightness)


def read_colours(path: Path) -> Array:
    """Return an image as H×W×3 float32 in [0, 1]; else as :func:`read_brightness`."""
    return _read(path, colours)


def _read(path: Path, convert: Callable[[Image.Image], Array]) -> Array:
    try:
        with warnings.catch_warnings():
            # Our own limit speaks of both; Pillow's warning would name neither file nor repair.
            warnings.simplefilter("ignore", Image.DecompressionBombWarning)
            with Image.open(path) as image:
                if image.width * image.height > MAX_PIXELS:  # known before it is decoded
                    raise too_large(path)
                return convert(ImageOps.exif_transpose(image))
    except InputError:
        raise
    except Image.DecompressionBombError as error:
        raise too_large(path) from error
    except (OSError, SyntaxError, ValueError, EOFError) as error:
        raise InputError(
            f"{path} is no image that can be read ({error}). Leave it out, or save it as PNG."
        ) from error


def too_large(path: Path) -> InputError:
    """Return the error that an image would fill the memory."""
    return InputError(
        f"An image has at most {MAX_PIXELS:,} pixels, but {path} claims more. Scale it down."
    )


def brightness(image: Image.Image) -> Array:
    """Return an image's H×W brightness in [0, 1]."""
    if image.mode in GREYS:
        values = np.asarray(image, dtype=np.float64)
        low, high = values.min(), values.max()
        return np.asarray((values - low) / max(high - low, 1e-9), dtype=np.float32)
    if not image.has_transparency_data:
        return np.asarray(image.convert("L")).astype(np.float32) / np.float32(255)
    seen = image.convert("RGBA")
    grey = np.asarray(seen.convert("L"), dtype=np.float32) / 255
    alpha = np.asarray(seen.getchannel("A"), dtype=np.float32) / 255
    light_ink = float((grey * alpha).sum()) > 0.9 * float(alpha.sum())
    return np.asarray(grey * alpha + (0.0 if light_ink else 1.0) * (1 - alpha), dtype=np.float32)


def colours(image: Image.Image) -> Array:
    """Return an image's H×W×3 red, green and blue in [0, 1]; transparent parts are white."""
    seen = image.convert("RGBA")
    white = Image.new("RGBA", seen.size, "white")
    opaque = Image.alpha_composite(white, seen).convert("RGB")
    return np.asarray(opaque).astype(np.float32) / np.float32(255)


def scaled(image_HW: Array, longer_side: int) -> Array:
    """Return an image whose longer side has so many pixels."""
    height, width = image_HW.shape
    share = longer_side / max(height, width)
    size = max(1, round(width * share)), max(1, round(height * share))
    filtered = Image.Resampling.BOX if share < 1 else Image.Resampling.BICUBIC
    return np.asarray(Image.fromarray(image_HW).resize(size, filtered), dtype=np.float32)


def squared(image_HW: Array) -> Array:
    """Return an image in the middle of a square of paper."""
    side = max(image_HW.shape)
    framed = np.zeros((side, side), dtype=np.float32)
    top, left = ((side - n) // 2 for n in image_HW.shape)
    framed[top : top + image_HW.shape[0], left : left + image_HW.shape[1]] = image_HW
    return framed
