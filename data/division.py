"""A user's own division of groups into train, validation and test.

A group is an alphabet of Omniglot or of the glyphs, or a group of an image folder.
"""

import hashlib
import json
from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass
from difflib import get_close_matches

from data.errors import InputError
from data.text import composed

PARTS = ("train", "val", "test")
MAX_SIMILAR = 3  # names that an error suggests
MIN_CONTAINED = 3  # characters of a name of which longer names are suggested


@dataclass(frozen=True)
class Division:
    """The names of the groups of each part.

    Args:
        train: groups of the training part.
        val: groups of the validation part.
        test: groups of the test part.

    Raises:
        InputError: a part is empty, or a group is named more than once.
    """

    train: tuple[str, ...]
    val: tuple[str, ...]
    test: tuple[str, ...]

    def __post_init__(self) -> None:
        """Compose the characters of the names, and check the parts."""
        for part in PARTS:
            names = tuple(composed(name) for name in getattr(self, part))
            object.__setattr__(self, part, names)
            if not names:
                raise InputError(
                    f"Each of train, val and test must have at least one group, but {part} has "
                    f"none. Name a group for {part}."
                )
        counts = Counter(name for _, name in self.items())
        if repeated := [name for name, n in counts.items() if n > 1]:
            parts = " and ".join(part for part, name in self.items() if name == repeated[0])
            raise InputError(
                "A group must be in only one of train, val and test, and only once, but "
                f"'{repeated[0]}' is in {parts}. Remove it from one of them."
            )

    def items(self) -> list[tuple[str, str]]:
        """Return the part and the name of each group."""
        return [(part, name) for part in PARTS for name in getattr(self, part)]

    @property
    def part_of(self) -> dict[str, str]:
        """The part of each group by its name."""
        return {name: part for part, name in self.items()}

    @property
    def digest(self) -> str:
        """SHA-256 of the division; it does not depend on the order of the groups of a part."""
        return hashlib.sha256(json.dumps(sorted(self.items())).encode()).hexdigest()


def resolve_division(division: Division, groups: Iterable[str]) -> Division:
    """Return a division with every name as the data spells it.

    A name may have spaces in place of underscores, and vice versa.

    Args:
        division: requested division.
        groups: names of all groups of the data.

    Raises:
        InputError: a group does not exist, or two names are the same group.
    """
    names = sorted(set(groups))
    spelled = {_key(name): name for name in names if _is_unique(name, names)}
    spelled |= {name: name for name in names}

    def resolve(name: str) -> str:
        if match := spelled.get(name) or spelled.get(_key(name)):
            return match
        similar = _similar_names(name, names)
        raise InputError(
            f"Every group of train, val and test must exist, but '{name}' does not. "
            + (f"Did you mean {' or '.join(similar)}?" if similar else _choice(names))
        )

    return Division(*(tuple(map(resolve, getattr(division, part))) for part in PARTS))


def unused_groups(division: Division | None, groups: Iterable[str]) -> list[str]:
    """Return the groups that are in no part, sorted.

    Args:
        division: division of the groups; None if every group is in a part.
        groups: names of all groups of the data.

    Raises:
        InputError: a group of the division does not exist.
    """
    if division is None:
        return []
    names = set(groups)
    return sorted(names - resolve_division(division, names).part_of.keys())


def _key(name: str) -> str:
    """Return a name with underscores in place of spaces."""
    return name.replace(" ", "_")


def _is_unique(name: str, names: list[str]) -> bool:
    """Return whether no other name differs only in spaces and underscores."""
    return sum(_key(other) == _key(name) for other in names) == 1


def _similar_names(name: str, names: list[str]) -> list[str]:
    """Return the most similar names in quotation marks; upper and lower case do not matter."""
    folded, key = {_key(other).casefold(): other for other in names}, _key(name).casefold()
    containing = [other for other in folded if len(key) >= MIN_CONTAINED and key in other]
    matches = dict.fromkeys(containing + get_close_matches(key, folded, MAX_SIMILAR))
    return [f"'{folded[match]}'" for match in [*matches][:MAX_SIMILAR]]


def _choice(names: list[str]) -> str:
    """Return which groups there are, as a sentence."""
    shown = ", ".join(f"'{name}'" for name in names[:10])
    return f"Choose from {shown}{' …' if len(names) > 10 else ''}."
