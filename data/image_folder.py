"""Any folder of ``group/class/images`` as a data set, whatever the images show.

Groups correspond to Omniglot's alphabets, classes to its characters, and the images of a class to
the drawings by different drawers.

Tensor suffixes: N images, H W pixels.
"""

import hashlib
import os
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from torch import Tensor

from data.class_images import dataset_of_classes, has_groups, place_images
from data.division import Division
from data.duplicates import DROP_COPIES, first_copies, require_separate_parts
from data.episodes import Dataset
from data.errors import InputError
from data.files import safe_name
from data.folder_split import ClassKey
from data.image_files import find_images
from data.images import read_square_images
from data.text import composed

FOLDER_VERSION = 3  # incremented when pixels, names, split or episodes change


@dataclass(frozen=True)
class ImageFolder:
    """How an image folder is read; ``name`` contains all of it, as in ``digits+class+colour``.

    Args:
        folder: name of the folder.
        by_class: whether classes are assigned to train, val and test; otherwise groups are.
        colour: whether images keep their colours.
        distinct: whether only one copy of each image is read.
    """

    folder: str
    by_class: bool
    colour: bool
    distinct: bool = False

    @property
    def name(self) -> str:
        """The data set's name."""
        options = {"class": self.by_class, "colour": self.colour, "distinct": self.distinct}
        return "+".join([self.folder, *(name for name, chosen in options.items() if chosen)])

    @property
    def channels(self) -> int:
        """Number of values per pixel."""
        return 3 if self.colour else 1


def parse_dataset_name(name: str) -> ImageFolder | None:
    """Return the image folder with that name; None for Omniglot, the built-in glyphs and MNIST."""
    if name in ("omniglot", "glyphs", "mnist"):
        return None
    folder, *options = name.split("+")
    return ImageFolder(folder, *(name in options for name in ("class", "colour", "distinct")))


def base_dataset_name(root: Path) -> str:
    """Return a folder's name as a data set, without options, and different from the built-in names.

    Args:
        root: path of the image folder.
    """
    return clean_dataset_name(root.resolve().name)


def clean_dataset_name(text: str) -> str:
    """Return a text as the name of a data set, without ``+`` and different from built-in names."""
    name = safe_name(composed(text)).replace("+", "_") or "images"
    return name if parse_dataset_name(name) else f"{name}-images"


def inspect_folder(
    root: Path, split_by: str | None, colour: bool, distinct: bool = False
) -> ImageFolder:
    """Return how an image folder is read.

    Args:
        root: path of the image folder.
        split_by: ``"group"`` or ``"class"``; None chooses groups if there are at least three or if
            they are named train, val and test, otherwise classes.
        colour: whether images keep their colours.
        distinct: whether only one copy of each image is read.

    Raises:
        InputError: the folder has no images in subfolders.
    """
    groups = {*folder_groups(root)}
    by_class = split_by == "class" or (split_by is None and not has_groups(groups))
    return ImageFolder(base_dataset_name(root), by_class, colour, distinct)


def classes_of_files(root: Path, files: Sequence[Path]) -> dict[Path, ClassKey]:
    """Return group and class of every image; the group is ``""`` if there is none.

    Args:
        root: path of the image folder.
        files: all images, sorted by path.

    Raises:
        InputError: an image is directly in ``root``, or next to folders of images.
    """
    parents = [file.parent for file in files]
    folders = dict(zip(reversed(parents), reversed(files), strict=True))  # the first image of each
    if root in folders:
        raise InputError(
            f"Images must be in folders group/class or class, but {folders[root].name} is directly "
            f"in {root}. Move it into the folder of its class."
        )
    for folder in sorted(folders):
        if mixed := next((parent for parent in folder.parents if parent in folders), None):
            raise InputError(
                f"A folder must contain either images or folders, but {mixed} contains "
                f"{folders[mixed].name} and {folder.relative_to(mixed)}/. Move its images into a "
                f"separate folder, or move {folder.relative_to(mixed)}/ out of it."
            )
    class_of = {folder: _class_of_folder(folder.relative_to(root)) for folder in folders}
    return {file: class_of[parent] for file, parent in zip(files, parents, strict=True)}


def folder_digest(root: Path, files: Sequence[Path], alphabets: Sequence[str]) -> str:
    """Return the SHA-256 of all names, contents and alphabets, which identifies the data set.

    Args:
        root: path of the image folder.
        files: all images.
        alphabets: alphabet of each image.
    """
    digest = hashlib.sha256()
    for file, alphabet in zip(files, alphabets, strict=True):
        content = hashlib.sha256(file.read_bytes()).hexdigest()
        line = f"{alphabet}\n{composed(file.relative_to(root).as_posix())}\n{content}\n"
        digest.update(os.fsencode(line))
    return digest.hexdigest()


def read_image_folder(
    root: Path, folder: ImageFolder, image_size: int, division: Division | None = None
) -> Dataset:
    """Return all images of a folder at one size, with about 400 fixed test episodes, or fewer.

    Args:
        root: path of the image folder.
        folder: how to read it.
        image_size: height and width of the images in pixels.
        division: a user's own division of the groups; groups in no part are not read.

    Raises:
        InputError: there are too few groups, classes or images, an image is not readable, or the
            division does not fit the folder.
    """
    class_of = classes_of_files(root, find_images(root))
    places = place_images(class_of, by_class=folder.by_class, division=division)
    files = sorted(places, key=lambda file: (places[file], composed(file.name)))
    files, images = _read_images(files, [places[file][0] for file in files], folder, image_size)
    digest = folder_digest(root, files, [places[file][0] for file in files])
    kept = [places[file] for file in files]
    return dataset_of_classes(folder.name, digest, kept, images, {*places.values()})


def folder_groups(root: Path) -> list[str]:
    """Return the names of the groups of an image folder, sorted; ``""`` is a class without a group.

    Args:
        root: path of the image folder.

    Raises:
        InputError: the folder has no images in subfolders.
    """
    return sorted({group for group, _ in classes_of_files(root, find_images(root)).values()})


def _read_images(
    files: Sequence[Path], alphabets: Sequence[str], folder: ImageFolder, image_size: int
) -> tuple[list[Path], list[Tensor]]:
    """Return the images at one size and their files, without copies if the folder is distinct.

    Args:
        files: all images.
        alphabets: alphabet of each image, which begins with its part.
        folder: how to read them.
        image_size: height and width in pixels.

    Raises:
        InputError: an image is not readable, or in two parts.
    """
    images, hashes = read_square_images(files, image_size, colour=folder.colour)
    if not folder.distinct:
        parts = [name.split("/")[0] for name in alphabets]
        require_separate_parts(files, hashes, parts, DROP_COPIES)
        return [*files], images
    positions = first_copies(hashes)
    return [files[i] for i in positions], [images[i] for i in positions]


def _class_of_folder(folder: Path) -> ClassKey:
    group, *rest = map(composed, folder.parts)
    return (group, "/".join(rest)) if rest else ("", group)
