"""The siamese network of Koch 2015: a convolutional twin and a weighted L1 distance.

Tensor suffixes: B images or pairs, R blocks, Q queries, S support, C channels, H W pixels,
E embedding.
"""

from collections.abc import Callable

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from model.architecture import CONVS, DenseConfig, ModelConfig
from model.device import autocast
from model.initial_weights import initialise
from model.normalisation import apply_norm, convolution_norm, norm_name, to_unit_length
from model.own_network import OwnConfig
from model.torch_internals import UninitialisedConv2d, UninitialisedLinear
from model.weighted_l1 import weighted_l1


class SiameseNet(nn.Module):
    """Embeds drawings, and returns for each pair the logit that both show the same character.

    Args:
        config: architecture of the network.
        generator: random state of the initial weights; None leaves them uninitialised.
        precision: number format of the layers, ``"float32"`` or ``"bfloat16"``. Weights,
            embeddings and logits are always float32.

    Source: Koch 2015 §3.1, Figure 4.
    """

    def __init__(
        self,
        config: ModelConfig | DenseConfig,
        *,
        generator: torch.Generator | None = None,
        precision: str = "float32",
    ) -> None:
        """Create the layers of the twin and the head."""
        super().__init__()
        self.config: ModelConfig | DenseConfig | OwnConfig = config
        self.precision = precision
        self._create_layers()
        self.head: nn.Linear = UninitialisedLinear(config.units, 1)
        if generator is not None:
            initialise(self, config, generator=generator)
        self.to(memory_format=torch.channels_last)

    def _create_layers(self) -> None:
        """Create conv1 … conv4 and fc1, and the normalisations that follow them."""
        assert isinstance(self.config, ModelConfig)
        f1, f2, f3, f4 = self.config.filters
        k1, k2, k3, k4 = self.config.kernels
        self.conv1: nn.Conv2d = UninitialisedConv2d(self.config.channels, f1, k1)
        self.conv2: nn.Conv2d = UninitialisedConv2d(f1, f2, k2)
        self.conv3: nn.Conv2d = UninitialisedConv2d(f2, f3, k3)
        self.conv4: nn.Conv2d = UninitialisedConv2d(f3, f4, k4)
        self.fc1: nn.Linear = UninitialisedLinear(self.config.n_flat, self.config.units)
        for layer, n_channels in zip(CONVS, self.config.filters, strict=True):
            self._add_norm(layer, convolution_norm(self.config.conv_norm, n_channels))
        is_batch = self.config.head_norm == "batch"
        self._add_norm("fc1", nn.BatchNorm1d(self.config.units) if is_batch else None)

    def _add_norm(self, layer: str, norm: nn.Module | None) -> None:
        """Add the normalisation that follows a layer; a network without it has no such module."""
        if norm is not None:
            self.add_module(norm_name(layer), norm)

    def _normalise(self, layer: str, x: Tensor) -> Tensor:
        """Return the outputs of a layer, normalised if the architecture says so."""
        return apply_norm(self._modules.get(norm_name(layer)), x)

    def compile_training(self) -> None:
        """Compile the training of this network with ``torch.compile``, on a GPU with CUDA graphs.

        Without gradients the network is not compiled: each run of a CUDA graph overwrites the
        results of the run before, and an evaluation needs many results at once.
        """
        torch.compiler.reset()  # graphs of other architectures would count towards the limit
        mode = "reduce-overhead" if self.head.weight.is_cuda else "default"
        for owner, name in ((self._embedder, "embed"), (self, "compare")):
            original = getattr(owner, name)
            compiled = torch.compile(original, mode=mode)
            setattr(owner, name, _compiled_with_gradients(compiled, original))

    @property
    def _embedder(self) -> nn.Module:
        """The module whose ``embed`` is compiled."""
        return self

    @property
    def flops(self) -> int:
        """Floating-point operations for the embedding of one image; a multiply-add counts as 2."""
        assert not isinstance(self.config, OwnConfig)
        return self.config.flops

    def layer_parameters(self, layer: str) -> list[nn.Parameter]:
        """Return the parameters of a layer and of the normalisation that follows it."""
        modules = (layer, norm_name(layer))
        return [p for name, p in self.named_parameters() if name.split(".")[0] in modules]

    def first_filters(self) -> Tensor | None:
        """Return the float32 N×H×W filters of conv1, averaged over the channels; None without."""
        return self.conv1.weight.mean(1).detach()

    def embed(self, x_B1HW: Tensor) -> Tensor:
        """Return the embeddings h.

        Args:
            x_B1HW: float, ink 1, paper 0, of the configured size; B×3×H×W for colour images.

        Returns:
            Float32 B×E in (0, 1), longer with ``head_norm="unit"``. A row does not depend on the
            other drawings of the batch, except while a network with batch normalisation trains.
        """
        x = x_B1HW.contiguous(memory_format=torch.channels_last)
        with autocast(x.device, self.precision):
            for conv, layer in zip((self.conv1, self.conv2, self.conv3), CONVS, strict=False):
                # ReLU and max-pooling commute; after pooling, ReLU has a quarter of the work.
                x = F.relu_(self._normalise(layer, F.max_pool2d(conv(x), 2)))
            x = F.relu_(self._normalise("conv4", self.conv4(x)))
            h_BE = torch.sigmoid(self._normalise("fc1", self.fc1(x.flatten(1)).float()))
        assert isinstance(self.config, ModelConfig)
        return to_unit_length(h_BE) if self.config.head_norm == "unit" else h_BE

    def compare(self, h1: Tensor, h2: Tensor) -> Tensor:
        """Return the logits ``Σ_j α_j |h1_j − h2_j| + b`` of embeddings.

        Args:
            h1: float32 B×E, or R×Q×E.
            h2: float32 B×E, or R×S×E.

        Returns:
            Float32 B for two B×E; otherwise R×Q×S, each query with each support drawing of its
            block.

        Source: Koch 2015 §3.1. Deviation D3: the paper's formula has no bias b.
        """
        weight, bias = self.head.weight[0], self.head.bias
        if h1.dim() == 2:
            return (h1 - h2).abs() @ weight + bias
        blocks = zip(h1, h2, strict=True)
        return torch.stack([weighted_l1(h1_QE, h2_SE, weight) for h1_QE, h2_SE in blocks]) + bias

    def forward(self, x1_B1HW: Tensor, x2_B1HW: Tensor) -> Tensor:
        """Return the B float32 logits of B pairs of images."""
        h1_BE, h2_BE = self.embed(torch.cat([x1_B1HW, x2_B1HW])).chunk(2)
        return self.compare(h1_BE, h2_BE)


class DenseNet(SiameseNet):
    """The siamese net without convolutions: two fully connected layers on the pixels.

    Source: Koch 2015 §4.2, Table 2.
    """

    def _create_layers(self) -> None:
        """Create fc1 and fc2."""
        config = self.config
        assert isinstance(config, DenseConfig)
        self.fc1: nn.Linear = UninitialisedLinear(config.image_size**2, config.hidden)
        self.fc2: nn.Linear = UninitialisedLinear(config.hidden, config.units)

    def embed(self, x_B1HW: Tensor) -> Tensor:
        """Return the embeddings h, as :meth:`SiameseNet.embed` does."""
        with autocast(x_B1HW.device, self.precision):
            x = F.relu_(self.fc1(x_B1HW.flatten(1)))
            return torch.sigmoid(self.fc2(x).float())

    def first_filters(self) -> None:
        """Return None: there is no convolution."""


def _compiled_with_gradients(
    compiled: Callable[..., Tensor], original: Callable[..., Tensor]
) -> Callable[..., Tensor]:
    """Return a function that calls the compiled function if gradients are enabled."""
    return lambda *tensors: (compiled if torch.is_grad_enabled() else original)(*tensors)
