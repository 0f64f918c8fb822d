"""The losses of the two recipes: the paper's pairs, and episodes.

Each function yields the losses of one epoch; the caller makes an optimiser step after each.

Tensor suffixes: B pairs or images, N drawings, A alphabets, C characters of a step, H W pixels.
"""

import math
from collections.abc import Iterator
from itertools import combinations
from typing import Protocol

import torch
import torch.nn.functional as F
from torch import Tensor

from data.drawings import Drawings
from data.pairs import random_distinct, sample_pairs
from data.splits import select_drawers
from model.augmentation import augment_groups, augment_pairs
from model.config import FitConfig
from model.seeds import derive_seed
from model.siamese import SiameseNet


class Recipe(Protocol):
    """Yields the losses of one epoch."""

    def __call__(
        self, net: SiameseNet, drawings: Drawings, fit: FitConfig, *, generator: torch.Generator
    ) -> Iterator[Tensor]:
        """Yield scalar float32 losses; ``generator`` is on the device of the drawings."""
        ...


def to_input(images_BHW: Tensor) -> Tensor:
    """Return uint8 images as the network's input, float32 in [0, 1].

    Args:
        images_BHW: uint8, ink 255; B×H×W, or B×3×H×W for colour images.

    Returns:
        B×1×H×W or B×3×H×W.
    """
    images = images_BHW.unsqueeze(1) if images_BHW.dim() == 3 else images_BHW
    return images.float().div_(255)


def chance_loss(fit: FitConfig, n_characters: int | None = None) -> float:
    """Return the loss of a network that does not depend on its input.

    Args:
        fit: configuration of the fit.
        n_characters: number of characters of the training drawings, which limits the number of
            characters per step; None for no limit.
    """
    if fit.recipe == "paper":
        return math.log(2)
    return math.log(min(fit.n_characters, n_characters or fit.n_characters))


def images_per_epoch(fit: FitConfig, n_characters: int | None = None) -> int:
    """Return the number of drawings that one epoch of training embeds.

    Args:
        fit: configuration of the fit.
        n_characters: see :func:`chance_loss`.
    """
    per_step = min(fit.n_characters, n_characters or fit.n_characters)
    if fit.recipe == "paper":
        return 2 * fit.n_pairs
    return fit.n_drawings * fit.steps_per_epoch * per_step


def training_drawings(train: Drawings, fit: FitConfig) -> Drawings:
    """Return the drawings that a recipe trains on: by the first drawers (paper), or by all."""
    return select_drawers(train, range(fit.n_drawers)) if fit.recipe == "paper" else train


def pair_losses(
    net: SiameseNet, drawings: Drawings, fit: FitConfig, *, generator: torch.Generator
) -> Iterator[Tensor]:
    """Yield the scalar float32 cross-entropy of each batch of one epoch over the training pairs.

    Every epoch has the same pairs, in another order, unless ``fit.new_pairs`` is true. The
    drawings are changed by :func:`model.augmentation.augment_pairs`.

    Source: Koch 2015 §3.2 "Loss function", §4.1. Deviation D1: the sign.
    """
    device, pair_generator = drawings.images_NHW.device, generator
    if not fit.new_pairs:
        pair_generator = torch.Generator(device)
        pair_generator.manual_seed(derive_seed(generator.initial_seed(), 0))
    pairs = sample_pairs(drawings, fit.n_pairs, generator=pair_generator)
    order = torch.randperm(len(pairs), generator=generator, device=device)
    for position_B in order.split(fit.batch_size):
        batch = pairs[position_B]
        x = to_input(drawings.images_NHW[torch.cat([batch.left_B, batch.right_B])])
        x = augment_pairs(x, fit, generator=generator)
        logits_B = net.compare(*net.embed(x).chunk(2))
        yield F.binary_cross_entropy_with_logits(logits_B, batch.same_B.float())


def episode_losses(
    net: SiameseNet, drawings: Drawings, fit: FitConfig, *, generator: torch.Generator
) -> Iterator[Tensor]:
    """Yield the scalar float32 losses of ``steps_per_epoch`` steps of one large one-shot task each.

    A step takes at most ``n_characters`` characters and ``n_drawings`` drawings of each, and embeds
    every drawing once. Each first drawing is a query whose support set is all second drawings, and
    vice versa; with more drawings, each two of them do so. The loss is the mean cross-entropy of
    the softmax over the support sets.
    """
    for _ in range(fit.steps_per_epoch):
        x = sample_episode(drawings, fit, generator=generator)
        pairs = list(combinations(net.embed(x).chunk(fit.n_drawings), 2))
        losses = [_support_loss(net, h1_CE, h2_CE) for h1_CE, h2_CE in pairs]
        yield torch.stack(losses).mean() if len(losses) > 1 else losses[0]


def _support_loss(net: SiameseNet, h1_CE: Tensor, h2_CE: Tensor) -> Tensor:
    """Return the scalar cross-entropy of each drawing with the support set of the other ones.

    Args:
        net: compares the embeddings.
        h1_CE: embedding of one drawing of each character.
        h2_CE: embedding of another drawing of each character.
    """
    logits_CC = net.compare(h1_CE.unsqueeze(0), h2_CE.unsqueeze(0)).squeeze(0)
    target_C = torch.arange(len(logits_CC), device=logits_CC.device)
    return (F.cross_entropy(logits_CC, target_C) + F.cross_entropy(logits_CC.T, target_C)) / 2


def sample_episode(drawings: Drawings, fit: FitConfig, *, generator: torch.Generator) -> Tensor:
    """Return the images of one step: C first drawings, then the C second drawings, and so on.

    They are distorted, rotated and mirrored if ``fit`` says so.

    Returns:
        Float B×1×H×W, or B×3×H×W for colour images, B = C × ``n_drawings``; ink 1.
    """
    position_B, alphabet_B = sample_characters(
        drawings, fit.n_characters, fit.n_drawings, generator=generator
    )
    x = to_input(drawings.images_NHW[position_B])
    return augment_groups(x, alphabet_B, len(drawings.alphabets), fit, generator=generator)


def sample_characters(
    drawings: Drawings, n: int, n_drawings: int, *, generator: torch.Generator
) -> tuple[Tensor, Tensor]:
    """Return drawings of each of C characters from as few random alphabets as possible.

    Args:
        drawings: training drawings.
        n: maximum number of characters.
        n_drawings: number of drawings of each character; they are different if it has as many.
        generator: random state on the device of the drawings.

    Returns:
        Two int64 tensors of shape B = C × ``n_drawings``, C ≤ n: the positions of the first drawing
        of every character, then of the second one, and so on; and the alphabet of each drawing.
    """
    device, n_alphabets = drawings.images_NHW.device, len(drawings.alphabets)
    alphabet = drawings.alphabet_N[drawings.first_C]
    rank = torch.randperm(n_alphabets, generator=generator, device=device)[alphabet]
    within = torch.rand(len(rank), generator=generator, device=device, dtype=torch.float64)
    character_C = (rank + within).argsort()[:n]
    count_C, start_C = drawings.count_C[character_C], drawings.first_C[character_C]
    numbers = random_distinct(count_C, n_drawings, generator)
    position_B = torch.cat([start_C + number_C for number_C in numbers])
    return position_B, alphabet[character_C].repeat(n_drawings)


LOSSES: dict[str, Recipe] = {"paper": pair_losses, "episode": episode_losses}
