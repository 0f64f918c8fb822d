"""Assigns the groups or classes of an image folder to train, validation and test.

A class is identified by its group, or ``""`` without one, and its name.
"""

import hashlib
import os
import re
from collections import Counter
from collections.abc import Sequence

from data.division import PARTS, Division, resolve_division
from data.errors import InputError

PART_NAME = re.compile(r"(train|val|test)(?:ing|id|idation)?(\d*|[-_. ].*)", re.IGNORECASE)
TEST_FRACTION = 0.2  # of the groups or classes; the same for validation

ClassKey = tuple[str, str]  # group, class


def part_from_name(group: str) -> str | None:
    """Return the part that a group's name denotes, as ``test_2`` does; None for other names."""
    match = PART_NAME.fullmatch(group)
    return match[1].lower() if match else None


def is_plain_part_name(group: str) -> bool:
    """Return whether a group's name is only the name of a part, for example ``training``."""
    match = PART_NAME.fullmatch(group)
    return match is not None and not match[2]


def parts_from_group_names(classes: Sequence[ClassKey]) -> dict[str, str] | None:
    """Return the part of every group according to its name, or None if no name begins with a part.

    Raises:
        InputError: only some names begin with a part, a part is missing, or two parts have a class
            in common.
    """
    parts = {group: part_from_name(group) for group, _ in classes}
    if not any(parts.values()):
        return None
    if set(parts.values()) != set(PARTS):
        raise InputError(
            "Groups named train, val and test must all be present, without other groups, but the "
            f"groups are {', '.join(sorted(parts))}. Rename them, or use --split-by class."
        )
    counts = Counter(name for group, name in classes if is_plain_part_name(group))
    if duplicates := sorted(name for name, n in counts.items() if n > 1):
        raise InputError(
            "A class must be in only one of train, val and test, so that the test classes are new "
            f"to the network, but class '{duplicates[0]}' is in more than one. Move its images "
            "into one of them."
        )
    return {group: str(part) for group, part in parts.items()}


def split_by_hash(names: Sequence[str], min_per_part: int) -> dict[str, str]:
    """Return the part of every name; each part gets at least ``min_per_part`` names.

    The order of the names' hashes decides, so the split depends only on the set of names.

    Raises:
        InputError: there are too few names.
    """
    if len(names) < len(PARTS) * min_per_part:
        raise InputError(
            f"Each of train, val and test needs at least {min_per_part}, but there are only "
            f"{len(names)} in total: {', '.join(sorted(names)[:5])} … Add more, or change "
            "--split-by."
        )
    ordered = sorted(names, key=lambda name: hashlib.sha256(os.fsencode(name)).digest())
    n = max(min_per_part, round(TEST_FRACTION * len(names)))
    parts = ["test"] * n + ["val"] * n + ["train"] * (len(names) - 2 * n)
    return dict(zip(ordered, parts, strict=True))


def assign_alphabets(
    classes: Sequence[ClassKey], *, by_class: bool, division: Division | None = None
) -> dict[ClassKey, str]:
    """Return the alphabet of every class: its part, ``train``, or part and group, ``train/a``.

    Args:
        classes: all classes.
        by_class: whether classes are assigned to parts; otherwise whole groups are.
        division: division of the groups. The classes of groups in no part are left out.

    Raises:
        InputError: the classes cannot be assigned.
    """
    if division is not None:
        require_groups(by_class=by_class)
        part_of = resolve_division(division, (group for group, _ in classes)).part_of
        used = [(group, name) for group, name in classes if group in part_of]
        return {(group, name): f"{part_of[group]}/{group}" for group, name in used}
    if by_class:
        names = {key: "/".join(filter(None, key)) for key in classes}
        part = split_by_hash(list(names.values()), 2)
        return {key: part[name] for key, name in names.items()}
    groups = sorted({group for group, _ in classes})
    part = parts_from_group_names(classes) or split_by_hash(groups, 1)
    return {(group, name): f"{part[group]}/{group}" for group, name in classes}


def require_groups(*, by_class: bool) -> None:
    """Raise InputError if data to which a division is applied is split by class.

    Raises:
        InputError: it is.
    """
    if by_class:
        raise InputError(
            "A division into train, val and test names groups, but the data is split by class. "
            "Put the classes into folders of groups and leave out --split-by class, or remove the "
            "division."
        )


def require_enough_images(n_images: dict[ClassKey, int], alphabet: dict[ClassKey, str]) -> None:
    """Raise InputError unless every class has two images and every alphabet two classes.

    Args:
        n_images: number of images of each class.
        alphabet: alphabet of each class.

    Raises:
        InputError: a class or an alphabet is too small.
    """
    for (group, name), n in n_images.items():
        if n < 2:
            raise InputError(
                f"A class must have at least two images, but '{name}' of group '{group}' has {n}. "
                "Add an image, or remove the class."
            )
    for name, n in Counter(alphabet.values()).items():
        if n < 2:
            raise InputError(
                f"A group must have at least two classes, but '{name}' has {n}. Add a class, or "
                "change --split-by."
            )
