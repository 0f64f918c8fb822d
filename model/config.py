"""The configuration of a network and its fit: frozen, validated, convertible to and from JSON."""

import hashlib
import json
import math
from collections.abc import Mapping
from dataclasses import asdict, astuple, dataclass, field
from typing import Any

from data.distortions import PAPER_DISTORTIONS, DistortConfig
from data.errors import require
from model.architecture import DenseConfig, ModelConfig
from model.own_network import OwnConfig
from model.schema import REFERENCE_STEP_COST, upgrade

Architecture = ModelConfig | DenseConfig | OwnConfig
RECIPES = ("episode", "paper")
SCHEDULES = ("cosine", "exponential", "constant", "trapezoid")


@dataclass(frozen=True)
class StepCost:
    """Nanoseconds of a training step of the episode recipe per unit of work.

    An activation is written, pooled and differentiated; a weight is cast, updated and averaged once
    per step.

    Args:
        ns_per_flop: per floating-point operation of the layers.
        ns_per_activation: per output of a layer.
        ns_per_comparison: per component of an embedding that is compared with another one.
        ns_per_weight: per weight of the network.
        ns_per_step: per step, whatever the network.
    """

    ns_per_flop: float
    ns_per_activation: float
    ns_per_comparison: float
    ns_per_weight: float
    ns_per_step: float

    def __post_init__(self) -> None:
        """Check that a step costs time."""
        law = "all costs of a step are finite and >= 0, and one is > 0"
        is_valid = all(0 <= ns < math.inf for ns in astuple(self)) and any(astuple(self))
        require(is_valid, law, self, "Correct --step-cost.")

    def __str__(self) -> str:
        """Return the value of ``--step-cost``."""
        return ",".join(f"{ns:g}" for ns in astuple(self))


# On two CPU cores with AMX bfloat16; measured by benchmarks/scaling.py.
REFERENCE_COST = StepCost(**REFERENCE_STEP_COST)


@dataclass(frozen=True)
class LayerRates:
    """Learning rate η, final momentum μ and L2 penalty λ of one layer.

    Args:
        lr: η at the start of the schedule.
        momentum: μ at the end of its ramp, in [0, 1].
        l2_penalty: λ; the loss contains λ|w|² (Deviation D2).

    Source: Koch 2015 §3.2, "layer-wise".
    """

    lr: float
    momentum: float
    l2_penalty: float

    def __post_init__(self) -> None:
        """Check the ranges."""
        require(self.lr > 0, "lr > 0", self.lr, "Raise it.")
        require(0 <= self.momentum <= 1, "0 <= momentum <= 1", self.momentum, "Correct it.")
        require(self.l2_penalty >= 0, "l2_penalty >= 0", self.l2_penalty, "Raise it.")


@dataclass(frozen=True)
class FitConfig:
    """Configuration of one fit: the recipe, the rates of the layers, the length and the batches.

    Args:
        recipe: ``"paper"`` (independent pairs, cross-entropy) or ``"episode"`` (softmax over a
            support set).
        rates: one entry per layer of the network, in the order of the layers.
        max_epochs: maximum number of epochs; the cosine schedule ends there.
        patience: number of epochs without improvement before an early stop. A fit whose
            schedule falls to 0 does not stop early, because it improves most at its end.
        steps_per_epoch: optimiser steps per epoch (episode recipe).
        n_characters: characters per step (episode recipe).
        n_drawings: drawings of each character per step, at least 2 (episode recipe).
        n_pairs: pairs per epoch (paper recipe).
        new_pairs: whether every epoch has new pairs in place of the same ones (paper recipe).
        n_drawers: number of drawers whose drawings are used; 12 in the paper (paper recipe).
        batch_size: pairs per step (paper recipe).
        schedule: ``"exponential"`` (1 % less per epoch, the paper), ``"cosine"`` (falls to 0),
            ``"trapezoid"`` (falls to 0 in the last quarter), or ``"constant"``, which needs ``ema``
            for weights that do not fluctuate.
        warmup_epochs: epochs in which the learning rate rises linearly to its full value.
        ramp_epochs: epochs over which momentum rises from 0.5 to μ (Deviation D5).
        nesterov: whether to use Nesterov momentum.
        distort: strength of the distortions of the training drawings.
        turns: whether to train on alphabets rotated by 90, 180 and 270° as well.
        mirrors: whether to train on mirrored alphabets as well.
        ema: decay per step of the exponential moving average of the weights; 0 for no average.
    """

    recipe: str
    rates: tuple[LayerRates, ...]
    max_epochs: int
    patience: int = 20
    steps_per_epoch: int = 50
    n_characters: int = 64
    n_drawings: int = 2
    n_pairs: int = 30_000
    new_pairs: bool = False
    n_drawers: int = 12
    batch_size: int = 128
    schedule: str = "cosine"
    warmup_epochs: int = 0
    ramp_epochs: int = 2
    nesterov: bool = True
    distort: DistortConfig = PAPER_DISTORTIONS
    turns: bool = True
    mirrors: bool = False
    ema: float = 0.999

    def __post_init__(self) -> None:
        """Check that the fit is possible."""
        require(self.recipe in RECIPES, f"recipe in {RECIPES}", self.recipe, "Choose one of them.")
        law = f"schedule in {SCHEDULES}"
        require(self.schedule in SCHEDULES, law, self.schedule, "Choose one of them.")
        for name in ("ramp_epochs", "warmup_epochs"):
            require(getattr(self, name) >= 0, f"{name} >= 0", getattr(self, name), "Raise it.")
        require(0 <= self.ema < 1, "0 <= ema < 1", self.ema, "Correct it.")
        for name in ("max_epochs", "patience", "steps_per_epoch", "n_pairs", "batch_size"):
            require(getattr(self, name) >= 1, f"{name} >= 1", getattr(self, name), "Raise it.")
        for name in ("n_characters", "n_drawings", "n_drawers"):
            require(getattr(self, name) >= 2, f"{name} >= 2", getattr(self, name), "Raise it.")


@dataclass(frozen=True)
class Config:
    """Configuration of a network and its fit.

    Args:
        model: architecture of the network.
        fit: configuration of the fit.
        step_cost: costs from which :attr:`cost` is estimated. They do not change the fit, so they
            are neither compared nor stored with the configuration.
        epoch_cost: only of a base configuration: estimated nanoseconds of an epoch of every trial;
            None for those of an epoch of the base. It is neither compared nor stored.
        start: digest of the file of the network from whose weights the fit starts; None for random
            weights.
    """

    model: Architecture
    fit: FitConfig
    step_cost: StepCost = field(default=REFERENCE_COST, compare=False, repr=False)
    epoch_cost: float | None = field(default=None, compare=False, repr=False)
    start: str | None = None

    def __post_init__(self) -> None:
        """Check that there are rates for every layer."""
        n_rates = len(self.fit.rates)
        require(n_rates == len(self.model.layers), "one rate per layer", n_rates, "Add them.")

    @property
    def conv(self) -> ModelConfig:
        """Architecture of a network that is known to be convolutional."""
        assert isinstance(self.model, ModelConfig)
        return self.model

    @property
    def work(self) -> dict[str, int]:
        """Number of FLOPs, activations, comparisons and weights of a step of the episode recipe.

        They are not known of a network of the user's own, whose cost is measured.
        """
        assert not isinstance(self.model, OwnConfig)
        n_images = self.fit.n_drawings * self.fit.n_characters
        n_comparisons = math.comb(self.fit.n_drawings, 2) * self.fit.n_characters**2
        return {
            "FLOPs": 3 * self.model.flops * n_images,
            "activations": self.model.n_activations * n_images,
            "comparisons": n_comparisons * self.model.units,
            "weights": self.model.n_weights,
        }

    @property
    def cost(self) -> float:
        """Estimated nanoseconds of a step of the episode recipe, by :attr:`step_cost`."""
        counts = (*self.work.values(), 1)
        costs: tuple[float, ...] = astuple(self.step_cost)
        return sum(ns * n for ns, n in zip(costs, counts, strict=True))

    def to_dict(self) -> dict[str, Any]:
        """Return JSON values of network and fit; random weights are not mentioned."""
        start = {"start": self.start} if self.start else {}
        return {"model": asdict(self.model), "fit": asdict(self.fit)} | start

    @property
    def digest(self) -> str:
        """Twelve hexadecimal digits that identify the configuration."""
        text = json.dumps(self.to_dict(), sort_keys=True)
        return hashlib.sha256(text.encode()).hexdigest()[:12]

    @classmethod
    def from_dict(cls, values: dict[str, Any]) -> "Config":
        """Return the configuration from the values of :meth:`to_dict`, in any schema."""
        values = upgrade("config", values)
        fit = dict(values["fit"])
        fit["rates"] = tuple(LayerRates(**rates) for rates in fit["rates"])
        fit["distort"] = DistortConfig(**fit["distort"])
        model = architecture_from_dict(values["model"])
        return cls(model, FitConfig(**fit), start=values.get("start"))


def architecture_from_dict(values: Mapping[str, Any]) -> Architecture:
    """Return an architecture from its JSON values."""
    model = dict(values)
    if "network" in model:
        return OwnConfig(**model)
    if "hidden" in model:
        return DenseConfig(**model)
    model |= {name: tuple(model[name]) for name in ("filters", "kernels")}
    return ModelConfig(**model)
