"""What compare.py does: one's own images as drawings, and how similar a network finds them.

Tensor suffixes: N images, Q queries, S support drawings, C classes, H W pixels.
"""

import os
import sys
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import torch
from torch import Tensor
from tqdm import tqdm

from data.cache import resized_images
from data.errors import InputError
from data.images import expand, image_files, read_brightness
from data.ink import Preparation, prepare
from data.tree import pixels, tree_named
from model.checkpoint import load_network
from model.device import Machine
from model.matching import class_logits, embed_images, similarity
from model.siamese import SiameseNet

MOST_THREADS = 4  # each may hold a large photograph
PRETRAINED = Path(__file__).parents[1] / "results" / "pretrained" / "network.pt"


@dataclass(frozen=True)
class Comparer:
    """A trained network.

    Args:
        net: on its device.
        image_size: pixels.
        threshold: logit from which on verification says "same"; None where none was chosen.
        data: name of the data set that it was trained on.
    """

    net: SiameseNet
    image_size: int
    threshold: float | None
    data: str


@dataclass(frozen=True)
class Match:
    """One class, or one other image, and how similar a query is to it.

    Args:
        name: of the class.
        similarity: in [0, 1]; from 1/2 on, the checkpoint's verification says "same". None where
            the checkpoint has no threshold: its logits rank, and nothing says where "same" begins.
        logit: the network's.
    """

    name: str
    similarity: float | None
    logit: float


@dataclass(frozen=True)
class Comparison:
    """Queries and their answers.

    Args:
        queries: files.
        rankings: for each, the classes, likeliest first.
        query_QHW: the queries before they were made as small as the network wants them.
        shown: for each class its first drawing.
        threshold: logit at which similarity is 1/2; None where the checkpoint has none.
    """

    queries: list[Path]
    rankings: list[list[Match]]
    query_QHW: Tensor
    shown: dict[str, Tensor]
    threshold: float | None


def classes_of(paths: Sequence[Path]) -> dict[str, list[Path]]:
    """Return the support's classes: of a folder its subfolders, else every image is one.

    Raises:
        InputError: a path does not exist, or a folder holds no image.
    """
    found: dict[str, list[Path]] = {}
    for path in paths:
        for name, files in (
            _of_folder(path).items() if path.is_dir() else [(str(path), expand([path]))]
        ):
            # Equal names in different folders are different classes.
            found[name if name not in found else f"{path}/{name}"] = files
    return found


def _of_folder(folder: Path) -> dict[str, list[Path]]:
    """Return the classes of one folder."""
    found: dict[str, list[Path]] = {}
    for file in image_files(folder):
        if file.parent != folder:
            found.setdefault(file.parent.relative_to(folder).as_posix(), []).append(file)
        else:
            found[file.stem if file.stem not in found else file.name] = [file]
    return found


def reader(net: Comparer, how: Preparation) -> Callable[[Path], Tensor]:
    """Return what makes a file the uint8 image that a network has been trained on the like of.

    Raises:
        InputError: a preparation is asked for where the images were trained on as they are.
    """
    if tree := tree_named(net.data):
        if how != Preparation():
            raise InputError(
                f"The network was trained on images of '{net.data}' as they are, and sees others "
                "alike. Leave out --invert, --greys and --as-is."
            )
        return lambda file: pixels(file, net.image_size, colour=tree.colour)
    return lambda file: prepare(read_brightness(file), how, str(file))


def read_images(files: Sequence[Path], read: Callable[[Path], Tensor]) -> Tensor:
    """Return the uint8 images of files, all of one size, read by some threads.

    Raises:
        InputError: a file is no image, or shows no ink.
    """
    bar = partial(tqdm, total=len(files), unit="image", file=sys.stderr, leave=False)
    with ThreadPoolExecutor(min(MOST_THREADS, os.cpu_count() or 1)) as pool:
        drawn = pool.map(read, files)
        quiet = len(files) < 50 or not sys.stderr.isatty()
        return torch.stack(list(bar(drawn, disable=quiet)))


def load_comparer(path: Path, machine: Machine) -> Comparer:
    """Return a saved network, ready on a machine.

    Raises:
        InputError: the file is no such network.
    """
    net, config, facts = load_network(path)
    net.precision = machine.precision
    threshold = facts.get("threshold", (facts.get("verification") or {}).get("threshold"))
    data = str(facts.get("data", "omniglot"))
    return Comparer(net.to(machine.device), config.model.image_size, threshold, data)


def compare(
    queries: list[Path], support: Sequence[Path], checkpoint: Path, *, how: Preparation, on: Machine
) -> Comparison:
    """Return the classes of the support by their similarity to each query.

    Every image is read and embedded once.

    Args:
        queries: image files.
        support: image files and folders; see :func:`classes_of`.
        checkpoint: a network of retrain_best.py, or the pretrained one.
        how: images become drawings, if the network was trained on drawings.
        on: what the network computes.

    Raises:
        InputError: something is not there or not usable.
    """
    comparer = load_comparer(checkpoint, on)
    net = comparer.net
    classes = classes_of(support)
    files = [file for of_class in classes.values() for file in of_class]
    drawn = read_images([*queries, *files], reader(comparer, how))
    h_NE = embed_images(net, resized_images(drawn, comparer.image_size))
    class_S = torch.tensor([i for i, found in enumerate(classes.values()) for _ in found])
    n = len(queries)
    logits_QC = class_logits(net, h_NE[:n], h_NE[n:], class_S).cpu()
    firsts = [int((class_S == i).nonzero()[0]) for i in range(len(classes))]
    return Comparison(
        queries=queries,
        rankings=ranked(logits_QC, list(classes), comparer.threshold),
        query_QHW=drawn[:n],
        shown={name: drawn[n + at] for name, at in zip(classes, firsts, strict=True)},
        threshold=comparer.threshold,
    )


def ranked(logits_QC: Tensor, names: list[str], threshold: float | None) -> list[list[Match]]:
    """Return every query's classes, likeliest first."""
    rankings = []
    for logits in logits_QC.double():
        known = [None] * len(names) if threshold is None else similarity(logits, threshold).tolist()
        matches = map(Match, names, known, logits.tolist())
        rankings.append(sorted(matches, key=lambda match: -match.logit))
    return rankings


def require_two(queries: Sequence[Path], support: Sequence[Path]) -> tuple[list[Path], list[Path]]:
    """Return queries and support; without a support, two images are compared with each other.

    Raises:
        InputError: neither.
    """
    files = expand(queries)
    if support:
        return files, list(support)
    if len(files) != 2:
        raise InputError(
            f"Without --support two images are compared, but {len(files)} are named. Name two, or "
            "say with --support what the others shall be compared with."
        )
    return files[:1], files[1:]
