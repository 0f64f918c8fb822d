"""The test set of MNIST as drawings, and the paper's 400 episodes on it.

Nothing is trained on it: it shows what a network that learnt Omniglot makes of digits.

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

SIZE, N_IMAGES, N_DIGITS = 28, 10_000, 10

N_MNIST_BLOCKS = 40  # of ten queries each: 400 episodes

SEED = 2015

# File, size of its header in bytes, md5 of the official archive.
IMAGES = ("t10k-images-idx3-ubyte.gz", 16, "9fb629c4189551a2d022fa330f9573f3")

LABELS = ("t10k-labels-idx1-ubyte.gz", 8, "ec29112dd5afa0611ce80d1b7f02629c")


def find_folder(data_root: Path | None = None) -> Path:
    """Return the folder of the two files under ``data_root``, else ``$MNIST_ROOT``, else ``var``.

    Where they are nowhere, torchvision downloads them to ``var``.

    Raises:
        InputError: they are not there and cannot be fetched.
    """
    named = data_root or (Path(p) if (p := os.environ.get("MNIST_ROOT")) else None)
    root = named or VAR
    for folder in (root / "MNIST/raw", root / "raw", root):
        if (folder / IMAGES[0]).is_file() and (folder / LABELS[0]).is_file():
            return folder
    if named is None:
        from torchvision.datasets import MNIST

        try:
            MNIST(str(root), train=False, download=True)
            return root / "MNIST/raw"
        except (OSError, RuntimeError):
            pass  # no network: say what to do
    raise InputError(
        f"MNIST's test set must lie under {root}, but {IMAGES[0]} and {LABELS[0]} are not there. "
        "Put the two official files there, or name their folder in MNIST_ROOT."
    )


def _read_idx(
    folder: Path, name: str, header: int, md5: str
) -> np.ndarray[tuple[int], np.dtype[np.uint8]]:
    packed = (folder / name).read_bytes()
    if hashlib.md5(packed, usedforsecurity=False).hexdigest() != md5:
        raise InputError(f"{folder / name} is torn or not MNIST's. Delete it and get it again.")
    return np.frombuffer(gzip.decompress(packed), np.uint8, offset=header)


def load_mnist(image_size: int = 35, data_root: Path | None = None) -> Drawings:
    """Return the 10,000 test digits as one alphabet of ten characters, bilinearly resized.

    Args:
        image_size: pixels; the paper upsamples 28 to 35.
        data_root: see :func:`find_folder`.

    Raises:
        InputError: the files are missing or torn.
    """
    folder = find_folder(data_root)
    labels, pixels = _read_idx(folder, *LABELS), _read_idx(folder, *IMAGES)
    order = torch.from_numpy(labels.astype(np.int64)).argsort(stable=True)
    digit_N = torch.from_numpy(labels.astype(np.int64))[order]
    images = torch.from_numpy(pixels.copy()).view(N_IMAGES, 1, SIZE, SIZE)[order]
    shape = (image_size, image_size)
    large = F.interpolate(images.float(), size=shape, mode="bilinear", antialias=True)
    count = torch.bincount(digit_N)
    return Drawings(
        name="mnist",
        digest=hashlib.sha256(pixels.tobytes() + labels.tobytes()).hexdigest(),
        alphabets=("digits",),
        images_NHW=large.round_().to(torch.uint8).squeeze(1),
        alphabet_N=torch.zeros(N_IMAGES, dtype=torch.int64),
        character_N=digit_N,
        drawer_N=torch.arange(N_IMAGES) - (count.cumsum(0) - count)[digit_N],
    )


def mnist_episodes(digits: Drawings) -> Episodes:
    """Return 400 fixed 10-way episodes: 40 support sets, each asked one query per digit."""
    alike = range(int(digits.count_C.min()))  # as if the same people had drawn all digits
    episodes = random_episodes(
        digits.only(drawers=alike), n_way=N_DIGITS, n_blocks=N_MNIST_BLOCKS, seed=SEED
    )
    return episodes.renumbered(digits.positions(drawers=alike))
