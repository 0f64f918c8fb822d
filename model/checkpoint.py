"""Files of networks and of unfinished fits: written atomically, loaded without executing code."""

import json
import math
from pathlib import Path
from typing import Any

import torch
from torch import nn

from data.errors import InputError
from data.files import file_repair, write_atomically
from data.seen_classes import seen_data
from data.text import first_line
from model.config import Config
from model.networks import build_net
from model.own_network import OwnConfig, OwnNetworkError, explain_errors
from model.schema import SCHEMA, upgrade
from model.siamese import SiameseNet

NETWORK_FORMAT = "siamese-network-1"
# Exceptions that a file with the correct format, but not written by this program, may cause.
CONTENT_ERRORS = (KeyError, TypeError, ValueError, AttributeError, ArithmeticError, RuntimeError)


def save_checkpoint(path: Path, format_name: str, content: dict[str, Any]) -> None:
    """Write tensors and plain values to a file, atomically.

    Args:
        path: file to write.
        format_name: name of the format, which :func:`load_checkpoint` checks.
        content: tensors, numbers, texts, and dictionaries of them.

    Raises:
        InputError: the folder is not writable or the disk is full; an existing file is unchanged.
    """

    def write(temporary: Path) -> None:
        try:
            torch.save({"format": format_name, **content}, temporary)
        except RuntimeError as error:  # raised by torch if the disk is full
            raise OSError(str(error).splitlines()[0]) from error

    write_atomically(path, write)


def load_checkpoint(path: Path, format_name: str) -> dict[str, Any]:
    """Load the content of a checkpoint to the CPU; no code in the file is executed.

    Args:
        path: file to read.
        format_name: name of the format that the file must have.

    Raises:
        InputError: the file does not exist, is unreadable or truncated, or has another format.
    """
    if path.exists() and not path.is_file():
        raise InputError(f"Checkpoint {path} is not a file. Correct the path.")
    try:
        content = torch.load(path, map_location="cpu", weights_only=True)
    except FileNotFoundError as error:
        raise InputError(f"Checkpoint {path} does not exist. Correct the path.") from error
    except OSError as error:
        raise InputError(
            f"Checkpoint {path} cannot be read ({error}). {file_repair(error)}"
        ) from error
    except Exception as error:  # arbitrary bytes make the unpickler raise arbitrary exceptions
        raise InputError(
            f"Checkpoint {path} is truncated or was not written by this program. Delete it, or "
            "choose another file."
        ) from error
    if not isinstance(content, dict) or content.get("format") != format_name:
        raise InputError(
            f"Checkpoint {path} must have the format {format_name}. Delete it, or choose "
            "another file."
        )
    return content


def save_network(path: Path, net: SiameseNet, config: Config, metadata: dict[str, Any]) -> None:
    """Write a trained network to a file.

    Args:
        path: file to write.
        net: trained network.
        config: configuration of the network and its fit.
        metadata: JSON values that describe the fit and its data.
    """
    about = json.dumps({"schema": SCHEMA, "config": config.to_dict(), "metadata": metadata})
    save_checkpoint(path, NETWORK_FORMAT, {"about": about, "net": net.state_dict()})


def load_network(path: Path) -> tuple[SiameseNet, Config, dict[str, Any]]:
    """Return a network written by :func:`save_network`, its configuration and its metadata.

    Args:
        path: file to read.

    Raises:
        InputError: the file does not contain a network that this version can load.
    """
    content = load_checkpoint(path, NETWORK_FORMAT)
    try:
        about = upgrade("network", json.loads(content["about"]))
        config, metadata = Config.from_dict(about["config"]), dict(about["metadata"])
        net = _build(config)
        net.load_state_dict(content["net"])
        _require_valid(net, metadata)
    except OwnNetworkError:
        raise
    except CONTENT_ERRORS as error:
        raise InputError(
            f"Checkpoint {path} does not fit this version of the program ({first_line(error)}). "
            "Choose another file."
        ) from error
    return net.eval(), config, metadata


def _build(config: Config) -> SiameseNet:
    """Return a network; an error of the user's own code becomes one line."""
    if isinstance(config.model, OwnConfig):
        with explain_errors(config.model.network, "it"):
            return build_net(config.model)
    return build_net(config.model)


def _require_valid(net: nn.Module, metadata: dict[str, Any]) -> None:
    """Raise ValueError unless weights and thresholds are finite and metadata types are correct."""
    if not all(bool(torch.isfinite(tensor).all()) for tensor in net.state_dict().values()):
        raise ValueError("a weight is not finite")
    verification = metadata.get("verification") or {}
    for threshold in (metadata.get("threshold"), verification.get("threshold")):
        if threshold is not None and not math.isfinite(float(threshold)):
            raise ValueError("the threshold is not finite")
    for name in ("data", "data_digest", "train_on"):
        if not isinstance(metadata.get(name, ""), str) or "\0" in metadata.get(name, ""):
            raise ValueError(f"{name} is not a text")
    seen_data(metadata)
    if not isinstance(metadata.get("seed", 0), int):
        raise ValueError("the seed is not an integer")
