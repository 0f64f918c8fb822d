"""Files of networks and of fits under way: written whole, and loaded without executing code."""

import json
from pathlib import Path
from typing import Any

import torch

from data.errors import InputError
from data.files import write_atomically
from model.config import Config
from model.siamese import SiameseNet, build_net

NETWORK = "siamese-network-1"


def save(path: Path, format_name: str, content: dict[str, Any]) -> None:
    """Write tensors and plain values to ``path``, atomically.

    Raises:
        InputError: the folder cannot be written or the disk is full; ``path`` is as it was.
    """

    def write(temporary: Path) -> None:
        try:
            torch.save({"format": format_name, **content}, temporary)
        except RuntimeError as error:  # how torch says that the disk is full
            raise OSError(str(error).splitlines()[0]) from error

    write_atomically(path, write)


def load(path: Path, format_name: str) -> dict[str, Any]:
    """Return what :func:`save` wrote, on the CPU; nothing in the file is executed.

    Raises:
        InputError: no such file, a torn one, or one of another format.
    """
    try:
        content = torch.load(path, map_location="cpu", weights_only=True)
    except FileNotFoundError as error:
        raise InputError(f"Checkpoint {path} does not exist. Correct the path.") from error
    except Exception as error:  # an unpickler that is fed arbitrary bytes raises arbitrary things
        raise InputError(
            f"Checkpoint {path} is torn or not one of ours. Delete it, or name another."
        ) from error
    if not isinstance(content, dict) or content.get("format") != format_name:
        raise InputError(f"Checkpoint {path} is no {format_name}. Delete it, or name another.")
    return content


def save_network(path: Path, net: SiameseNet, config: Config, facts: dict[str, Any]) -> None:
    """Write a trained network with its configuration and facts about its making (JSON values)."""
    text = json.dumps({"config": config.to_dict(), "facts": facts})
    save(path, NETWORK, {"about": text, "net": net.state_dict()})


def load_network(path: Path) -> tuple[SiameseNet, Config, dict[str, Any]]:
    """Return a network written by :func:`save_network`, its configuration and its facts.

    Raises:
        InputError: the file is no such network.
    """
    content = load(path, NETWORK)
    try:
        about = json.loads(content["about"])
        config, facts = Config.from_dict(about["config"]), dict(about["facts"])
        net = build_net(config.model)
        net.load_state_dict(content["net"])
    except (KeyError, TypeError, RuntimeError, json.JSONDecodeError) as error:
        raise InputError(f"Checkpoint {path} does not fit this version. Name another.") from error
    return net.eval(), config, facts
