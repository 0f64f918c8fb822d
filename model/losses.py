"""The two ways to make training steps of drawings: the paper's pairs, and episodes.

A recipe yields one loss after another; the caller steps the optimiser in between.

Tensor suffixes: B pairs or images, C characters of a step.
"""

import math
from collections.abc import Iterator
from typing import Protocol

import torch
import torch.nn.functional as F
from torch import Tensor

from data.affine import distort, draw_distortions, identity_parameters
from data.drawings import Drawings
from data.pairs import draw_pairs, random_below, random_other
from data.splits import TRAIN_DRAWERS, select_drawers
from model.config import FitConfig
from model.seeds import derive_seed
from model.siamese import SiameseNet

# Eight distorted copies stand beside each original pair (§3.2), so 8 of 9 are distorted.
DISTORTED_SHARE = 8 / 9


def to_input(images_BHW: Tensor) -> Tensor:
    """Return uint8 images as the network's float input B×1×H×W (colours: B×3×H×W), ink 1."""
    images = images_BHW.unsqueeze(1) if images_BHW.dim() == 3 else images_BHW
    return images.float().div_(255)


def chance_loss(fit: FitConfig, n_characters: int | None = None) -> float:
    """Return the loss of a network that has learnt nothing.

    Args:
        fit: the recipe.
        n_characters: of the training drawings, if they may be fewer than a step takes.
    """
    if fit.recipe == "paper":
        return math.log(2)
    return math.log(min(fit.n_characters, n_characters or fit.n_characters))


def pair_losses(
    net: SiameseNet, drawings: Drawings, fit: FitConfig, *, generator: torch.Generator
) -> Iterator[Tensor]:
    """Yield the cross-entropy of each batch of one epoch over the fixed training pairs.

    The pairs are the same in every epoch, shuffled anew; the two twins are distorted independently
    (Deviation D12: one of nine visits of a pair is undistorted, in place of a list of nine copies).

    Source: Koch 2015 §3.2 "Loss function", §4.1. Deviation D1: the sign.
    """
    device = drawings.images_NHW.device
    fixed = torch.Generator(device).manual_seed(derive_seed(generator.initial_seed(), 0))
    pairs = draw_pairs(drawings, fit.n_pairs, generator=fixed)
    order = torch.randperm(len(pairs), generator=generator, device=device)
    for at in order.split(fit.batch_size):
        batch = pairs[at]
        x = to_input(drawings.images_NHW[torch.cat([batch.left_B, batch.right_B])])
        if fit.distort:
            T = draw_distortions(len(x), generator=generator)
            kept = torch.rand(len(at), generator=generator, device=device) >= DISTORTED_SHARE
            x = distort(x, torch.where(kept.repeat(2).unsqueeze(1), identity_parameters(device), T))
        logits = net.compare(*net.embed(x).chunk(2))
        yield F.binary_cross_entropy_with_logits(logits, batch.same_B.float())


def draw_characters(
    drawings: Drawings, n: int, *, generator: torch.Generator
) -> tuple[Tensor, Tensor, Tensor]:
    """Return ``n`` characters of as few random alphabets as hold them, two drawings of each.

    Returns:
        Positions ``first_C`` and ``second_C`` of two different drawings, and ``alphabet_C``.
    """
    device, n_alphabets = drawings.images_NHW.device, len(drawings.alphabets)
    alphabet = drawings.alphabet_N[drawings.first_C]
    rank = torch.randperm(n_alphabets, generator=generator, device=device)[alphabet]
    within = torch.rand(len(rank), generator=generator, device=device, dtype=torch.float64)
    character = (rank + within).argsort()[:n]
    count, start = drawings.count_C[character], drawings.first_C[character]
    first = random_below(count, generator)
    second = random_other(first, count, generator)
    return start + first, start + second, alphabet[character]


def draw_episode(drawings: Drawings, fit: FitConfig, *, generator: torch.Generator) -> Tensor:
    """Return the images of one step, distorted: C first drawings, then the C second ones.

    Returns:
        Float 2C×1×H×W, ink 1.
    """
    device = drawings.images_NHW.device
    first, second, alphabet = draw_characters(drawings, fit.n_characters, generator=generator)

    def one_per_alphabet(n: int) -> Tensor:
        shape = (len(drawings.alphabets),)
        drawn = torch.randint(n, shape, generator=generator, device=device)
        return drawn[alphabet].repeat(2)

    T = identity_parameters(device).repeat(2 * len(first), 1)
    if fit.distort:
        T = draw_distortions(len(T), generator=generator)
    if fit.turns:
        T[:, 0] += 90.0 * one_per_alphabet(4)
    if fit.mirrors:
        T[:, 3] *= 1 - 2 * one_per_alphabet(2)  # a negative width is a mirror's
    x = to_input(drawings.images_NHW[torch.cat([first, second])])
    return distort(x, T) if fit.distort or fit.turns or fit.mirrors else x


def episode_losses(
    net: SiameseNet, drawings: Drawings, fit: FitConfig, *, generator: torch.Generator
) -> Iterator[Tensor]:
    """Yield the loss of each of ``steps_per_epoch`` steps: one large one-shot task each.

    A step takes ``n_characters`` characters, two distorted drawings of each, and embeds every
    drawing once. Each drawing is a query against all second drawings, and the other way round;
    the loss is the cross-entropy of the softmax over the support set's logits.
    """
    for _ in range(fit.steps_per_epoch):
        h1, h2 = net.embed(draw_episode(drawings, fit, generator=generator)).chunk(2)
        logits = net.compare(h1.unsqueeze(0), h2.unsqueeze(0)).squeeze(0)
        target = torch.arange(len(logits), device=logits.device)
        yield (F.cross_entropy(logits, target) + F.cross_entropy(logits.T, target)) / 2


def images_per_epoch(fit: FitConfig, n_characters: int | None = None) -> int:
    """Return how many drawings are embedded in training for one epoch; see :func:`chance_loss`."""
    per_step = min(fit.n_characters, n_characters or fit.n_characters)
    return 2 * (fit.n_pairs if fit.recipe == "paper" else fit.steps_per_epoch * per_step)


class Recipe(Protocol):
    """Yields the losses of one epoch."""

    def __call__(
        self, net: SiameseNet, drawings: Drawings, fit: FitConfig, *, generator: torch.Generator
    ) -> Iterator[Tensor]:
        """Train on ``drawings``, with a random state on their device."""
        ...


LOSSES: dict[str, Recipe] = {"paper": pair_losses, "episode": episode_losses}


def training_drawings(train: Drawings, fit: FitConfig) -> Drawings:
    """Return what a recipe trains on: the paper's twelve drawers, or all twenty."""
    return select_drawers(train, TRAIN_DRAWERS) if fit.recipe == "paper" else train
