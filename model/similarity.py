"""Similarities between drawings of one's own, and which of some classes a drawing shows.

Tensor suffixes: N images, Q queries, S support drawings, C classes, E embedding, H W pixels.
"""

from collections.abc import Iterator

import torch
from torch import Tensor

from model.evaluate import EMBED_BATCH
from model.losses import to_input
from model.siamese import SiameseNet

COMPARE_QUERIES = 256


@torch.no_grad()
def embed_images(net: SiameseNet, images_NHW: Tensor) -> Tensor:
    """Return N×E embeddings of uint8 images of the network's size, ink 255, paper 0."""
    device = net.head.weight.device
    parts = images_NHW.split(EMBED_BATCH)
    return torch.cat([net.embed(to_input(part.to(device))) for part in parts])


@torch.no_grad()
def class_logits(net: SiameseNet, h_QE: Tensor, h_SE: Tensor, class_S: Tensor) -> Tensor:
    """Return Q×C mean logits of every query with the support drawings of every class.

    Args:
        net: compares.
        h_QE: embeddings of the queries.
        h_SE: embeddings of the support drawings; one of a class is one-shot, k of it are k-shot.
        class_S: int64 in [0, C), each class at least once.
    """
    class_S = class_S.to(h_SE.device)
    count_C = torch.bincount(class_S)
    logits_QS = torch.cat(list(_compared(net, h_QE, h_SE)))
    sums_QC = logits_QS.new_zeros(len(h_QE), len(count_C)).index_add_(1, class_S, logits_QS)
    return sums_QC / count_C


def _compared(net: SiameseNet, h_QE: Tensor, h_SE: Tensor) -> Iterator[Tensor]:
    """Yield the logits of some queries at a time with all support drawings."""
    for part in h_QE.split(COMPARE_QUERIES):
        yield net.compare(part.unsqueeze(0), h_SE.unsqueeze(0)).squeeze(0)


def similarity(logits: Tensor, threshold: float | Tensor) -> Tensor:
    """Return similarities in [0, 1]: 1/2 where verification begins to say "same".

    Args:
        logits: of any shape.
        threshold: a logit, or some that fit ``logits``; the episode recipe trains logits to rank,
            and where they lie is arbitrary until verification has chosen it on validation pairs.
    """
    return torch.sigmoid(logits - threshold)
