"""What a network and a fit are made of: frozen, validated, convertible to JSON and back."""

import hashlib
import json
from dataclasses import asdict, dataclass
from typing import Any

from model.architecture import DenseConfig, ModelConfig, require
from model.schema import upgrade

RECIPES = ("episode", "paper")

SCHEDULES = ("cosine", "exponential")

PRECISIONS = ("auto", "float32", "bfloat16")

# Nanoseconds of a training step per unit of work, on two CPU cores with AMX bfloat16; found by
# benchmarks/scaling.py. An activation is written, pooled and differentiated; a weight is cast,
# updated and averaged once per step.
NS_PER_FLOP, NS_PER_ACTIVATION, NS_PER_COMPARISON, NS_PER_WEIGHT = 3.2e-4, 2.26, 0.62, 1.54

NS_PER_STEP = 3.5e6


@dataclass(frozen=True)
class LayerRates:
    """One layer's learning rate η, final momentum μ and L2 penalty λ.

    Args:
        lr: η at the start of the schedule.
        momentum: μ at the end of its ramp.
        l2_penalty: λ; the loss grows by λ|w|² (Deviation D2).

    Source: Koch 2015 §3.2, "layer-wise".
    """

    lr: float
    momentum: float
    l2_penalty: float

    def __post_init__(self) -> None:
        """Refuse rates outside the range that has a meaning."""
        require(self.lr > 0, "lr > 0", self.lr, "Raise it.")
        require(0 <= self.momentum <= 1, "0 <= momentum <= 1", self.momentum, "Correct it.")
        require(self.l2_penalty >= 0, "l2_penalty >= 0", self.l2_penalty, "Raise it.")


@dataclass(frozen=True)
class FitConfig:
    """One training: the recipe, its rates, its length and what it is fed.

    Args:
        recipe: ``"paper"`` (independent pairs, cross-entropy) or ``"episode"`` (softmax over a
            support set).
        rates: one entry per layer of the network, in their order.
        max_epochs: epochs at most; the cosine schedule ends there.
        patience: epochs without a gain before an early stop; a cosine schedule, which gains most
            at its end, is not broken off.
        steps_per_epoch: optimiser steps per epoch (episode recipe).
        n_characters: characters per step, two drawings of each (episode recipe).
        n_pairs: pairs per epoch (paper recipe).
        batch_size: pairs per step (paper recipe).
        schedule: ``"exponential"`` (1 % less per epoch, the paper) or ``"cosine"``.
        ramp_epochs: epochs over which momentum rises from 0.5 to μ (Deviation D5).
        nesterov: whether the momentum is Nesterov's.
        distort: whether training drawings are distorted.
        turns: whether alphabets turned by 90, 180 and 270 degrees train, too (episode recipe).
        mirrors: whether mirrored alphabets do (episode recipe).
        ema: decay per step of the averaged weights; 0 for none.
    """

    recipe: str
    rates: tuple[LayerRates, ...]
    max_epochs: int
    patience: int = 20
    steps_per_epoch: int = 50
    n_characters: int = 64
    n_pairs: int = 30_000
    batch_size: int = 128
    schedule: str = "cosine"
    ramp_epochs: int = 2
    nesterov: bool = True
    distort: bool = True
    turns: bool = True
    mirrors: bool = False
    ema: float = 0.999

    def __post_init__(self) -> None:
        """Refuse what cannot be trained."""
        require(self.recipe in RECIPES, f"recipe in {RECIPES}", self.recipe, "Choose one of them.")
        known = f"schedule in {SCHEDULES}"
        require(self.schedule in SCHEDULES, known, self.schedule, "Choose one of them.")
        require(self.ramp_epochs >= 0, "ramp_epochs >= 0", self.ramp_epochs, "Raise it.")
        require(0 <= self.ema < 1, "0 <= ema < 1", self.ema, "Correct it.")
        for name in ("max_epochs", "patience", "steps_per_epoch", "n_pairs", "batch_size"):
            require(getattr(self, name) >= 1, f"{name} >= 1", getattr(self, name), "Raise it.")
        require(self.n_characters >= 2, "n_characters >= 2", self.n_characters, "Raise it.")


@dataclass(frozen=True)
class Config:
    """A network and how it is fitted."""

    model: ModelConfig | DenseConfig
    fit: FitConfig

    def __post_init__(self) -> None:
        """Refuse rates that do not match the layers."""
        n_rates = len(self.fit.rates)
        require(n_rates == len(self.model.layers), "one rate per layer", n_rates, "Add them.")

    @property
    def conv(self) -> ModelConfig:
        """The geometry, of a network that is convolutional."""
        assert isinstance(self.model, ModelConfig)
        return self.model

    @property
    def work(self) -> dict[str, int]:
        """What a step of the episode recipe does: FLOPs, activations, comparisons and weights."""
        n_images = 2 * self.fit.n_characters
        return {
            "FLOPs": 3 * self.model.flops * n_images,
            "activations": self.model.n_activations * n_images,
            "comparisons": self.fit.n_characters**2 * self.model.units,
            "weights": self.model.n_weights,
        }

    @property
    def cost(self) -> float:
        """Nanoseconds that a step of the episode recipe takes on the machine of the constants."""
        each = (NS_PER_FLOP, NS_PER_ACTIVATION, NS_PER_COMPARISON, NS_PER_WEIGHT)
        return NS_PER_STEP + sum(ns * n for ns, n in zip(each, self.work.values(), strict=True))

    def to_dict(self) -> dict[str, Any]:
        """Return plain types, fit for JSON."""
        return asdict(self)

    @property
    def digest(self) -> str:
        """Twelve hexadecimal digits that tell configurations apart."""
        text = json.dumps(self.to_dict(), sort_keys=True)
        return hashlib.sha256(text.encode()).hexdigest()[:12]

    @classmethod
    def from_dict(cls, values: dict[str, Any]) -> "Config":
        """Return the configuration that :meth:`to_dict` described, of any schema."""
        values = upgrade("config", values)
        model, fit = dict(values["model"]), dict(values["fit"])
        fit["rates"] = tuple(LayerRates(**rates) for rates in fit["rates"])
        if "hidden" in model:
            return cls(DenseConfig(**model), FitConfig(**fit))
        model |= {name: tuple(model[name]) for name in ("filters", "kernels")}
        return cls(ModelConfig(**model), FitConfig(**fit))
