"""The image set ``digits``: test digits of MNIST, handwritten by many people and scanned.

There are only ten classes, so they are in one group and are themselves divided into train,
validation and test: six, two and two, with two-way episodes. The images of a class were written by
different people, in general; MNIST does not say by whom.
"""

from collections.abc import Iterator

import torch
from image_sets_folder import ClassImage, ImageSet
from PIL import Image

from data.mnist import IMAGES_FILE, LABELS_FILE, load_mnist

N_IMAGES, SEED = 40, 0  # images of a digit, and which
SIZE = 28


def digits() -> Iterator[ClassImage]:
    """Yield 40 random images of every digit, light on dark as MNIST has them."""
    drawings = load_mnist(SIZE)
    generator = torch.Generator().manual_seed(SEED)
    for digit in range(drawings.n_characters):
        positions = (drawings.character_N == digit).nonzero().flatten()
        some = torch.randperm(len(positions), generator=generator)[:N_IMAGES].sort().values
        for i in some.tolist():
            image = Image.fromarray(drawings.images_NHW[positions[i]].numpy())
            yield ClassImage("digits", str(digit), f"{i:04}", image)


def versions() -> dict[str, str]:
    """Return the md5 of the two files of MNIST that are read."""
    return {name: f"md5 {md5}" for name, _, md5 in (IMAGES_FILE, LABELS_FILE)}


DIGITS = ImageSet("handwritten test digits of MNIST, 28 pixels", True, digits, versions)
