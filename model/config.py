"""What a network and a fit are made of: frozen, validated, convertible to JSON and back."""

import hashlib
import json
from dataclasses import asdict, dataclass
from typing import Any, ClassVar

from data.errors import InputError

CONVS = ("conv1", "conv2", "conv3", "conv4")
RECIPES = ("episode", "paper")
SCHEDULES = ("cosine", "exponential")
INITS = ("scaled", "paper")
PRECISIONS = ("auto", "float32", "bfloat16")
LAYERS = (*CONVS, "fc1", "head")
# Nanoseconds of a training step per unit of work, on two CPU cores with AMX bfloat16; found by
# benchmarks/scaling.py. An activation is written, pooled and differentiated; a weight is cast,
# updated and averaged once per step.
NS_PER_FLOP, NS_PER_ACTIVATION, NS_PER_COMPARISON, NS_PER_WEIGHT = 3.2e-4, 2.26, 0.62, 1.54
NS_PER_STEP = 3.5e6


def require(holds: bool, law: str, value: object, repair: str) -> None:
    """Raise an :class:`InputError` made of law, value and repair unless the law holds."""
    if not holds:
        raise InputError(f"`{law}` must hold, but the value is {value}. {repair}")


@dataclass(frozen=True)
class ModelConfig:
    """Geometry of the network: four convolutions, the first three followed by 2×2 max-pooling.

    Args:
        image_size: height and width of the input in pixels.
        filters: channels of conv1 … conv4.
        kernels: kernel sizes of conv1 … conv4 in pixels, stride 1, no padding.
        units: width E of the embedding.
        init: ``"paper"`` for the paper's normal distributions, ``"scaled"`` for ones scaled to
            each layer's number of inputs (Deviation D10).

    Source: Koch 2015 §3.1, Figure 4; the default is its network scaled to 35 pixels.
    """

    image_size: int = 35
    filters: tuple[int, int, int, int] = (64, 128, 128, 256)
    kernels: tuple[int, int, int, int] = (4, 3, 2, 2)
    units: int = 4096
    init: str = "scaled"

    layers: ClassVar[tuple[str, ...]] = LAYERS
    rectified: ClassVar[tuple[str, ...]] = CONVS  # layers with a ReLU behind them

    def __post_init__(self) -> None:
        """Refuse impossible networks before anything is computed."""
        require(min(*self.filters, self.units) >= 1, "filters, units >= 1", self, "Raise them.")
        require(min(self.kernels) >= 1, "kernels >= 1", self.kernels, "Raise them.")
        require(self.init in INITS, f"init in {INITS}", self.init, "Choose one of them.")
        for name, size, kernel in zip(CONVS, self.input_sizes(), self.kernels, strict=True):
            if size < kernel:
                raise InputError(
                    f"`kernel <= input` must hold in every layer, but {name} has a kernel of "
                    f"{kernel} and an input of {max(size, 0)} pixels. "
                    "Lower the kernels or raise the image size."
                )

    def input_sizes(self) -> list[int]:
        """Return the height of the input of conv1 … conv4 in pixels."""
        sizes = [self.image_size]
        for kernel in self.kernels[:3]:
            sizes.append((sizes[-1] - kernel + 1) // 2)
        return sizes

    def output_sizes(self) -> list[int]:
        """Return the height of the output of conv1 … conv4 in pixels, before any pooling."""
        pairs = zip(self.input_sizes(), self.kernels, strict=True)
        return [size - kernel + 1 for size, kernel in pairs]

    @property
    def n_flat(self) -> int:
        """Number of inputs of the fully connected layer."""
        return int(self.filters[3] * self.output_sizes()[3] ** 2)

    @property
    def n_activations(self) -> int:
        """Number of outputs of all layers for one image."""
        layers = zip(self.output_sizes(), self.filters, strict=True)
        return self.units + sum(size**2 * n for size, n in layers)

    @property
    def macs(self) -> dict[str, int]:
        """Multiply-adds of one image in conv1 … conv4 and fc1."""
        inputs = (1, *self.filters[:3])
        layers = zip(CONVS, self.output_sizes(), self.kernels, inputs, self.filters, strict=True)
        found = {name: size**2 * k**2 * n_in * n_out for name, size, k, n_in, n_out in layers}
        return found | {"fc1": self.n_flat * self.units}

    @property
    def n_weights(self) -> int:
        """Number of weights of conv1 … conv4 and fc1, without biases."""
        sizes = [*self.output_sizes(), 1]
        return sum(n // size**2 for n, size in zip(self.macs.values(), sizes, strict=True))

    @property
    def flops(self) -> int:
        """Floating-point operations of one image's embedding (a multiply-add counts 2)."""
        return 2 * sum(self.macs.values())


@dataclass(frozen=True)
class DenseConfig:
    """Geometry of the paper's siamese net without convolutions: two fully connected layers.

    Args:
        image_size: height and width of the input in pixels.
        hidden: width of the first layer. Deviation D15: the paper does not give the widths.
        units: width E of the embedding.
        init: as in :class:`ModelConfig`.

    Source: Koch 2015 §4.2, Table 2.
    """

    image_size: int = 35
    hidden: int = 2048
    units: int = 2048
    init: str = "scaled"

    layers: ClassVar[tuple[str, ...]] = ("fc1", "fc2", "head")
    rectified: ClassVar[tuple[str, ...]] = ("fc1",)

    def __post_init__(self) -> None:
        """Refuse impossible networks."""
        widths = (self.image_size, self.hidden, self.units)
        require(min(widths) >= 1, "image_size, hidden, units >= 1", widths, "Raise them.")
        require(self.init in INITS, f"init in {INITS}", self.init, "Choose one of them.")

    @property
    def n_activations(self) -> int:
        """Number of outputs of all layers for one image."""
        return self.hidden + self.units

    @property
    def n_weights(self) -> int:
        """Number of weights of fc1 and fc2, without biases."""
        return self.hidden * (self.image_size**2 + self.units)

    @property
    def flops(self) -> int:
        """Floating-point operations of one image's embedding (a multiply-add counts 2)."""
        return 2 * self.n_weights


@dataclass(frozen=True)
class LayerRates:
    """One layer's learning rate η, final momentum μ and L2 penalty λ.

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
        patience: epochs without a gain before an early stop.
        epoch_steps: optimiser steps per epoch (episode recipe).
        n_characters: characters per step, two drawings of each (episode recipe).
        n_pairs: pairs per epoch (paper recipe).
        batch_size: pairs per step (paper recipe).
        schedule: ``"exponential"`` (1 % less per epoch, the paper) or ``"cosine"``.
        ramp_epochs: epochs over which momentum rises from 0.5 to μ (Deviation D5).
        nesterov: whether the momentum is Nesterov's.
        distort: whether training drawings are distorted.
        turns: whether alphabets turned by 90, 180 and 270 degrees train as further alphabets.
        ema: decay per step of the averaged weights; 0 for none.
    """

    recipe: str
    rates: tuple[LayerRates, ...]
    max_epochs: int
    patience: int = 20
    epoch_steps: int = 50
    n_characters: int = 64
    n_pairs: int = 30_000
    batch_size: int = 128
    schedule: str = "cosine"
    ramp_epochs: int = 2
    nesterov: bool = True
    distort: bool = True
    turns: bool = True
    ema: float = 0.999

    def __post_init__(self) -> None:
        """Refuse what cannot be trained."""
        require(self.recipe in RECIPES, f"recipe in {RECIPES}", self.recipe, "Choose one of them.")
        known = f"schedule in {SCHEDULES}"
        require(self.schedule in SCHEDULES, known, self.schedule, "Choose one of them.")
        require(self.ramp_epochs >= 0, "ramp_epochs >= 0", self.ramp_epochs, "Raise it.")
        require(0 <= self.ema < 1, "0 <= ema < 1", self.ema, "Correct it.")
        for name in ("max_epochs", "patience", "epoch_steps", "n_pairs", "batch_size"):
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
            "comparisons": n_images * (n_images + 1) // 2 * self.model.units,
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
        """Return the configuration that :meth:`to_dict` described."""
        model, fit = dict(values["model"]), dict(values["fit"])
        fit["rates"] = tuple(LayerRates(**rates) for rates in fit["rates"])
        if "hidden" in model:
            return cls(DenseConfig(**model), FitConfig(**fit))
        model |= {name: tuple(model[name]) for name in ("filters", "kernels")}
        return cls(ModelConfig(**model), FitConfig(**fit))
