"""Which of a tree's groups or classes train, validate and test.

A class is named by its group, or ``""``, and its own name.
"""

import hashlib
import os
import re
from collections import Counter
from collections.abc import Sequence

from data.errors import InputError

PARTS = ("train", "val", "test")

PART = re.compile(r"(train|val|test)(?:ing|id|idation)?(\d*|[-_. ].*)", re.IGNORECASE)

TEST_SHARE = 0.2  # of groups or classes; validation has as many

Class = tuple[str, str]


def part_in_name(group: str) -> str | None:
    """Return train, val or test for a group that is called so, as ``train`` or ``test_2``."""
    match = PART.fullmatch(group)
    return match[1].lower() if match else None


def is_bare_part_name(group: str) -> bool:
    """Return whether a group is called as a part and nothing else, as ``training``."""
    match = PART.fullmatch(group)
    return match is not None and not match[2]


def parts_from_names(classes: Sequence[Class]) -> dict[str, str] | None:
    """Return the part of every group where the groups' names say it; None where none does.

    Raises:
        InputError: some say it and others do not, a part is missing, or a class that is trained
            on is tested.
    """
    said = {group: part_in_name(group) for group, _ in classes}
    if not any(said.values()):
        return None
    if set(said.values()) != set(PARTS):
        raise InputError(
            "Groups called train, val and test must be there all three, and no others, but there "
            f"are {', '.join(sorted(said))}. Rename them, or divide with --split-by class."
        )
    alone = Counter(name for group, name in classes if is_bare_part_name(group))
    if twice := sorted(name for name, n in alone.items() if n > 1):
        raise InputError(
            f"Class '{twice[0]}' is in more than one of train, val and test, but a one-shot test "
            "asks for classes that were never trained on. Put each class into one of them."
        )
    return {group: str(part) for group, part in said.items()}


def assign_parts(names: Sequence[str], least: int) -> dict[str, str]:
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


def assign_alphabets(classes: Sequence[Class], *, by_class: bool) -> dict[Class, str]:
    """Return every class's alphabet, named after its part: ``train``, or ``train/its group``."""
    if by_class:
        named = {c: "/".join(filter(None, c)) for c in classes}
        part = assign_parts(list(named.values()), 2)
        return {c: part[name] for c, name in named.items()}
    part = parts_from_names(classes) or assign_parts(sorted({group for group, _ in classes}), 1)
    return {(group, name): f"{part[group]}/{group}" for group, name in classes}


def require_counts(n_images: dict[Class, int], alphabet: dict[Class, str]) -> None:
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
