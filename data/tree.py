"""Any folder of ``group/class/images`` as a data set, of whatever the images show.

The groups take the place of Omniglot's alphabets, the images of a class that of its drawers.

Tensor suffixes: N images, H W pixels.
"""

import hashlib
import math
import os
import re
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from data.drawings import Drawings
from data.episodes import Episodes, Packed, random_episodes, widest
from data.errors import InputError
from data.images import border, image_files, read_brightness, read_colours, scaled, squared

VERSION = 1  # counted up when the pixels or the split change
PARTS = ("train", "val", "test")
PART = re.compile(r"(train|val|test)(?:ing|id|idation)?(?:\d*|[-_. ].*)", re.IGNORECASE)
TEST_SHARE = 0.2  # of groups or classes; validation has as many
MIN_GROUPS = 3
N_EPISODES = 400  # at least so many test episodes

Class = tuple[str, str]  # its group, or "", and its name


@dataclass(frozen=True)
class Tree:
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


def tree_named(name: str) -> Tree | None:
    """Return the tree of that name; None for Omniglot, the built-in glyphs and MNIST."""
    if name in ("omniglot", "glyphs", "mnist"):
        return None
    folder, *options = name.split("+")
    return Tree(folder, "class" in options, "colour" in options)


def tree_at(root: Path, split_by: str | None, colour: bool) -> Tree:
    """Return how a folder is to be read.

    Args:
        root: the folder.
        split_by: ``"group"``, ``"class"``, or None for groups where there are enough, or where
            they are called train, val and test.
        colour: whether images keep their colours.

    Raises:
        InputError: it holds no images in folders.
    """
    groups = {place(root, file)[0] for file in image_files(root)}
    divided = len(groups) >= MIN_GROUPS or any(map(said_part, groups))
    by_class = split_by == "class" or (split_by is None and not divided)
    folder = re.sub(r"[^\w.-]", "_", root.resolve().name) or "images"
    return Tree(folder if tree_named(folder) else f"{folder}-images", by_class, colour)


def place(root: Path, file: Path) -> Class:
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


def said_part(group: str) -> str | None:
    """Return train, val or test for a group that is called so, as ``train`` or ``test_2``."""
    match = PART.fullmatch(group)
    return match[1].lower() if match else None


def said_parts(classes: Sequence[Class]) -> dict[str, str] | None:
    """Return the part of every group where the groups' names say it; None where none does.

    Raises:
        InputError: some say it and others do not, a part is missing, or a class that is trained
            on is tested.
    """
    said = {group: said_part(group) for group, _ in classes}
    if not any(said.values()):
        return None
    if set(said.values()) != set(PARTS):
        raise InputError(
            "Groups called train, val and test must be there all three, and no others, but there "
            f"are {', '.join(sorted(said))}. Rename them, or divide with --split-by class."
        )
    alone = Counter(name for group, name in classes if group.lower() in PARTS)
    if twice := sorted(name for name, n in alone.items() if n > 1):
        raise InputError(
            f"Class '{twice[0]}' is in more than one of train, val and test, but a one-shot test "
            "asks for classes that were never trained on. Put each class into one of them."
        )
    return {group: str(part) for group, part in said.items()}


def parts_of(names: Sequence[str], least: int) -> dict[str, str]:
    """Return the part of every name, of each part ``least`` names or more.

    A hash orders the names, so that the division hangs neither on their order nor on chance.

    Raises:
        InputError: there are too few.
    """
    if len(names) < len(PARTS) * least:
        raise InputError(
            f"Train, val and test need {least} each, but there are {len(names)} in all: "
            f"{', '.join(sorted(names)[:5])} … Add some, or divide otherwise with --split-by."
        )
    ordered = sorted(names, key=lambda name: hashlib.sha256(os.fsencode(name)).digest())
    n = max(least, round(TEST_SHARE * len(names)))
    part = ["test"] * n + ["val"] * n + ["train"] * (len(names) - 2 * n)
    return dict(zip(ordered, part, strict=True))


def alphabets_of(tree: Tree, classes: Sequence[Class]) -> dict[Class, str]:
    """Return every class's alphabet, named after its part: ``train``, or ``train/its group``."""
    if tree.by_class:
        named = {c: "/".join(filter(None, c)) for c in classes}
        part = parts_of(list(named.values()), 2)
        return {c: part[name] for c, name in named.items()}
    part = said_parts(classes) or parts_of(sorted({group for group, _ in classes}), 1)
    return {(group, name): f"{part[group]}/{group}" for group, name in classes}


def check_numbers(n_images: dict[Class, int], alphabet: dict[Class, str]) -> None:
    """Pass if every class has two images and every alphabet two classes.

    Raises:
        InputError: else.
    """
    for (group, name), n in n_images.items():
        if n < 2:
            raise InputError(
                f"A class has two images or more, but '{name}' of group '{group}' has {n}. Add "
                "one, or take the class away."
            )
    for found, n in Counter(alphabet.values()).items():
        if n < 2:
            raise InputError(
                f"A group has two classes or more, but '{found}' has {n}. Add one, or divide "
                "otherwise with --split-by."
            )


def pixels(path: Path, image_size: int, *, colour: bool) -> Tensor:
    """Return an image as uint8, H×W or 3×H×W, in the middle of a square.

    A grey image with a light border is inverted, for paper is 0 and ink 255 (Deviation D8).

    Raises:
        InputError: no readable image.
    """
    if colour:
        planes = list(np.moveaxis(read_colours(path), -1, 0))
    else:
        grey = read_brightness(path)
        planes = [1 - grey if border(grey) > 0.5 else grey]
    framed = torch.from_numpy(np.stack([squared(scaled(p, image_size)) for p in planes]))
    return framed.clamp(0, 1).mul(255).round().to(torch.uint8).squeeze(0)


def digest_of(root: Path, files: Sequence[Path], alphabets: Sequence[str]) -> str:
    """Return the SHA-256 of all names, contents and alphabets, the identity of the data set."""
    digest = hashlib.sha256()
    for file, alphabet in zip(files, alphabets, strict=True):
        content = hashlib.sha256(file.read_bytes()).hexdigest()
        line = f"{alphabet}\n{file.relative_to(root).as_posix()}\n{content}\n"
        digest.update(os.fsencode(line))
    return digest.hexdigest()


def read(root: Path, tree: Tree, image_size: int) -> Packed:
    """Return all images under a folder at one size, and 400 or more fixed test episodes.

    Raises:
        InputError: too few groups, classes or images, or a file that is no readable image.
    """
    class_of = {file: place(root, file) for file in image_files(root)}
    n_images = Counter(class_of.values())
    alphabet = alphabets_of(tree, sorted(n_images))
    check_numbers(n_images, alphabet)
    files = sorted(class_of, key=lambda file: (alphabet[class_of[file]], class_of[file], file))
    of_file = [alphabet[class_of[file]] for file in files]
    names, alphabet_N = np.unique(of_file, return_inverse=True)
    classes = dict.fromkeys(class_of[file] for file in files)
    number = {found: i for i, found in enumerate(classes)}
    drawings = Drawings(
        name=tree.name,
        digest=digest_of(root, files, of_file),
        alphabets=tuple(map(str, names)),
        images_NHW=torch.stack([pixels(f, image_size, colour=tree.colour) for f in files]),
        alphabet_N=torch.from_numpy(alphabet_N),
        character_N=torch.tensor([number[class_of[file]] for file in files]),
        drawer_N=torch.cat([torch.arange(n_images[c]) for c in classes]),
    )
    return Packed(drawings, test_episodes(drawings))


def test_episodes(drawings: Drawings) -> Episodes:
    """Return fixed random episodes of the test alphabets, by positions in all drawings."""
    names = [name for name in drawings.alphabets if name.startswith("test")]
    test = drawings.only(names)
    n_way = widest(test)
    n_blocks = math.ceil(N_EPISODES / (n_way * len(names)))
    episodes = random_episodes(test, n_way=n_way, n_blocks=n_blocks)
    return episodes.renumbered(drawings.positions(names))
