"""What compare.py does: one's own images as drawings, and how similar a network finds them.

Tensor suffixes: N images, Q queries, S support drawings, C classes, H W pixels.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import torch
from torch import Tensor

from data.cache import resize_images
from data.errors import InputError
from data.image_folder import parse_dataset_name
from data.preparation import Preparation
from model.checkpoint import load_network
from model.device import ComputeConfig
from model.image_inputs import image_reader, read_images, support_classes
from model.siamese import SiameseNet
from model.similarity import class_logits, embed_images, similarity


@dataclass(frozen=True)
class LoadedNetwork:
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
        queries: files, but for those that could not be read.
        rankings: for each, the classes, likeliest first.
        query_QHW: the queries before they were made as small as the network wants them.
        shown: for each class its first drawing.
        threshold: logit at which similarity is 1/2; None where the checkpoint has none.
        unread: the other queries, and what is wrong with each.
    """

    queries: list[Path]
    rankings: list[list[Match]]
    query_QHW: Tensor
    shown: dict[str, Tensor]
    threshold: float | None
    unread: dict[Path, str]


def load_for_comparison(path: Path, compute: ComputeConfig) -> LoadedNetwork:
    """Return a saved network, ready on a machine.

    Raises:
        InputError: the file is no such network.
    """
    net, config, facts = load_network(path)
    net.precision = compute.precision
    threshold = facts.get("threshold", (facts.get("verification") or {}).get("threshold"))
    data = str(facts.get("data", "omniglot"))
    tree = parse_dataset_name(data)
    if config.model.channels != (tree.channels if tree else 1):
        raise InputError(f"{path} was trained on other images than '{data}'. Name another.")
    return LoadedNetwork(net.to(compute.device), config.model.image_size, threshold, data)


def compare_images(
    queries: list[Path],
    support: Sequence[Path],
    checkpoint: Path,
    *,
    how: Preparation,
    on: ComputeConfig,
) -> Comparison:
    """Return the classes of the support by their similarity to each query.

    Every image is read and embedded once. Queries that cannot be read leave the others alone.

    Args:
        queries: image files.
        support: image files and folders; see :func:`classes_of`.
        checkpoint: a network of retrain_best.py, or the pretrained one.
        how: images become drawings, if the network was trained on drawings.
        on: what the network computes.

    Raises:
        InputError: something is not there or not usable: a support image, or every query.
    """
    comparer = load_for_comparison(checkpoint, on)
    classes = support_classes(support)
    files = [file for of_class in classes.values() for file in of_class]
    drawn, unread = read_images(
        list(dict.fromkeys([*files, *queries])),
        image_reader(comparer.data, comparer.image_size, how),
    )
    read = [query for query in queries if query in drawn]
    if wrong := [file for file in files if file in unread] or ([] if read else queries):
        raise InputError(unread[wrong[0]])
    stacked = [torch.stack([drawn[file] for file in each]) for each in (read, files)]
    h_QE, h_SE = (
        embed_images(comparer.net, resize_images(images, comparer.image_size)) for images in stacked
    )
    class_S = torch.tensor([i for i, found in enumerate(classes.values()) for _ in found])
    logits_QC = class_logits(comparer.net, h_QE, h_SE, class_S).cpu()
    return Comparison(
        queries=read,
        rankings=rank_classes(logits_QC, list(classes), comparer.threshold),
        query_QHW=stacked[0],
        shown={name: drawn[of_class[0]] for name, of_class in classes.items()},
        threshold=comparer.threshold,
        unread={query: why for query, why in unread.items() if query not in files},
    )


def rank_classes(logits_QC: Tensor, names: list[str], threshold: float | None) -> list[list[Match]]:
    """Return every query's classes, likeliest first."""
    rankings = []
    for logits in logits_QC.double():
        known = [None] * len(names) if threshold is None else similarity(logits, threshold).tolist()
        matches = map(Match, names, known, logits.tolist())
        rankings.append(sorted(matches, key=lambda match: -match.logit))
    return rankings
