"""The test set of MNIST as drawings, and the paper's 400 episodes on it.

No network is trained on it: it tests how a network trained on Omniglot generalises to digits.

Tensor suffix: N digits.

Source: Koch 2015 §4.4.
"""

import gzip
import hashlib
import os
from pathlib import Path

import numpy as np
import torch
import torch.nn.functional as F

from data.drawings import Drawings
from data.episodes import Episodes, random_episodes
from data.errors import InputError
from data.paths import VAR

DIGIT_SIZE, N_IMAGES, N_DIGITS = 28, 10_000, 10
N_MNIST_BLOCKS = 40  # of ten queries each: 400 episodes
EPISODE_SEED = 2015
# File name, size of the header in bytes, md5 of the official file.
IMAGES_FILE = ("t10k-images-idx3-ubyte.gz", 16, "9fb629c4189551a2d022fa330f9573f3")
LABELS_FILE = ("t10k-labels-idx1-ubyte.gz", 8, "ec29112dd5afa0611ce80d1b7f02629c")


def find_mnist_folder(data_root: Path | None = None) -> Path:
    """Return the folder of the two files of the test set; download them to ``var`` if needed.

    Args:
        data_root: folder to search; by default ``$MNIST_ROOT``, or ``var`` if that is not set.

    Raises:
        InputError: the files are missing and cannot be downloaded.
    """
    given = data_root or (Path(p) if (p := os.environ.get("MNIST_ROOT")) else None)
    root = given or VAR
    for folder in (root / "MNIST/raw", root / "raw", root):
        if (folder / IMAGES_FILE[0]).is_file() and (folder / LABELS_FILE[0]).is_file():
            return folder
    cause = ""
    if given is None:
        from torchvision.datasets import MNIST

        try:
            MNIST(str(root), train=False, download=True)
            return root / "MNIST/raw"
        except (OSError, RuntimeError) as error:
            cause = f" and could not be downloaded ({error})"
    raise InputError(
        f"MNIST's test set must be under {root}, but {IMAGES_FILE[0]} and {LABELS_FILE[0]} are not "
        f"there{cause}. Put the two official files there, or set MNIST_ROOT to their folder."
    )


def load_mnist(image_size: int = 35, data_root: Path | None = None) -> Drawings:
    """Return the 10,000 test digits as one alphabet of ten characters.

    Args:
        image_size: height and width in pixels, resized bilinearly; the paper upsamples 28 to 35.
        data_root: see :func:`find_mnist_folder`.

    Raises:
        InputError: the files are missing or corrupt.
    """
    folder = find_mnist_folder(data_root)
    labels, pixels = _read_idx(folder, *LABELS_FILE), _read_idx(folder, *IMAGES_FILE)
    order = torch.from_numpy(labels.astype(np.int64)).argsort(stable=True)
    digit_N = torch.from_numpy(labels.astype(np.int64))[order]
    images = torch.from_numpy(pixels.copy()).view(N_IMAGES, 1, DIGIT_SIZE, DIGIT_SIZE)[order]
    shape = (image_size, image_size)
    resized = F.interpolate(images.float(), size=shape, mode="bilinear", antialias=True)
    count = torch.bincount(digit_N)
    return Drawings(
        name="mnist",
        digest=hashlib.sha256(pixels.tobytes() + labels.tobytes()).hexdigest(),
        alphabets=("digits",),
        images_NHW=resized.round_().to(torch.uint8).squeeze(1),
        alphabet_N=torch.zeros(N_IMAGES, dtype=torch.int64),
        character_N=digit_N,
        drawer_N=torch.arange(N_IMAGES) - (count.cumsum(0) - count)[digit_N],
        classes=tuple(f"digits/{digit}" for digit in range(N_DIGITS)),
    )


def mnist_episodes(digits: Drawings) -> Episodes:
    """Return 400 fixed 10-way episodes: 40 blocks with one query per digit."""
    # Equal counts, so that random_episodes samples "drawers" shared by all digits.
    drawers = range(int(digits.count_C.min()))
    episodes = random_episodes(
        digits.subset(drawers=drawers),
        n_way=N_DIGITS,
        n_blocks=N_MNIST_BLOCKS,
        seed=EPISODE_SEED,
    )
    return episodes.reindex(digits.positions(drawers=drawers))


def _read_idx(
    folder: Path, name: str, header: int, md5: str
) -> np.ndarray[tuple[int], np.dtype[np.uint8]]:
    """Return the values of a gzipped IDX file after its header."""
    content = (folder / name).read_bytes()
    if hashlib.md5(content, usedforsecurity=False).hexdigest() != md5:
        raise InputError(
            f"{folder / name} is corrupt or not MNIST's. Delete it and download it again."
        )
    return np.frombuffer(gzip.decompress(content), np.uint8, offset=header)
