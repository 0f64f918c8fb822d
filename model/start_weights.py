"""The weights of a trained network, from which a fit starts in place of random ones.

Tensor suffixes: F filters, C channels, H W pixels.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from hashlib import sha256
from pathlib import Path

import torch
from torch import Tensor

from data.errors import InputError
from data.files import file_repair, write_atomically
from data.seen_classes import SeenData, seen_data
from model.architecture import DenseConfig
from model.checkpoint import load_network
from model.siamese import SiameseNet
from model.start_network import StartNetwork, start_path

FIRST_WEIGHT = "conv1.weight"  # the only weights that depend on the number of channels
OWN_STATE = "_extra_state"  # random state of a network of the user's own; that of the fit counts


@dataclass(frozen=True)
class StartWeights:
    """The weights of a trained network.

    Args:
        digest: digest of the file of the network.
        tensors: weights and running statistics by name, float32 on the CPU.
        seen: all data that the network was trained on.
    """

    digest: str
    tensors: Mapping[str, Tensor] = field(repr=False)
    seen: tuple[SeenData, ...] = field(default=(), repr=False)


def read_start_network(source: str) -> StartNetwork:
    """Return a stored network without its weights.

    Args:
        source: path of its file, or ``"pretrained"``.

    Raises:
        InputError: the file is not that of a network from whose weights a fit can start.
    """
    path = start_path(source)
    _, config, metadata = load_network(path)
    if isinstance(config.model, DenseConfig):
        raise InputError(
            f"--start-from must be a network with convolutions, but {source} has none. Choose "
            "another file."
        )
    return StartNetwork(source, file_digest(path) or "", config.model, seen_data(metadata))


def file_digest(path: Path) -> str | None:
    """Return the SHA-256 of the content of a file, or None if it cannot be read."""
    try:
        return sha256(path.read_bytes()).hexdigest()
    except OSError:
        return None


def keep_copy(start: StartNetwork, copy: Path) -> None:
    """Copy the file of a network, unless the copy exists.

    Raises:
        InputError: the file has changed since the study began or no longer exists, or the copy
            cannot be written.
    """
    path = find_file(start, copy)
    if path == copy:
        return
    try:
        content = path.read_bytes()
    except OSError as error:
        raise InputError(f"{path} cannot be read ({error}). {file_repair(error)}") from error
    write_atomically(copy, lambda temporary: temporary.write_bytes(content))


def load_start_weights(start: StartNetwork, copy: Path | None = None) -> StartWeights:
    """Return the weights of a network from the copy of a study, or from its own file.

    Args:
        start: the network.
        copy: file of the copy; it need not exist.

    Raises:
        InputError: there is neither.
    """
    net, _, metadata = load_network(find_file(start, copy))
    return StartWeights(start.digest, net.state_dict(), seen_data(metadata))


def find_file(start: StartNetwork, copy: Path | None) -> Path:
    """Return the file with the digest of a network: the copy of a study, or the network's own.

    Raises:
        InputError: neither has this digest.
    """
    for path in (copy, start.path):
        if path is not None and file_digest(path) == start.digest:
            return path
    state = "has changed" if start.path.exists() else "does not exist"
    raise InputError(
        f"The network of --start-from must stay as it was when the study began (digest "
        f"{start.digest[:12]}), but {start.path} {state}, and the study has no copy of it. Put "
        "that file there again, or start another study with another --study-name."
    )


@torch.no_grad()
def load_weights(net: SiameseNet, start: StartWeights) -> None:
    """Replace the weights of a network of the same architecture; its channels may differ.

    Args:
        net: network of a fit.
        start: weights from which the fit starts.
    """
    tensors = dict(start.tensors)
    if FIRST_WEIGHT in tensors:
        tensors[FIRST_WEIGHT] = adapt_channels(tensors[FIRST_WEIGHT], net.config.channels)
    state = {OWN_STATE: net.state_dict()[OWN_STATE]} if OWN_STATE in tensors else {}
    net.load_state_dict(tensors | state)


def adapt_channels(weight_FCHW: Tensor, n_channels: int) -> Tensor:
    """Return the weights of the first convolution for images of another number of channels.

    The outputs for a grey image, shown with three equal channels or with one, are the same.

    Args:
        weight_FCHW: float32 weights for C channels, 1 or 3.
        n_channels: number of channels of the images, 1 or 3.
    """
    old = weight_FCHW.shape[1]
    if old == n_channels:
        return weight_FCHW
    return weight_FCHW.sum(1, keepdim=True).expand(-1, n_channels, -1, -1) / n_channels
