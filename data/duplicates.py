"""Images that occur several times in an image folder, and classes with equal names.

Two files are the same image if their pixels are equal, whatever their names and formats.
"""

from collections import defaultdict
from collections.abc import Mapping, Sequence
from typing import TypeVar

from data.drawings import Drawings
from data.errors import InputError
from data.folder_split import ClassKey

DROP_COPIES = "use --drop-duplicates to keep one copy of each image"

Image = TypeVar("Image")  # what identifies an image: its file, or its number


def first_copies(hashes: Sequence[bytes]) -> list[int]:
    """Return the positions of the images that are not copies of an earlier one."""
    return sorted({content: i for i, content in reversed([*enumerate(hashes)])}.values())


def require_separate_parts(
    images: Sequence[object], hashes: Sequence[bytes], parts: Sequence[str], repair: str
) -> None:
    """Raise InputError if an image is in two of train, val and test.

    Args:
        images: file or name of each image.
        hashes: hash of each image, from :func:`data.images.read_square_images`.
        parts: part of each image.
        repair: what the user can do besides removing one of two equal images.

    Raises:
        InputError: an image is in two parts; the message names both images.
    """
    first: dict[bytes, int] = {}
    leaks = []
    for i, content in enumerate(hashes):
        j = first.setdefault(content, i)
        if parts[i] != parts[j]:
            leaks.append((images[j], images[i]))
    if leaks:
        one, other = leaks[0]
        raise InputError(
            "An image must be in only one of train, val and test, but "
            f"{len(leaks)} are in two; the first is {one}, which is the same as {other}. Remove "
            f"one of them, or {repair}."
        )


def count_copies(drawings: Drawings) -> int:
    """Return how many images are equal to an earlier one at the size of the data set."""
    images_N = drawings.images_NHW.flatten(1).numpy()
    return len(images_N) - len({image.tobytes() for image in images_N})


def recurring_names(classes: Sequence[ClassKey]) -> list[str]:
    """Return the names of the classes that are in several groups, sorted."""
    groups: defaultdict[str, set[str]] = defaultdict(set)
    for group, name in classes:
        groups[name].add(group)
    return sorted(name for name, names in groups.items() if len(names) > 1)


def merge_equal_names(class_of: Mapping[Image, ClassKey]) -> dict[Image, ClassKey]:
    """Return the class of every image; classes with equal names in several groups become one.

    Args:
        class_of: group and class of every image.

    Returns:
        The same classes; a merged class has the group ``""``.
    """
    merged = set(recurring_names([*class_of.values()]))
    return {
        image: ("", name) if name in merged else (group, name)
        for image, (group, name) in class_of.items()
    }
