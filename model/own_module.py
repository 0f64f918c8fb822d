"""The module of a network of the user's own: made with a seed, checked, and measured.

Tensor suffixes: B images, C channels, H W pixels, E embedding.
"""

import copy
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import torch
from torch import Tensor, nn
from torch.utils.flop_counter import FlopCounterMode

from model.own_network import OwnConfig, OwnNetworkError, explain_errors, find_factory


@contextmanager
def seeded_random_state(device: torch.device, seed: int) -> Iterator[None]:
    """Seed torch's global random states inside a ``with`` block, and restore them after it.

    Args:
        device: device whose random state is seeded besides that of the CPU.
        seed: 32-bit seed.
    """
    is_cuda = device.type == "cuda"
    with torch.random.fork_rng([device] if is_cuda else []):
        torch.default_generator.manual_seed(seed)
        if is_cuda:
            with torch.cuda.device(device):
                torch.cuda.manual_seed(seed)
        yield


def make_module(config: OwnConfig, seed: int) -> tuple[nn.Module, int]:
    """Return the module that the user's function makes, and the dimension E of its embedding.

    The function gets ``params`` (value by parameter name), ``channels`` and ``image_size`` (height
    and width in pixels). The module that it returns has ``embed(x_BCHW) -> h_BE``: float images in
    [0, 1], ink 1, to float embeddings, one row per image.

    Args:
        config: architecture; names the function.
        seed: seed of the initial weights; torch's global random state does not change.

    Raises:
        OwnNetworkError: there is no such function, or its module does not embed images.
        Exception: the user's code raised it.
    """
    factory = find_factory(config.network)
    with seeded_random_state(torch.device("cpu"), seed):
        module = factory(dict(config.params), config.channels, config.image_size)
        _require_module(module, config)
        module.eval()
        with torch.no_grad():  # this also creates the weights of lazy layers
            h = module.embed(_blank_images(config, 2))
    return module.train(), _require_embeddings(h, config)


def check_network(config: OwnConfig) -> None:
    """Make a network once, before the search begins.

    Raises:
        OwnNetworkError: it cannot be made; the message contains that of the user's code.
    """
    size = config.image_size
    with explain_errors(config.network, f"it, with images of {config.channels}×{size}×{size},"):
        make_module(config, 0)


def count_flops(module: nn.Module, config: OwnConfig) -> int:
    """Return the FLOPs that torch counts for the embedding of one image; 0 if it cannot.

    Args:
        module: from :func:`make_module`; it does not change.
        config: its architecture.
    """
    try:
        copied: Any = copy.deepcopy(module).cpu().eval()
        with torch.no_grad(), FlopCounterMode(display=False) as counter:
            copied.embed(_blank_images(config, 1))
        return int(counter.get_total_flops())
    except Exception:
        return 0


def _blank_images(config: OwnConfig, n: int) -> Tensor:
    return torch.zeros(n, config.channels, config.image_size, config.image_size)


def _require_module(module: Any, config: OwnConfig) -> None:
    """Raise OwnNetworkError unless a function has returned a module that embeds."""
    if not isinstance(module, nn.Module):
        raise OwnNetworkError(
            f"Network {config.network} must return a torch.nn.Module, but returns "
            f"{type(module).__name__}. Correct it."
        )
    if not callable(getattr(module, "embed", None)):
        raise OwnNetworkError(
            f"Network {config.network} must return a module with embed(x), but "
            f"{type(module).__name__} has none. Add it; docs/networks.md shows one."
        )
    if not any(parameter.requires_grad for parameter in module.parameters()):
        lazy = any(isinstance(p, nn.parameter.UninitializedParameter) for p in module.parameters())
        if not lazy:
            raise OwnNetworkError(
                f"Network {config.network} must have weights to train, but has none. Add a layer."
            )


def _require_embeddings(h: Any, config: OwnConfig) -> int:
    """Return the dimension E of embeddings of two images.

    Raises:
        OwnNetworkError: they are not a float tensor of shape 2×E.
    """
    if not isinstance(h, Tensor):
        returned = type(h).__name__
    else:
        returned = f"{str(h.dtype).removeprefix('torch.')} {'×'.join(map(str, h.shape))}"
        if h.is_floating_point() and h.dim() == 2 and h.shape[0] == 2 and h.shape[1] >= 1:
            return h.shape[1]
    raise OwnNetworkError(
        f"Network {config.network}: embed of 2 images must return float 2×E, but returns "
        f"{returned}. Correct it, for example with flatten(1)."
    )
