"""Train, validation and test alphabets as three data sets that share no drawing.

Each part is a separate :class:`Drawings`: code that receives ``train`` and ``val`` has no access
to ``test``.
"""

from dataclasses import dataclass, replace

import torch
from torch import Tensor

from data.alphabets import OMNIGLOT
from data.division import PARTS, Division, resolve_division
from data.drawings import N_DRAWERS, Drawings
from data.episodes import N_WAY, Dataset, Episodes
from data.errors import InputError
from data.fixed_episodes import choose_test_episodes
from data.folder_split import require_groups
from data.image_folder import parse_dataset_name

# Of 20 drawers, the paper uses twelve to train, the next four to validate, the last four to test.
VAL_DRAWERS, TEST_DRAWERS = range(12, 16), range(16, 20)
# Drawings of the validation alphabets on which nothing is chosen: for Omniglot, by drawers that the
# paper uses only for the test alphabets; for an image folder, images that validation does not use.
HELD_OUT_DRAWERS, HELD_OUT_IMAGES = TEST_DRAWERS, range(N_DRAWERS, 2 * N_DRAWERS)


@dataclass(frozen=True)
class Split:
    """The three parts of a data set and its official test episodes.

    Args:
        train: training alphabets by all drawers.
        val: validation alphabets by the paper's four validation drawers; for an image folder, the
            first 20 images of each class.
        test: test alphabets by all drawers.
        official: test episodes as positions in ``test``; for Omniglot, 20 blocks of 20 episodes,
            or random ones in place of them, see :func:`split_dataset`.
        held_out: other drawings of the validation characters, on which nothing is chosen; None if
            the data has too few.
        n_way: requested number of candidates per episode.
        n_shot: requested number of support drawings per candidate.
        is_official: False if random episodes replace the official ones.
    """

    train: Drawings
    val: Drawings
    test: Drawings
    official: Episodes
    held_out: Drawings | None = None
    n_way: int = N_WAY
    n_shot: int = 1
    is_official: bool = True

    def to(self, device: torch.device) -> "Split":
        """Return the same split with the validation and test drawings on a device."""
        return replace(self, val=self.val.to(device), test=self.test.to(device))


def alphabets_by_part(drawings: Drawings, division: Division | None = None) -> dict[str, list[str]]:
    """Return the names of the train, val and test alphabets of a data set.

    Args:
        drawings: all drawings of the data set.
        division: a user's own division; None for that of the data set.

    Raises:
        InputError: a part has no alphabet, or the division does not fit the data set.
    """
    if division is not None:
        return _divided_alphabets(drawings, division)
    if drawings.name == "omniglot":
        return {part: list(names) for part, names in OMNIGLOT.items()}
    parts = {p: [name for name in drawings.alphabets if name.startswith(p)] for p in PARTS}
    if not all(parts.values()):
        raise InputError(
            "Alphabets other than Omniglot's must be named train…, val… and test…, at least one "
            f"of each, but data set '{drawings.name}' has {', '.join(drawings.alphabets)}. Rename "
            "its folders."
        )
    return parts


def _divided_alphabets(drawings: Drawings, division: Division) -> dict[str, list[str]]:
    """Return the names of the alphabets of each part of a user's own division."""
    if (folder := parse_dataset_name(drawings.name)) is None:
        resolved = resolve_division(division, drawings.alphabets)
        return {part: list(getattr(resolved, part)) for part in PARTS}
    require_groups(by_class=folder.by_class)
    resolved = resolve_division(division, (name.partition("/")[2] for name in drawings.alphabets))
    parts = {part: [f"{part}/{group}" for group in getattr(resolved, part)] for part in PARTS}
    if {name for names in parts.values() for name in names} != {*drawings.alphabets}:
        raise InputError(
            f"Data set '{drawings.name}' must be loaded with the division with which it is split, "
            f"but was loaded as {', '.join(drawings.alphabets)}. Load it with the same division."
        )
    return parts


def split_dataset(
    dataset: Dataset, *, division: Division | None = None, n_way: int = N_WAY, n_shot: int = 1
) -> Split:
    """Return the three parts of a data set.

    If another ``n_way`` or ``n_shot`` is requested, or if the official test episodes use an
    alphabet that a user's own division does not assign to test, about 400 fixed random test
    episodes replace them.

    Args:
        dataset: data set; an image folder must have been loaded with the same division.
        division: a user's own division; None for that of the data set.
        n_way: number of candidates per test episode; see :func:`data.episodes.max_n_way`.
        n_shot: number of support drawings per candidate of a test episode.

    Raises:
        InputError: an official episode uses a drawing outside the test alphabets, the division does
            not fit the data set, or a test character has fewer than ``n_shot + 1`` drawings.
    """
    drawings = dataset.drawings
    names = alphabets_by_part(drawings, division)
    test = drawings.subset(names["test"])
    official = _official_episodes(dataset, drawings.positions(names["test"]))
    if official is None and division is None:
        raise InputError(
            "Official episodes must use only test alphabets, but one has a drawing of another "
            "alphabet. Download all_runs.zip again."
        )
    episodes = choose_test_episodes(official, test, n_way=n_way, n_shot=n_shot)
    return Split(
        train=drawings.subset(names["train"]),
        # Dense validation compares all drawings of a class, so 20 images per class are enough.
        val=select_drawers(drawings.subset(names["val"], range(N_DRAWERS)), VAL_DRAWERS),
        test=test,
        official=episodes,
        held_out=_held_out(drawings.subset(names["val"])),
        n_way=n_way,
        n_shot=n_shot,
        is_official=episodes is official,
    )


def _official_episodes(dataset: Dataset, test_positions: Tensor) -> Episodes | None:
    """Return the official episodes as positions in the test drawings.

    Args:
        dataset: data set.
        test_positions: int64, positions of the test drawings.

    Returns:
        The episodes; None if one uses a drawing outside the test drawings.
    """
    new_position = torch.full((len(dataset.drawings),), -1, dtype=torch.int64)
    new_position[test_positions] = torch.arange(len(test_positions))
    official = dataset.official.reindex(new_position)
    is_inside = min(int(official.query_RQ.min()), int(official.support_RS.min())) >= 0
    return official if is_inside else None


def _held_out(val: Drawings) -> Drawings | None:
    """Return the held-out drawings; None unless every character has at least two.

    Args:
        val: validation alphabets with all their drawings.
    """
    is_folder = parse_dataset_name(val.name) is not None
    others = val.subset(drawers=HELD_OUT_IMAGES if is_folder else HELD_OUT_DRAWERS)
    complete = others.n_characters == val.n_characters and int(others.count_C.min()) > 1
    return others if complete else None


def select_drawers(drawings: Drawings, drawers: range) -> Drawings:
    """Return the drawings by some of the paper's drawers.

    An image folder has no drawers; all its images are returned.

    Args:
        drawings: drawings to select from.
        drawers: numbers of the drawers, from 0.
    """
    return drawings if parse_dataset_name(drawings.name) else drawings.subset(drawers=drawers)


def merge_train_and_val(drawings: Drawings, division: Division | None = None) -> Drawings:
    """Return the training and validation alphabets by all drawers, for the final fits.

    Args:
        drawings: all drawings of the data set.
        division: a user's own division; None for that of the data set.
    """
    names = alphabets_by_part(drawings, division)
    return drawings.subset(names["train"] + names["val"])
