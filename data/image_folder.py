"""Any folder of ``group/class/images`` as a data set, of whatever the images show.

The groups take the place of Omniglot's alphabets, the images of a class that of its drawers.

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
from data.episodes import Dataset, Episodes, max_n_way, random_episodes
from data.errors import InputError
from data.files import safe_name
from data.folder_split import Class, assign_alphabets, part_in_name, require_counts
from data.images import (
    border_brightness,
    image_files,
    pad_to_square,
    read_brightness,
    read_colours,
    scale_to,
)

FOLDER_VERSION = 1  # counted up when the pixels or the split change

MIN_GROUPS = 3

MIN_TEST_EPISODES = 400  # at least so many test episodes


@dataclass(frozen=True)
class ImageFolder:
    """What a tree is read as; its name, as in ``digits+class+colour``, says all of it.

    Args:
        folder: name of the folder.
        by_class: whether classes are divided among train, val and test; else groups are.
        colour: whether images keep their colours.
    """

    folder: str
    by_class: bool
    colour: bool

    @property
    def name(self) -> str:
        """The data set's name."""
        return self.folder + "+class" * self.by_class + "+colour" * self.colour

    @property
    def channels(self) -> int:
        """Number of values per pixel."""
        return 3 if self.colour else 1


def parse_dataset_name(name: str) -> ImageFolder | None:
    """Return the tree of that name; None for Omniglot, the built-in glyphs and MNIST."""
    if name in ("omniglot", "glyphs", "mnist"):
        return None
    folder, *options = name.split("+")
    return ImageFolder(folder, "class" in options, "colour" in options)


def inspect_folder(root: Path, split_by: str | None, colour: bool) -> ImageFolder:
    """Return how a folder is to be read.

    Args:
        root: the folder.
        split_by: ``"group"``, ``"class"``, or None for groups where there are enough, or where
            they are called train, val and test.
        colour: whether images keep their colours.

    Raises:
        InputError: it holds no images in folders.
    """
    groups = {class_of_file(root, file)[0] for file in image_files(root)}
    divided = len(groups) >= MIN_GROUPS or any(map(part_in_name, groups))
    by_class = split_by == "class" or (split_by is None and not divided)
    return ImageFolder(folder_name(root), by_class, colour)


def folder_name(root: Path) -> str:
    """Return what a folder is called in the names of data sets; never as one of the others."""
    folder = safe_name(root.resolve().name).replace("+", "_") or "images"
    return folder if parse_dataset_name(folder) else f"{folder}-images"


def class_of_file(root: Path, file: Path) -> Class:
    """Return group and class of an image; a class that lies in no group is in group ``""``.

    Raises:
        InputError: it lies in no class.
    """
    folders = file.relative_to(root).parts[:-1]
    if not folders:
        raise InputError(
            f"Images lie in folders group/class or class, but {file.name} lies in {root} itself. "
            "Move it into the folder of its class."
        )
    return (folders[0], "/".join(folders[1:])) if len(folders) > 1 else ("", folders[0])


def read_pixels(path: Path, image_size: int, *, colour: bool) -> Tensor:
    """Return an image as uint8, H×W or 3×H×W, in the middle of a square.

    A grey image with a light border is inverted, for paper is 0 and ink 255 (Deviation D8).

    Raises:
        InputError: no readable image.
    """
    if colour:
        planes = list(np.moveaxis(read_colours(path), -1, 0))
    else:
        grey = read_brightness(path)
        planes = [1 - grey if border_brightness(grey) > 0.5 else grey]
    framed = torch.from_numpy(np.stack([pad_to_square(scale_to(p, image_size)) for p in planes]))
    return framed.clamp(0, 1).mul(255).round().to(torch.uint8).squeeze(0)


def folder_digest(root: Path, files: Sequence[Path], alphabets: Sequence[str]) -> str:
    """Return the SHA-256 of all names, contents and alphabets, the identity of the data set."""
    digest = hashlib.sha256()
    for file, alphabet in zip(files, alphabets, strict=True):
        content = hashlib.sha256(file.read_bytes()).hexdigest()
        line = f"{alphabet}\n{file.relative_to(root).as_posix()}\n{content}\n"
        digest.update(os.fsencode(line))
    return digest.hexdigest()


def read_image_folder(root: Path, tree: ImageFolder, image_size: int) -> Dataset:
    """Return all images under a folder at one size, and 400 or more fixed test episodes.

    Raises:
        InputError: too few groups, classes or images, or a file that is no readable image.
    """
    class_of = {file: class_of_file(root, file) for file in image_files(root)}
    n_images = Counter(class_of.values())
    alphabet = assign_alphabets(sorted(n_images), by_class=tree.by_class)
    require_counts(n_images, alphabet)
    files = sorted(class_of, key=lambda file: (alphabet[class_of[file]], class_of[file], file))
    of_file = [alphabet[class_of[file]] for file in files]
    names, alphabet_N = np.unique(of_file, return_inverse=True)
    classes = dict.fromkeys(class_of[file] for file in files)
    number = {found: i for i, found in enumerate(classes)}
    drawings = Drawings(
        name=tree.name,
        digest=folder_digest(root, files, of_file),
        alphabets=tuple(map(str, names)),
        images_NHW=torch.stack([read_pixels(f, image_size, colour=tree.colour) for f in files]),
        alphabet_N=torch.from_numpy(alphabet_N),
        character_N=torch.tensor([number[class_of[file]] for file in files]),
        drawer_N=torch.cat([torch.arange(n_images[c]) for c in classes]),
    )
    return Dataset(drawings, fixed_test_episodes(drawings))


def fixed_test_episodes(drawings: Drawings) -> Episodes:
    """Return fixed random episodes of the test alphabets, by positions in all drawings."""
    names = [name for name in drawings.alphabets if name.startswith("test")]
    test = drawings.only(names)
    n_way = max_n_way(test)
    n_blocks = math.ceil(MIN_TEST_EPISODES / (n_way * len(names)))
    episodes = random_episodes(test, n_way=n_way, n_blocks=n_blocks)
    return episodes.renumbered(drawings.positions(names))
