"""Images of any kind out of files, as brightness, without trusting them.

Array suffixes: H W pixels.
"""

import os
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path

import numpy as np
import numpy.typing as npt
from PIL import Image, ImageOps

from data.errors import InputError

FloatImage = npt.NDArray[np.float32]

MAX_PIXELS = 80_000_000  # of an image; a photograph has some 12 to 50 million

# Formats that are decoded by Pillow itself: PostScript, for example, would start a program.
IMAGE_FORMATS = ("PNG", "JPEG", "GIF", "TIFF", "WEBP", "BMP", "PPM")

SUFFIXES = (
    *(".png", ".jpg", ".jpeg", ".gif", ".tif", ".tiff"),
    *(".webp", ".bmp", ".pbm", ".pgm", ".ppm"),
)

WHITES = (1.0, 255.0, 65535.0)  # of images whose greys are numbers of any kind


def image_files(folder: Path) -> list[Path]:
    """Return the images under a folder, of any depth, by their suffixes, in the names' order.

    What is hidden, or lies in a hidden folder, is left out; links are followed.

    Raises:
        InputError: there is none, or a folder cannot be read.
    """
    try:
        inside = sorted(path for path in _files(folder) if path.suffix.lower() in SUFFIXES)
        found = [path for path in inside if path.is_file()]
    except OSError as error:
        raise InputError(f"{folder} cannot be read ({error}). Make it readable.") from error
    if not found:
        raise InputError(f"No image lies under {folder}. Name a folder of images.")
    return found


def _files(folder: Path) -> Iterator[Path]:
    """Yield what is not hidden under a folder.

    Raises:
        OSError: a folder cannot be read; none is left out in silence.
    """

    def fail(error: OSError) -> None:
        raise error

    for at, folders, names in os.walk(folder, onerror=fail, followlinks=True):
        here = Path(at)
        within = [here / name for name in folders if not name.startswith(".")]
        folders[:] = [path.name for path in within if not _leads_back(path)]
        yield from (here / name for name in names if not name.startswith("."))


def _leads_back(path: Path) -> bool:
    """Return whether a link leads to a folder that it lies in, be it by way of other links."""
    return path.is_symlink() and any(
        parent.resolve().is_relative_to(path.resolve()) for parent in path.parents
    )


def expand_folders(paths: Iterable[Path]) -> list[Path]:
    """Return the paths, each folder replaced by the images under it.

    Raises:
        InputError: a path does not exist or is a device, or a folder holds no image.
    """
    found: list[Path] = []
    for path in paths:
        if not path.exists():
            raise InputError(f"{path} does not exist. Correct the path.")
        if not (path.is_dir() or path.is_file()):
            raise InputError(f"{path} is neither a file nor a folder. Correct the path.")
        found += image_files(path) if path.is_dir() else [path]
    return found


def read_brightness(path: Path) -> FloatImage:
    """Return an image as H×W float32 in [0, 1], 0 black, upright, the first of several frames.

    Transparent parts are white, or black if all else is white.

    Raises:
        InputError: no readable image, or one of absurdly many pixels.
    """
    return _read_image(path, to_brightness)


def read_colours(path: Path) -> FloatImage:
    """Return an image as H×W×3 float32 in [0, 1]; else as :func:`read_brightness`."""
    return _read_image(path, to_colours)


def _read_image(path: Path, convert: Callable[[Image.Image], FloatImage]) -> FloatImage:
    try:
        with Image.open(path, formats=IMAGE_FORMATS) as image:
            if image.width * image.height > MAX_PIXELS:  # known before it is decoded
                raise Image.DecompressionBombError
            return convert(ImageOps.exif_transpose(image))
    except (Image.DecompressionBombError, Image.DecompressionBombWarning) as error:
        raise InputError(
            f"An image has at most {MAX_PIXELS:,} pixels, but {path} has more. Scale it down."
        ) from error
    except Exception as error:  # a decoder that is fed arbitrary bytes raises arbitrary things
        raise InputError(
            f"{path} is no image that can be read ({error}). Leave it out, or save it as PNG."
        ) from error


def to_brightness(image: Image.Image) -> FloatImage:
    """Return an image's H×W brightness in [0, 1].

    Raises:
        ValueError: it holds what is no number.
    """
    if image.mode.startswith(("I", "F")):
        values = np.asarray(image, dtype=np.float64)
        if not np.isfinite(values).all():
            raise ValueError("not every pixel is a number")
        whites = WHITES[-1:] if ";16" in image.mode else WHITES
        white = next((w for w in whites if values.max() <= w), values.max())
        return np.asarray((values / white).clip(0, 1), dtype=np.float32)
    if not image.has_transparency_data:
        return np.asarray(image.convert("L")).astype(np.float32) / np.float32(255)
    seen = image.convert("RGBA")
    grey = np.asarray(seen.convert("L"), dtype=np.float32) / 255
    alpha = np.asarray(seen.getchannel("A"), dtype=np.float32) / 255
    all_white = bool((grey[alpha > 0.5] > 0.9).all())
    return np.asarray(grey * alpha + (0.0 if all_white else 1.0) * (1 - alpha), dtype=np.float32)


def to_colours(image: Image.Image) -> FloatImage:
    """Return an image's H×W×3 red, green and blue in [0, 1]; transparent parts are white."""
    seen = image.convert("RGBA")
    white = Image.new("RGBA", seen.size, "white")
    opaque = Image.alpha_composite(white, seen).convert("RGB")
    return np.asarray(opaque).astype(np.float32) / np.float32(255)


def scale_to(image_HW: FloatImage, longer_side: int) -> FloatImage:
    """Return an image whose longer side has so many pixels."""
    height, width = image_HW.shape
    share = longer_side / max(height, width)
    size = max(1, round(width * share)), max(1, round(height * share))
    filtered = Image.Resampling.BOX if share < 1 else Image.Resampling.BICUBIC
    return np.asarray(Image.fromarray(image_HW).resize(size, filtered), dtype=np.float32)


def pad_to_square(image_HW: FloatImage) -> FloatImage:
    """Return an image in the middle of a square of paper."""
    side = max(image_HW.shape)
    framed = np.zeros((side, side), dtype=np.float32)
    top, left = ((side - n) // 2 for n in image_HW.shape)
    framed[top : top + image_HW.shape[0], left : left + image_HW.shape[1]] = image_HW
    return framed


def border_brightness(image_HW: FloatImage) -> float:
    """Return the median of an image's outermost pixels, which are paper more often than not."""
    edges = (image_HW[0], image_HW[-1], image_HW[:, 0], image_HW[:, -1])
    return float(np.median(np.concatenate(edges)))
