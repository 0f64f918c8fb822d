"""Measure what image preparation is worth: one-shot accuracy of the pretrained network.

Compares validation drawings of Omniglot unchanged, after ``data/preparation.py``, and as simulated
photographs: a thicker pen, grey paper, a shadow, noise, at a random place on a larger sheet, half
of them light ink on dark paper. Adds the digits of MNIST at 28 pixels. Nothing is chosen here, and
the test alphabets are not used.
"""

import os
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace

import numpy as np
import numpy.typing as npt
import pandas as pd
import torch
from harness import compute_from, finish, parser
from torch import Tensor

from data.cache import resize_drawings, resize_images
from data.drawings import FULL_SIZE, Drawings
from data.episodes import Episodes, dense_validation, random_episodes
from data.load import load_dataset
from data.mnist import load_mnist
from data.paths import PRETRAINED
from data.preparation import Preparation, prepare_drawing
from data.splits import split_dataset
from hpo.cli.entry_point import run_command
from model.checkpoint import load_network
from model.evaluate import one_shot_accuracy
from model.siamese import SiameseNet

Array = npt.NDArray[np.float32]
SHEET = (600, 800)  # pixels of a simulated photograph


def dark_on_light(image_HW: Tensor) -> Array:
    """Return the brightness of a uint8 H×W drawing, float32 H×W in [0, 1]."""
    return np.asarray(1 - image_HW.numpy() / 255, dtype=np.float32)


def photograph(image_HW: Tensor, number: int) -> Array:
    """Return a simulated photograph of a drawing, as brightness in [0, 1].

    Args:
        image_HW: drawing, uint8, ink above 0.
        number: seed of place, shadow and noise.
    """
    rng = np.random.default_rng(number)
    ink = torch.from_numpy(np.kron(image_HW.numpy() > 0, np.ones((3, 3)))).float()
    wide = torch.nn.functional.max_pool2d(ink[None], 9, 1, 4)[0].numpy()
    paper = np.full(SHEET, 0.75, dtype=np.float32)
    top, left = (int(rng.integers(0, n - len(wide))) for n in SHEET)
    paper[top : top + len(wide), left : left + len(wide)] -= 0.45 * wide
    shadow = np.linspace(0.55, 1.0, SHEET[1])
    shaded = paper * shadow[:: rng.choice([-1, 1])] + rng.normal(0, 0.03, SHEET)
    light = image_HW.sum().item() % 2 == 0
    return np.asarray((1 - shaded if light else shaded).clip(0, 1), dtype=np.float32)


def prepared(
    drawings: Drawings, seen: Callable[[Tensor, int], Array], how: Preparation
) -> Drawings:
    """Return the drawings, rendered and prepared.

    Args:
        drawings: drawings at 105 pixels.
        seen: returns the brightness of a rendered drawing, from its image and its number.
        how: settings of the preparation.
    """

    def one(number: int) -> Tensor:
        return prepare_drawing(seen(drawings.images_NHW[number], number), how, str(number))

    with ThreadPoolExecutor(os.cpu_count()) as pool:
        return replace(drawings, images_NHW=torch.stack(list(pool.map(one, range(len(drawings))))))


def accuracy(net: SiameseNet, drawings: Drawings, episodes: Episodes) -> str:
    """Return the one-shot accuracy in percent at the image size of the network."""
    size = net.config.image_size
    small = replace(drawings, images_NHW=resize_images(drawings.images_NHW, size))
    small = small.to(net.head.weight.device)
    return f"{100 * one_shot_accuracy(net, small, episodes):.1f}"


def digits(n: int) -> Drawings:
    """Return the first ``n`` images of each digit of MNIST at 28 pixels."""
    return load_mnist(28).subset(drawers=range(n))


def main() -> None:
    """Evaluate every rendering; print and write the tables."""
    flags = parser(__doc__)
    args = flags.parse_args()
    compute = compute_from(args)
    net, _, _ = load_network(PRETRAINED)
    net.to(compute.device).precision = compute.precision
    val = split_dataset(load_dataset("omniglot", args.data_root, FULL_SIZE)).val
    if args.quick:
        val = val.subset(val.alphabets[:1])
    episodes = dense_validation(val)
    default, greys = Preparation(), Preparation(binarize=False)
    unprocessed = Preparation(preprocess=False)
    inputs = {
        "validation drawings, unchanged": val,
        "validation drawings, prepared": prepared(val, lambda x, _: dark_on_light(x), default),
        "simulated photographs of them, not prepared": prepared(val, photograph, unprocessed),
        "simulated photographs, prepared": prepared(val, photograph, default),
        "simulated photographs, prepared, grey levels kept": prepared(val, photograph, greys),
    }
    rows = [
        {"": name, "20-way": accuracy(net, drawings, episodes)} for name, drawings in inputs.items()
    ]
    some = digits(20 if args.quick else 100)
    episodes_10 = random_episodes(some, n_way=10, n_blocks=4 if args.quick else 40, seed=2015)
    shown = {"enlarged": resize_drawings(some, FULL_SIZE)}
    shown["prepared"] = prepared(some, lambda x, _: dark_on_light(x), default)
    ten = [
        {"": f"MNIST digits, {name}", "10-way": accuracy(net, d, episodes_10)}
        for name, d in shown.items()
    ]
    finish(args, compute, {"20-way validation": pd.DataFrame(rows), "MNIST": pd.DataFrame(ten)})


if __name__ == "__main__":
    run_command(main, "Run the same command again to start over.")
