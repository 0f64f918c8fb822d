"""Arrays of images as a data set, by the rules of image folders.

Array suffixes: H W pixels.
"""

import hashlib
import json
import numbers
from collections.abc import Iterable, Sequence
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

from data.class_images import Place, dataset_of_classes, has_groups, place_images
from data.division import Division
from data.duplicates import require_separate_parts
from data.episodes import Dataset
from data.errors import InputError
from data.image_folder import ImageFolder, clean_dataset_name
from data.images import FloatImage, pixel_hash, to_square
from data.text import composed

LEAVE_OUT = "leave out copies"
MIN_SIZE = 16  # pixels; enough to check images
REGISTERED: dict[str, "ArrayImages"] = {}  # by name of the data set
_digests: dict[str, str] = {}  # of the registered data sets


class ArrayImages(NamedTuple):
    """Images in memory, as :func:`dataset_from_arrays` takes them."""

    images: Any
    labels: Any
    groups: Any


def register_arrays(images: Any, labels: Any, groups: Any = None, name: str = "arrays") -> str:
    """Make images known to :func:`data.load.load_dataset` in this process; return their name.

    Args:
        images: see :func:`dataset_from_arrays`.
        labels: class of each image.
        groups: group of each image, or None.
        name: name of the data set, without options; each data set needs its own.

    Raises:
        InputError: the images cannot be used, or others are registered under the name.
    """
    drawings = dataset_from_arrays(images, labels, groups, image_size=MIN_SIZE, name=name).drawings
    if _digests.setdefault(drawings.name, drawings.digest) != drawings.digest:
        raise InputError(
            f"Other images are registered under the name '{name}'. Give each data set its own name."
        )
    REGISTERED[drawings.name] = ArrayImages(images, labels, groups)
    return drawings.name


def dataset_from_arrays(
    images: Sequence[Any] | npt.NDArray[Any],
    labels: Sequence[Any] | npt.NDArray[Any],
    groups: Sequence[Any] | npt.NDArray[Any] | None = None,
    *,
    image_size: int,
    name: str = "arrays",
    division: Division | None = None,
) -> Dataset:
    """Return images and their classes as a data set, with about 400 fixed test episodes, or fewer.

    The rules are those of image folders. Groups are assigned to train, validation and test if a
    division is given, if there are at least three, or if they are named train, val and test.
    Otherwise classes are. A grey image with a light border is inverted.

    Args:
        images: N images, H×W (grey) or H×W×3 (colour), uint8 or float in [0, 1], 0 is black; the
            images of a sequence may have different sizes.
        labels: class of each image, a name or a whole number.
        groups: group of each image, a name or a whole number; None if there are no groups.
        image_size: height and width of the images of the data set in pixels.
        name: name of the data set.
        division: a user's own division of the groups; groups in no part are left out.

    Raises:
        InputError: the arguments have different lengths, an image is not as above, an image is in
            two parts, or there are too few groups, classes or images.
    """
    class_of = _classes(len(images), labels, groups)
    by_class = division is None and not has_groups({group for group, _ in class_of})
    if division is not None and groups is None:
        raise InputError(
            "A division into train, val and test names groups, but groups is None. Give the group "
            "of each image, or leave out the division."
        )
    is_colour = np.ndim(images[0]) == 3
    places = place_images(dict(enumerate(class_of)), by_class=by_class, division=division)
    squares, hash_of = {}, {}
    for i in places:
        image = _to_float(images[i], i, is_colour)
        squares[i], hash_of[i] = to_square(image, image_size), pixel_hash(image, {})
    order = sorted(places, key=lambda i: (places[i], i))
    hashes = [hash_of[i] for i in order]
    parts = [places[i][0].split("/")[0] for i in order]
    require_separate_parts([f"images[{i}]" for i in order], hashes, parts, LEAVE_OUT)
    sorted_places = [places[i] for i in order]
    return dataset_of_classes(
        ImageFolder(clean_dataset_name(name), by_class, is_colour).name,
        _digest(sorted_places, hashes),
        sorted_places,
        [squares[i] for i in order],
        {*sorted_places},
    )


def _classes(n: int, labels: Iterable[Any], groups: Iterable[Any] | None) -> list[tuple[str, str]]:
    """Return group and class of each of ``n`` images; the group is ``""`` if there is none."""
    names = {"labels": _names("labels", labels)}
    if groups is not None:
        names["groups"] = _names("groups", groups)
    for argument, values in names.items():
        if len(values) != n:
            raise InputError(
                f"images and {argument} must have the same length, but have {n} and {len(values)}. "
                f"Give one of {argument} for each image."
            )
    if n == 0:
        raise InputError("images must not be empty. Give at least two images of each class.")
    return list(zip(names.get("groups", [""] * n), names["labels"], strict=True))


def _names(argument: str, values: Iterable[Any]) -> list[str]:
    """Return names or whole numbers as text."""
    listed = values.tolist() if hasattr(values, "tolist") else list(values)
    texts = [_name(value) for value in listed]
    if None in texts:
        i = texts.index(None)
        raise InputError(
            f"{argument} must be names or whole numbers, but {argument}[{i}] is {listed[i]!r}. "
            "Replace it."
        )
    return [text for text in texts if text is not None]


def _name(value: object) -> str | None:
    """Return a name or a whole number as text; None for anything else."""
    if isinstance(value, str):
        return composed(value) or None
    if isinstance(value, numbers.Integral) and not isinstance(value, bool):
        return str(int(value))
    return str(int(value)) if isinstance(value, float) and value.is_integer() else None


def _to_float(image: Any, i: int, is_colour: bool) -> FloatImage:
    """Return an image as float32 in [0, 1].

    Args:
        image: image number ``i``.
        i: number of the image, for messages.
        is_colour: whether the other images are H×W×3.

    Raises:
        InputError: the image has another shape, type or range.
    """
    values = np.asarray(image)
    has_shape = values.ndim == 3 and values.shape[2] == 3 if is_colour else values.ndim == 2
    if not has_shape or values.size == 0:
        raise InputError(
            "images must all be H×W (grey) or all H×W×3 (colour), with at least one pixel, but "
            f"images[{i}] has the shape {'×'.join(map(str, values.shape)) or 'of a number'}. "
            "Change its shape."
        )
    if values.dtype == np.uint8:
        return np.asarray(values.astype(np.float32) / np.float32(255))
    if not np.issubdtype(values.dtype, np.floating):
        raise InputError(
            f"images must be uint8, or float in [0, 1], but images[{i}] is {values.dtype}. Convert "
            "it."
        )
    if not (values.min() >= 0 and values.max() <= 1):  # also refuses NaN
        raise InputError(
            f"Float images must be in [0, 1] without NaN, but images[{i}] has values from "
            f"{values.min():g} to {values.max():g}. Scale them."
        )
    return values.astype(np.float32)


def _digest(places: Iterable[Place], hashes: Iterable[bytes]) -> str:
    """Return the SHA-256 of alphabets, classes and pixels, which identifies the data set."""
    digest = hashlib.sha256()
    for (alphabet, key), content in zip(places, hashes, strict=True):
        digest.update(json.dumps([alphabet, *key, content.hex()]).encode() + b"\n")
    return digest.hexdigest()
