"""Similarities between images and the classes of a support set.

Tensor suffixes: N images, Q queries, S support images, C classes, E embedding, H W pixels.
"""

import torch
from torch import Tensor

from model.evaluate import EMBED_BATCH
from model.losses import to_input
from model.siamese import SiameseNet

COMPARE_QUERIES = 256  # queries per batch


@torch.no_grad()
def embed_images(net: SiameseNet, images_NHW: Tensor) -> Tensor:
    """Return N×E float32 embeddings of images.

    Args:
        net: network on its device.
        images_NHW: uint8 images of the network's size, ink 255, paper 0.
    """
    device = net.head.weight.device
    batches = images_NHW.split(EMBED_BATCH)
    return torch.cat([net.embed(to_input(batch.to(device))) for batch in batches])


@torch.no_grad()
def class_logits(net: SiameseNet, h_QE: Tensor, h_SE: Tensor, class_S: Tensor) -> Tensor:
    """Return float32 Q×C mean logits of every query with the support images of every class.

    Args:
        net: network that compares the embeddings.
        h_QE: float32 embeddings of the queries.
        h_SE: float32 embeddings of the support images; k images per class make a k-shot task.
        class_S: int64 in [0, C), class of each support image; each class occurs.
    """
    class_S = class_S.to(h_SE.device)
    count_C = torch.bincount(class_S)
    batches = h_QE.split(COMPARE_QUERIES)
    logits_QS = torch.cat(
        [net.compare(batch.unsqueeze(0), h_SE.unsqueeze(0)).squeeze(0) for batch in batches]
    )
    sums_QC = logits_QS.new_zeros(len(h_QE), len(count_C)).index_add_(1, class_S, logits_QS)
    return sums_QC / count_C


def similarity(logits: Tensor, threshold: float | Tensor) -> Tensor:
    """Return similarities in [0, 1]; from 1/2, verification classifies a pair as same.

    The episode recipe trains only the ranking of logits. Their level means nothing until a
    threshold is chosen on validation pairs.

    Args:
        logits: float, of any shape.
        threshold: a logit, or logits that are broadcast to ``logits``.

    Returns:
        Float, of the shape of ``logits``.
    """
    return torch.sigmoid(logits - threshold)
