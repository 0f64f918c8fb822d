"""Any folder of ``group/class/images`` as a data set, whatever the images show.

Groups correspond to Omniglot's alphabets, classes to its characters, and the images of a class to
the drawings by different drawers.

Tensor suffixes: N images, H W pixels.
"""

import hashlib
import math
import os
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from data.drawings import Drawings
from data.duplicates import (
    first_copies,
    merge_equal_names,
    require_separate_parts,
)
from data.episodes import Dataset, Episodes, max_n_way, random_episodes
from data.errors import InputError
from data.files import safe_name
from data.folder_split import ClassKey, assign_alphabets, part_from_name, require_enough_images
from data.image_files import find_images
from data.images import read_square_images
from data.text import composed

FOLDER_VERSION = 3  # incremented when pixels, names, split or episodes change
MIN_GROUPS = 3
MIN_TEST_EPISODES = 400


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
    name = safe_name(composed(root.resolve().name)).replace("+", "_") or "images"
    return name if parse_dataset_name(name) else f"{name}-images"


def inspect_folder(
    root: Path, split_by: str | None, colour: bool, distinct: bool = False
) -> ImageFolder:
    """Return how an image folder is read.

    Args:
        root: path of the image folder.
        split_by: ``"group"`` or ``"class"``; None chooses groups if there are at least
            ``MIN_GROUPS`` or if they are named train, val and test, otherwise classes.
        colour: whether images keep their colours.
        distinct: whether only one copy of each image is read.

    Raises:
        InputError: the folder has no images in subfolders.
    """
    groups = {group for group, _ in classes_of_files(root, find_images(root)).values()}
    has_groups = len(groups) >= MIN_GROUPS or any(map(part_from_name, groups))
    by_class = split_by == "class" or (split_by is None and not has_groups)
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


def read_image_folder(root: Path, folder: ImageFolder, image_size: int) -> Dataset:
    """Return all images of a folder at one size, with about 400 fixed test episodes, or fewer.

    Args:
        root: path of the image folder.
        folder: how to read it.
        image_size: height and width of the images in pixels.

    Raises:
        InputError: there are too few groups, classes or images, or an image is not readable.
    """
    class_of = classes_of_files(root, find_images(root))
    if folder.by_class:
        class_of = merge_equal_names(class_of)
    n_images = Counter(class_of.values())
    alphabet = assign_alphabets(sorted(n_images), by_class=folder.by_class)
    require_enough_images(n_images, alphabet)
    files = sorted(class_of, key=lambda f: (alphabet[class_of[f]], class_of[f], composed(f.name)))
    files, images = _read_images(files, [alphabet[class_of[f]] for f in files], folder, image_size)
    n_images = Counter(dict.fromkeys(n_images, 0))
    n_images.update(class_of[file] for file in files)
    require_enough_images(n_images, alphabet)
    file_alphabets = [alphabet[class_of[file]] for file in files]
    alphabets, alphabet_N = np.unique(file_alphabets, return_inverse=True)
    classes = dict.fromkeys(class_of[file] for file in files)
    number = {key: i for i, key in enumerate(classes)}
    drawings = Drawings(
        name=folder.name,
        digest=folder_digest(root, files, file_alphabets),
        alphabets=tuple(map(str, alphabets)),
        images_NHW=torch.stack(images),
        alphabet_N=torch.from_numpy(alphabet_N),
        character_N=torch.tensor([number[class_of[file]] for file in files]),
        drawer_N=torch.cat([torch.arange(n_images[key]) for key in classes]),
    )
    return Dataset(drawings, fixed_test_episodes(drawings))


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
        require_separate_parts(files, hashes, [name.split("/")[0] for name in alphabets])
        return [*files], images
    positions = first_copies(hashes)
    return [files[i] for i in positions], [images[i] for i in positions]


def fixed_test_episodes(drawings: Drawings) -> Episodes:
    """Return about 400 fixed, different test episodes, as positions in ``drawings``.

    There are fewer if the test images do not allow 400 different episodes.
    """
    names = [name for name in drawings.alphabets if name.startswith("test")]
    test = drawings.subset(names)
    n_way = max_n_way(test)
    n_blocks = math.ceil(MIN_TEST_EPISODES / (n_way * len(names)))
    episodes = random_episodes(test, n_way=n_way, n_blocks=n_blocks)
    return episodes.reindex(drawings.positions(names))


def _class_of_folder(folder: Path) -> ClassKey:
    group, *rest = map(composed, folder.parts)
    return (group, "/".join(rest)) if rest else ("", group)
