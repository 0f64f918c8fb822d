"""Train, validation and test alphabets; three data sets that share no drawing.

A split is a :class:`Drawings` of its own, so whoever is handed ``train`` and ``val`` cannot reach
``test``, not even by mistake.
"""

from dataclasses import dataclass

import torch

from data.alphabets import OMNIGLOT
from data.drawings import N_DRAWERS, Drawings
from data.episodes import Dataset, Episodes
from data.errors import InputError
from data.image_folder import parse_dataset_name

# Of 20 drawers the paper trains on twelve, validates on four more and tests on the last four.
TRAIN_DRAWERS, VAL_DRAWERS, TEST_DRAWERS = range(0, 12), range(12, 16), range(16, 20)


@dataclass(frozen=True)
class Split:
    """The three data sets and the official test.

    Args:
        train: all drawers of the training alphabets.
        val: the paper's four validation drawers of the validation alphabets; of a tree, 20 images
            of a class.
        test: all drawers of the test alphabets.
        official: 20 blocks of 20 episodes, positions in ``test``.
    """

    train: Drawings
    val: Drawings
    test: Drawings
    official: Episodes

    def to(self, device: torch.device) -> "Split":
        """Return the same split with validation and test drawings resident on a device."""
        return Split(self.train, self.val.to(device), self.test.to(device), self.official)


def alphabets_by_part(drawings: Drawings) -> dict[str, list[str]]:
    """Return the names of the train, val and test alphabets of a data set."""
    if drawings.name == "omniglot":
        return {part: list(names) for part, names in OMNIGLOT.items()}
    parts = {
        p: [a for a in drawings.alphabets if a.startswith(p)] for p in ("train", "val", "test")
    }
    if not all(parts.values()):
        raise InputError(
            "Alphabets other than Omniglot's must be named train…, val… and test…, at least one "
            f"of each, but data set '{drawings.name}' has {', '.join(drawings.alphabets)}. Rename."
        )
    return parts


def split_dataset(packed: Dataset) -> Split:
    """Return the three splits of a data set.

    Raises:
        InputError: an official episode lies outside the test alphabets.
    """
    drawings = packed.drawings
    names = alphabets_by_part(drawings)
    at_test = drawings.positions(names["test"])
    position = torch.full((len(drawings),), -1, dtype=torch.int64)
    position[at_test] = torch.arange(len(at_test))
    renumbered = packed.official.renumbered(position)
    if min(int(renumbered.query_RQ.min()), int(renumbered.support_RS.min())) < 0:
        raise InputError(
            "Official episodes must use test alphabets alone, but one shows another alphabet's "
            "drawing. Get all_runs.zip anew."
        )
    return Split(
        train=drawings.only(names["train"]),
        # A dense validation compares drawings pair by pair: of a tree it takes 20 of a class.
        val=select_drawers(drawings.only(names["val"], range(N_DRAWERS)), VAL_DRAWERS),
        test=drawings.only(names["test"]),
        official=renumbered,
    )


def select_drawers(drawings: Drawings, drawers: range) -> Drawings:
    """Return the drawings by some of the paper's drawers; all of a tree, which has no drawers."""
    return drawings if parse_dataset_name(drawings.name) else drawings.only(drawers=drawers)


def merge_train_and_val(drawings: Drawings) -> Drawings:
    """Return all drawers of the training and validation alphabets, for a fit without choices."""
    names = alphabets_by_part(drawings)
    return drawings.only(names["train"] + names["val"])
