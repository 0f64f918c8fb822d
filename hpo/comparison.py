"""What compare.py does: one's own images as drawings, and how similar a network finds them.

Tensor suffixes: N images, Q queries, S support drawings, C classes, H W pixels.
"""

import json
import os
import sys
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import torch
from torch import Tensor
from tqdm import tqdm

from data.cache import resized_images
from data.errors import InputError
from data.images import expand, image_files, read_brightness
from data.ink import Preparation, prepare
from model.checkpoint import load_network
from model.device import Machine
from model.matching import class_logits, embed_images, similarity
from model.siamese import SiameseNet

PRETRAINED = Path(__file__).parents[1] / "results" / "pretrained" / "network.pt"


@dataclass(frozen=True)
class Match:
    """One class, or one other image, and how similar a query is to it.

    Args:
        name: of the class.
        similarity: in [0, 1]; from 1/2 on, the checkpoint's verification says "same".
        logit: the network's.
    """

    name: str
    similarity: float
    logit: float


@dataclass(frozen=True)
class Comparison:
    """Queries and their answers.

    Args:
        queries: files.
        rankings: for each, the classes, likeliest first.
        query_QHW: the queries as the network saw them, at 105 pixels.
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
        for file in image_files(path) if path.is_dir() else expand([path]):
            if path.is_dir() and file.parent != path:
                found.setdefault(file.parent.relative_to(path).as_posix(), []).append(file)
            else:
                name = file.stem if path.is_dir() and file.stem not in found else str(file)
                found[name] = [file]
    return found


def read_drawings(files: Sequence[Path], preparation: Preparation) -> Tensor:
    """Return N×105×105 uint8 drawings of image files, read by as many threads as there are cores.

    Raises:
        InputError: a file is no image, or shows no ink.
    """

    def read(file: Path) -> Tensor:
        return prepare(read_brightness(file), preparation, str(file))

    bar = partial(tqdm, total=len(files), unit="image", file=sys.stderr, leave=False)
    with ThreadPoolExecutor(os.cpu_count()) as pool:
        drawn = pool.map(read, files)
        quiet = len(files) < 50 or not sys.stderr.isatty()
        return torch.stack(list(bar(drawn, disable=quiet)))


def load_comparer(path: Path, machine: Machine) -> tuple[SiameseNet, int, float | None]:
    """Return a saved network on a machine, its image size and its verification threshold.

    Raises:
        InputError: the file is no such network.
    """
    net, config, facts = load_network(path)
    net.precision = machine.precision
    threshold = facts.get("threshold", facts.get("verification", {}).get("threshold"))
    return net.to(machine.device), config.model.image_size, threshold


def compare(
    queries: list[Path], support: Sequence[Path], checkpoint: Path, *, how: Preparation, on: Machine
) -> Comparison:
    """Return the classes of the support by their similarity to each query.

    Every image is read and embedded once.

    Args:
        queries: image files.
        support: image files and folders; see :func:`classes_of`.
        checkpoint: a network of retrain_best.py, or the pretrained one.
        how: images become drawings.
        on: what the network computes.

    Raises:
        InputError: something is not there or not usable.
    """
    net, image_size, threshold = load_comparer(checkpoint, on)
    classes = classes_of(support)
    files = [file for of_class in classes.values() for file in of_class]
    drawn = read_drawings([*queries, *files], how)
    h_NE = embed_images(net, resized_images(drawn, image_size))
    class_S = torch.tensor([i for i, found in enumerate(classes.values()) for _ in found])
    n = len(queries)
    logits_QC = class_logits(net, h_NE[:n], h_NE[n:], class_S).cpu()
    firsts = [int((class_S == i).nonzero()[0]) for i in range(len(classes))]
    return Comparison(
        queries=queries,
        rankings=ranked(logits_QC, list(classes), threshold),
        query_QHW=drawn[:n],
        shown={name: drawn[n + at] for name, at in zip(classes, firsts, strict=True)},
        threshold=threshold,
    )


def ranked(logits_QC: Tensor, names: list[str], threshold: float | None) -> list[list[Match]]:
    """Return every query's classes, likeliest first."""
    similarity_QC = similarity(logits_QC.double(), threshold or 0.0)
    rankings = []
    for logits, similarities in zip(logits_QC.tolist(), similarity_QC.tolist(), strict=True):
        matches = map(Match, names, similarities, logits)
        rankings.append(sorted(matches, key=lambda match: -match.logit))
    return rankings


def as_json(found: Comparison, top: int) -> str:
    """Return the answers for programs."""
    answers: list[dict[str, Any]] = [
        {"query": str(query), "ranking": [vars(match) for match in ranking[:top]]}
        for query, ranking in zip(found.queries, found.rankings, strict=True)
    ]
    return json.dumps({"threshold": found.threshold, "answers": answers}, indent=1)


def as_text(found: Comparison, top: int) -> str:
    """Return the answers for people."""
    lines = []
    for query, ranking in zip(found.queries, found.rankings, strict=True):
        if len(ranking) == 1:
            match = ranking[0]
            lines.append(f"{query} and {match.name}: {pair_line(match, found.threshold)}")
            continue
        lines.append(str(query))
        width = max(len(match.name) for match in ranking[:top])
        lines += [
            f"{place:4}. {match.name:{width}}  {match.similarity:7.2%}"
            for place, match in enumerate(ranking[:top], 1)
        ]
    return "\n".join(lines)


def pair_line(match: Match, threshold: float | None) -> str:
    """Return the answer about two images."""
    verdict = ""
    if threshold is not None:
        verdict = " · the same character" if match.logit >= threshold else " · not the same"
    return f"similarity {match.similarity:.2%}{verdict}"


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
