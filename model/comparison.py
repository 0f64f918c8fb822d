"""Compares a user's own images: ranks the classes of a support set by their similarity to queries.

Tensor suffixes: Q queries, S support images, C classes, E embedding, H W pixels.
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
class ComparisonNetwork:
    """A trained network, and what its metadata says about the images that it compares.

    Args:
        net: network on its device.
        image_size: height and width of its input in pixels.
        threshold: a pair is classified as same if its logit is at least this; None if no threshold
            was chosen.
        data: name of the data set that it was trained on.
    """

    net: SiameseNet
    image_size: int
    threshold: float | None
    data: str


@dataclass(frozen=True)
class Match:
    """A class of the support set and its similarity to a query.

    Args:
        name: name of the class.
        similarity: similarity in [0, 1]; a pair is classified as same if it is at least 1/2. None
            if the network has no threshold: its logits can then be ranked, but not classified.
        logit: mean logit of the query with the images of the class.
    """

    name: str
    similarity: float | None
    logit: float


@dataclass(frozen=True)
class Comparison:
    """Queries and the classes of the support set, ranked for each query.

    Args:
        queries: files of the queries that could be read.
        rankings: for each query, the classes by decreasing similarity.
        query_QHW: uint8 images of the queries, before they are resized for the network; Q×3×H×W
            for colour images.
        class_drawings: first image of each class, as in ``query_QHW``.
        threshold: logit at which the similarity is 1/2; None if the network has no threshold.
        errors: error message of each query that could not be read.
    """

    queries: list[Path]
    rankings: list[list[Match]]
    query_QHW: Tensor
    class_drawings: dict[str, Tensor]
    threshold: float | None
    errors: dict[Path, str]


def load_comparison_network(path: Path, compute: ComputeConfig) -> ComparisonNetwork:
    """Load a network from its file onto a device.

    Args:
        path: file of the network.
        compute: device and precision.

    Raises:
        InputError: the file does not contain a network that can be loaded.
    """
    net, config, metadata = load_network(path)
    net.precision = compute.precision
    threshold = metadata.get("threshold", (metadata.get("verification") or {}).get("threshold"))
    data = str(metadata.get("data", "omniglot"))
    folder = parse_dataset_name(data)
    n_channels = folder.channels if folder else 1
    if config.model.channels != n_channels:
        raise InputError(
            f"Checkpoint {path} must have {n_channels} channels for '{data}', but it has "
            f"{config.model.channels}. Choose another file."
        )
    return ComparisonNetwork(net.to(compute.device), config.model.image_size, threshold, data)


def compare_images(
    queries: list[Path],
    support: Sequence[Path],
    checkpoint: Path,
    *,
    preparation: Preparation,
    compute: ComputeConfig,
) -> Comparison:
    """Return the classes of a support set, ranked by their similarity to each query.

    Every image is read and embedded once. Queries that cannot be read do not affect the others.

    Args:
        queries: image files.
        support: image files and folders; see :func:`model.image_inputs.support_classes`.
        checkpoint: file of a network.
        preparation: how images become drawings, if the network was trained on drawings.
        compute: device and precision.

    Raises:
        InputError: the network or an image of the support set cannot be read, or no query can.
    """
    network = load_comparison_network(checkpoint, compute)
    classes = support_classes(support)
    support_files = [file for files in classes.values() for file in files]
    images, errors = read_images(
        list(dict.fromkeys([*support_files, *queries])),
        image_reader(network.data, network.image_size, preparation),
    )
    readable = [query for query in queries if query in images]
    _require_readable(support_files, errors)
    if not readable:
        _require_readable(queries, errors)
    query_QHW = torch.stack([images[file] for file in readable])
    support_SHW = torch.stack([images[file] for file in support_files])
    h_QE, h_SE = (
        embed_images(network.net, resize_images(stack, network.image_size))
        for stack in (query_QHW, support_SHW)
    )
    class_S = torch.tensor([c for c, files in enumerate(classes.values()) for _ in files])
    logits_QC = class_logits(network.net, h_QE, h_SE, class_S).cpu()
    return Comparison(
        queries=readable,
        rankings=rank_classes(logits_QC, list(classes), network.threshold),
        query_QHW=query_QHW,
        class_drawings={name: images[files[0]] for name, files in classes.items()},
        threshold=network.threshold,
        errors=errors,
    )


def rank_classes(logits_QC: Tensor, names: list[str], threshold: float | None) -> list[list[Match]]:
    """Return the classes of each query by decreasing similarity.

    Args:
        logits_QC: float logits of queries and classes.
        names: names of the classes.
        threshold: logit at which the similarity is 1/2; None for no similarities.
    """
    rankings = []
    for logits_C in logits_QC.double():
        similarities = (
            [None] * len(names) if threshold is None else similarity(logits_C, threshold).tolist()
        )
        matches = map(Match, names, similarities, logits_C.tolist())
        rankings.append(sorted(matches, key=lambda match: -match.logit))
    return rankings


def _require_readable(files: Sequence[Path], errors: dict[Path, str]) -> None:
    """Raise an InputError with the first file's error, if there is one."""
    for file in files:
        if file in errors:
            raise InputError(errors[file])
