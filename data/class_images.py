"""Images of classes as a data set, whether they come from files or from arrays.

Tensor suffixes: N images, H W pixels.
"""

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from typing import TypeVar

import numpy as np
import torch
from torch import Tensor

from data.division import Division
from data.drawings import Drawings
from data.duplicates import merge_equal_names
from data.episodes import Dataset
from data.fixed_episodes import fixed_test_episodes
from data.folder_split import ClassKey, assign_alphabets, part_from_name, require_enough_images

MIN_GROUPS = 3

Place = tuple[str, ClassKey]  # the alphabet and the class of an image
Image = TypeVar("Image")  # what identifies an image: its file, or its number


def has_groups(groups: set[str]) -> bool:
    """Return whether groups are assigned to parts by default; otherwise classes are.

    Args:
        groups: names of all groups; ``""`` if classes have none.
    """
    return len(groups) >= MIN_GROUPS or any(map(part_from_name, groups))


def place_images(
    class_of: Mapping[Image, ClassKey], *, by_class: bool, division: Division | None = None
) -> dict[Image, Place]:
    """Return alphabet and class of every image; images of groups in no part are left out.

    Args:
        class_of: group and class of every image.
        by_class: whether classes are assigned to train, val and test; otherwise groups are.
        division: a user's own division of the groups.

    Raises:
        InputError: there are too few groups, classes or images, or the division does not fit.
    """
    if by_class and division is None:
        class_of = merge_equal_names(class_of)
    alphabet = assign_alphabets(
        sorted(set(class_of.values())), by_class=by_class, division=division
    )
    places = {image: (alphabet[key], key) for image, key in class_of.items() if key in alphabet}
    _require_enough(places.values(), {*places.values()})
    return places


def dataset_of_classes(
    name: str,
    digest: str,
    places: Sequence[Place],
    images: Sequence[Tensor],
    all_places: set[Place],
) -> Dataset:
    """Return images as a data set with about 400 fixed test episodes, or fewer.

    Args:
        name: name of the data set.
        digest: digest of its contents.
        places: alphabet and class of each image, sorted.
        images: uint8 images of one size, H×W or 3×H×W.
        all_places: alphabet and class of all images, also of those that are left out as copies.

    Raises:
        InputError: without copies, there are too few images.
    """
    _require_enough(places, all_places)
    alphabets, alphabet_N = np.unique([alphabet for alphabet, _ in places], return_inverse=True)
    n_images = Counter(places)  # in the order of the places
    number = {place: i for i, place in enumerate(n_images)}
    drawings = Drawings(
        name=name,
        digest=digest,
        alphabets=tuple(map(str, alphabets)),
        images_NHW=torch.stack([*images]),
        alphabet_N=torch.from_numpy(alphabet_N),
        character_N=torch.tensor([number[place] for place in places]),
        drawer_N=torch.cat([torch.arange(n) for n in n_images.values()]),
        classes=tuple("/".join(key) for _, key in n_images),
    )
    test_names = [alphabet for alphabet in drawings.alphabets if alphabet.startswith("test")]
    episodes = fixed_test_episodes(drawings.subset(test_names))
    return Dataset(drawings, episodes.reindex(drawings.positions(test_names)))


def _require_enough(places: Iterable[Place], all_places: set[Place]) -> None:
    """Raise InputError unless every class has two images and every alphabet two classes."""
    n_images = Counter(dict.fromkeys((key for _, key in sorted(all_places)), 0))
    n_images.update(key for _, key in places)
    require_enough_images(n_images, {key: alphabet for alphabet, key in all_places})
