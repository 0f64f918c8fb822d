"""The architecture of a network: its layers, their sizes, and what they compute."""

from dataclasses import dataclass
from typing import ClassVar

from data.errors import InputError, require

CONVS = ("conv1", "conv2", "conv3", "conv4")
LAYERS = (*CONVS, "fc1", "head")
INITS = ("scaled", "paper")
CONV_NORMS = ("none", "batch", "group")
HEAD_NORMS = ("none", "batch", "unit")


@dataclass(frozen=True)
class ModelConfig:
    """Architecture of the network: four convolutions, the first three followed by 2×2 max-pooling.

    Args:
        image_size: height and width of the input in pixels.
        filters: number of output channels of conv1 … conv4.
        kernels: kernel sizes of conv1 … conv4 in pixels; stride 1, no padding.
        units: dimension E of the embedding.
        init: distribution of the initial weights: ``"paper"`` for the paper's normal
            distributions, ``"scaled"`` for a standard deviation that depends on the number of
            inputs of a layer (Deviation D10).
        channels: number of values per pixel of the input; 3 for colour images.
        conv_norm: normalisation of the convolutions, after pooling and before the ReLU:
            ``"none"`` (the paper), ``"batch"`` or ``"group"``; see :mod:`model.normalisation`.
        head_norm: normalisation before the head: ``"none"`` (the paper), ``"batch"`` (of the
            outputs of fc1, before the sigmoid) or ``"unit"`` (all embeddings have one length).

    Source: Koch 2015 §3.1, Figure 4; the default is its network scaled to 35 pixels.
    """

    image_size: int = 35
    filters: tuple[int, int, int, int] = (64, 128, 128, 256)
    kernels: tuple[int, int, int, int] = (4, 3, 2, 2)
    units: int = 4096
    init: str = "scaled"
    channels: int = 1
    conv_norm: str = "none"
    head_norm: str = "none"

    layers: ClassVar[tuple[str, ...]] = LAYERS
    relu_layers: ClassVar[tuple[str, ...]] = CONVS  # layers that a ReLU follows

    def __post_init__(self) -> None:
        """Check that the network is possible."""
        require(min(*self.filters, self.units) >= 1, "filters, units >= 1", self, "Raise them.")
        require(min(self.kernels) >= 1, "kernels >= 1", self.kernels, "Raise them.")
        require(self.init in INITS, f"init in {INITS}", self.init, "Choose one of them.")
        for name, choices in (("conv_norm", CONV_NORMS), ("head_norm", HEAD_NORMS)):
            value = getattr(self, name)
            require(value in choices, f"{name} in {choices}", value, "Choose one of them.")
        for name, size, kernel in zip(CONVS, self.input_sizes(), self.kernels, strict=True):
            if size < kernel:
                raise InputError(
                    f"`kernel <= input` must hold in every layer, but {name} has a kernel of "
                    f"{kernel} and an input of {max(size, 0)} pixels. "
                    "Reduce the kernels or increase the image size."
                )

    def input_sizes(self) -> list[int]:
        """Return the height of the input of conv1 … conv4 in pixels."""
        sizes = [self.image_size]
        for kernel in self.kernels[:3]:
            sizes.append((sizes[-1] - kernel + 1) // 2)
        return sizes

    def output_sizes(self) -> list[int]:
        """Return the height of the output of conv1 … conv4 in pixels, before pooling."""
        inputs = zip(self.input_sizes(), self.kernels, strict=True)
        return [size - kernel + 1 for size, kernel in inputs]

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
        """Multiply-adds per image in conv1 … conv4 and fc1."""
        inputs = (self.channels, *self.filters[:3])
        layers = zip(CONVS, self.output_sizes(), self.kernels, inputs, self.filters, strict=True)
        convs = {name: size**2 * k**2 * n_in * n_out for name, size, k, n_in, n_out in layers}
        return convs | {"fc1": self.n_flat * self.units}

    @property
    def n_weights(self) -> int:
        """Number of weights of conv1 … conv4 and fc1, without biases."""
        sizes = [*self.output_sizes(), 1]
        return sum(n // size**2 for n, size in zip(self.macs.values(), sizes, strict=True))

    @property
    def flops(self) -> int:
        """Floating-point operations for the embedding of one image; a multiply-add counts as 2."""
        return 2 * sum(self.macs.values())


@dataclass(frozen=True)
class DenseConfig:
    """Architecture of the paper's siamese net without convolutions: two fully connected layers.

    Args:
        image_size: height and width of the input in pixels.
        hidden: number of outputs of fc1. Deviation D15: the paper does not give the widths.
        units: dimension E of the embedding.
        init: distribution of the initial weights, as in :class:`ModelConfig`.

    Source: Koch 2015 §4.2, Table 2.
    """

    image_size: int = 35
    hidden: int = 2048
    units: int = 2048
    init: str = "scaled"

    channels: ClassVar[int] = 1
    layers: ClassVar[tuple[str, ...]] = ("fc1", "fc2", "head")
    relu_layers: ClassVar[tuple[str, ...]] = ("fc1",)

    def __post_init__(self) -> None:
        """Check that the network is possible."""
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
        """Floating-point operations for the embedding of one image; a multiply-add counts as 2."""
        return 2 * self.n_weights
