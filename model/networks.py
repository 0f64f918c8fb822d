"""Networks of every architecture: those of the paper, and those of the user.

Tensor suffixes: B images, H W pixels, E embedding; the 1 stands for one or three channels.
"""

from typing import Any

import torch
from torch import Tensor, nn

from model.architecture import DenseConfig, ModelConfig
from model.device import autocast
from model.initial_weights import initialise_head
from model.own_module import count_flops, make_module, seeded_random_state
from model.own_network import OwnConfig
from model.seeds import derive_seed
from model.siamese import DenseNet, SiameseNet
from model.torch_internals import UninitialisedLinear


class OwnNet(SiameseNet):
    """A network of the user's own with the head of :class:`SiameseNet`.

    In training, the random numbers of its layers, such as those of dropout, come from a seed and
    from the number of calls so far, so that a fit can be resumed exactly.
    """

    def __init__(
        self,
        config: OwnConfig,
        *,
        generator: torch.Generator | None = None,
        precision: str = "float32",
    ) -> None:
        """Call the user's function with a seed from the generator, and create the head."""
        nn.Module.__init__(self)
        self.config, self.precision = config, precision
        self._seed = int(torch.randint(2**31, (), generator=generator)) if generator else 0
        self._n_calls = 0
        self.net, n_units = make_module(config, self._seed)
        self.head: nn.Linear = UninitialisedLinear(n_units, 1)
        initialise_head(self.head)

    @property
    def _embedder(self) -> nn.Module:
        return self.net

    @property
    def flops(self) -> int:
        """FLOPs that torch counts for the embedding of one image; 0 if it cannot."""
        assert isinstance(self.config, OwnConfig)
        return count_flops(self.net, self.config)

    def layer_parameters(self, layer: str) -> list[nn.Parameter]:
        """Return all parameters: the network and its head have one group of rates."""
        return list(self.parameters())

    def first_filters(self) -> None:
        """Return None: the layers are not known."""

    def embed(self, x_B1HW: Tensor) -> Tensor:
        """Return the embeddings h, float32 B×E, as the user's module computes them."""
        if not self.training:
            return self._embed(x_B1HW)
        self._n_calls += 1
        with seeded_random_state(x_B1HW.device, derive_seed(self._seed, self._n_calls)):
            return self._embed(x_B1HW)

    def _embed(self, x_B1HW: Tensor) -> Tensor:
        network: Any = self.net
        with autocast(x_B1HW.device, self.precision):
            h_BE: Tensor = network.embed(x_B1HW.contiguous())
        return h_BE.float()

    def get_extra_state(self) -> Tensor:
        """Return what a checkpoint stores besides the weights."""
        return torch.tensor([self._seed, self._n_calls])

    def set_extra_state(self, state: Tensor) -> None:
        """Restore the state of :meth:`get_extra_state`."""
        self._seed, self._n_calls = state.tolist()


def build_net(
    config: ModelConfig | DenseConfig | OwnConfig,
    *,
    generator: torch.Generator | None = None,
    precision: str = "float32",
) -> SiameseNet:
    """Return a network of the class that an architecture needs.

    Args:
        config: architecture of the network.
        generator: see :class:`SiameseNet`.
        precision: see :class:`SiameseNet`.
    """
    if isinstance(config, OwnConfig):
        return OwnNet(config, generator=generator, precision=precision)
    net_class = DenseNet if isinstance(config, DenseConfig) else SiameseNet
    return net_class(config, generator=generator, precision=precision)
