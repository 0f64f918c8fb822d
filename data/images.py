"""Finds and reads image files of many formats; the files are not trusted.

Array suffixes: H W pixels.
"""

import os
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path

import numpy as np
import numpy.typing as npt
from PIL import Image, ImageOps

from data.errors import InputError

MAX_PIXELS = 80_000_000  # per image; a photograph has about 12 to 50 million
# Formats that Pillow decodes itself: PostScript, for example, would start a program.
IMAGE_FORMATS = ("PNG", "JPEG", "GIF", "TIFF", "WEBP", "BMP", "PPM")
SUFFIXES = (
    *(".png", ".jpg", ".jpeg", ".gif", ".tif", ".tiff"),
    *(".webp", ".bmp", ".pbm", ".pgm", ".ppm"),
)
WHITE_LEVELS = (1.0, 255.0, 65535.0)  # possible values of white in integer and float images

FloatImage = npt.NDArray[np.float32]


def find_images(folder: Path) -> list[Path]:
    """Return all files under a folder that have the suffix of an image, sorted by path.

    Hidden files and folders are left out; symbolic links are followed.

    Raises:
        InputError: there is no image, or a folder cannot be read.
    """
    try:
        candidates = sorted(p for p in _visible_files(folder) if p.suffix.lower() in SUFFIXES)
        images = [path for path in candidates if path.is_file()]
    except OSError as error:
        raise InputError(f"{folder} cannot be read ({error}). Check its permissions.") from error
    if not images:
        raise InputError(f"{folder} must contain images, but has none. Name another folder.")
    return images


def expand_folders(paths: Iterable[Path]) -> list[Path]:
    """Return the paths with each folder replaced by the images under it.

    Raises:
        InputError: a path does not exist or is a device, or a folder has no image.
    """
    files: list[Path] = []
    for path in paths:
        if not path.exists():
            raise InputError(f"{path} does not exist. Correct the path.")
        if not (path.is_dir() or path.is_file()):
            raise InputError(f"{path} is neither a file nor a folder. Correct the path.")
        files += find_images(path) if path.is_dir() else [path]
    return files


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
        with Image.open(path, formats=IMAGE_FORMATS) as image:
            if image.width * image.height > MAX_PIXELS:  # checked before pixels are decoded
                raise Image.DecompressionBombError
            return convert(ImageOps.exif_transpose(image))
    except (Image.DecompressionBombError, Image.DecompressionBombWarning) as error:
        raise InputError(
            f"An image must have at most {MAX_PIXELS:,} pixels, but {path} has more. Scale it down."
        ) from error
    except Exception as error:  # decoders raise any exception on corrupt bytes
        raise InputError(
            f"{path} is not a readable image ({error}). Remove it, or save it as PNG."
        ) from error


def _visible_files(folder: Path) -> Iterator[Path]:
    """Yield all files under a folder that are not hidden.

    Raises:
        OSError: a folder cannot be read.
    """

    def raise_error(error: OSError) -> None:
        raise error

    for name, folders, files in os.walk(folder, onerror=raise_error, followlinks=True):
        parent = Path(name)
        visible = [parent / name for name in folders if not name.startswith(".")]
        folders[:] = [path.name for path in visible if not _is_cyclic_link(path)]
        yield from (parent / name for name in files if not name.startswith("."))


def _is_cyclic_link(path: Path) -> bool:
    """Return whether a path is a link to one of its own parents, even through other links."""
    return path.is_symlink() and any(
        parent.resolve().is_relative_to(path.resolve()) for parent in path.parents
    )
