"""Train, validation and test alphabets as three data sets that share no drawing.

Each part is a separate :class:`Drawings`: code that receives ``train`` and ``val`` has no access
to ``test``.
"""

from dataclasses import dataclass, replace

import torch

from data.alphabets import OMNIGLOT
from data.drawings import N_DRAWERS, Drawings
from data.episodes import Dataset, Episodes
from data.errors import InputError
from data.folder_split import PARTS
from data.image_folder import parse_dataset_name

# Of 20 drawers, the paper uses twelve to train, the next four to validate, the last four to test.
TRAIN_DRAWERS, VAL_DRAWERS, TEST_DRAWERS = range(0, 12), range(12, 16), range(16, 20)
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
        official: test episodes as positions in ``test``; for Omniglot, 20 blocks of 20 episodes.
        held_out: other drawings of the validation characters, on which nothing is chosen; None if
            the data has too few.
    """

    train: Drawings
    val: Drawings
    test: Drawings
    official: Episodes
    held_out: Drawings | None = None

    def to(self, device: torch.device) -> "Split":
        """Return the same split with the validation and test drawings on a device."""
        return replace(self, val=self.val.to(device), test=self.test.to(device))


def alphabets_by_part(drawings: Drawings) -> dict[str, list[str]]:
    """Return the names of the train, val and test alphabets of a data set.

    Raises:
        InputError: a part has no alphabet.
    """
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


def split_dataset(dataset: Dataset) -> Split:
    """Return the three parts of a data set.

    Raises:
        InputError: an official episode uses a drawing outside the test alphabets.
    """
    drawings = dataset.drawings
    names = alphabets_by_part(drawings)
    test_positions = drawings.positions(names["test"])
    new_position = torch.full((len(drawings),), -1, dtype=torch.int64)
    new_position[test_positions] = torch.arange(len(test_positions))
    official = dataset.official.reindex(new_position)
    if min(int(official.query_RQ.min()), int(official.support_RS.min())) < 0:
        raise InputError(
            "Official episodes must use only test alphabets, but one has a drawing of another "
            "alphabet. Download all_runs.zip again."
        )
    return Split(
        train=drawings.subset(names["train"]),
        # Dense validation compares all drawings of a class, so 20 images per class are enough.
        val=select_drawers(drawings.subset(names["val"], range(N_DRAWERS)), VAL_DRAWERS),
        test=drawings.subset(names["test"]),
        official=official,
        held_out=_held_out(drawings.subset(names["val"])),
    )


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


def merge_train_and_val(drawings: Drawings) -> Drawings:
    """Return the training and validation alphabets by all drawers, for the final fits."""
    names = alphabets_by_part(drawings)
    return drawings.subset(names["train"] + names["val"])
