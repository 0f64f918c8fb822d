"""Files of networks and of fits under way: written whole, and loaded without executing code."""

import json
import pickle
from pathlib import Path
from typing import Any

import torch

from data.cache import write_atomically
from data.errors import InputError
from model.config import Config
from model.siamese import SiameseNet


def save(path: Path, content: dict[str, Any]) -> None:
    """Write tensors and plain values to ``path``, atomically.

    Raises:
        InputError: the folder cannot be written or the disk is full; ``path`` is as it was.
    """
    write_atomically(path, lambda temporary: torch.save(content, temporary))


def load(path: Path) -> dict[str, Any]:
    """Return what :func:`save` wrote, on the CPU; nothing in the file is executed.

    Raises:
        InputError: no such file, a torn one, or one that holds more than tensors and plain values.
    """
    try:
        content = torch.load(path, map_location="cpu", weights_only=True)
    except FileNotFoundError as error:
        raise InputError(f"Checkpoint {path} does not exist. Correct the path.") from error
    except (OSError, RuntimeError, EOFError, ValueError, KeyError, pickle.UnpicklingError) as error:
        raise InputError(
            f"Checkpoint {path} is torn or not one of ours. Delete it, or name another."
        ) from error
    if not isinstance(content, dict):
        raise InputError(f"Checkpoint {path} is not one of ours. Name another.")
    return content


def save_network(path: Path, net: SiameseNet, config: Config, facts: dict[str, Any]) -> None:
    """Write a trained network with its configuration and facts about its making (JSON values)."""
    text = json.dumps({"config": config.to_dict(), "facts": facts})
    save(path, {"format": "siamese-network-1", "about": text, "net": net.state_dict()})


def load_network(path: Path) -> tuple[SiameseNet, Config, dict[str, Any]]:
    """Return a network written by :func:`save_network`, its configuration and its facts.

    Raises:
        InputError: the file is no such network.
    """
    content = load(path)
    if content.get("format") != "siamese-network-1":
        raise InputError(f"Checkpoint {path} holds no trained network. Name another.")
    try:
        about = json.loads(content["about"])
        config = Config.from_dict(about["config"])
        net = SiameseNet(config.model)
        net.load_state_dict(content["net"])
    except (KeyError, TypeError, RuntimeError, json.JSONDecodeError) as error:
        raise InputError(f"Checkpoint {path} does not fit this version. Name another.") from error
    return net.eval(), config, about["facts"]
