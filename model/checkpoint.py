"""Files of networks and of fits under way: written whole, and loaded without executing code."""

import json
import math
from pathlib import Path
from typing import Any

import torch
from torch import nn

from data.errors import InputError
from data.files import write_atomically
from data.text import first_line
from model.config import Config
from model.schema import SCHEMA, upgrade
from model.siamese import SiameseNet, build_net

NETWORK_FORMAT = "siamese-network-1"


def save_checkpoint(path: Path, format_name: str, content: dict[str, Any]) -> None:
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


def load_checkpoint(path: Path, format_name: str) -> dict[str, Any]:
    """Return what :func:`save_checkpoint` wrote, on the CPU; nothing in the file is executed.

    Raises:
        InputError: no such file, a torn one, or one of another format.
    """
    if path.exists() and not path.is_file():
        raise InputError(f"Checkpoint {path} is no file. Correct the path.")
    try:
        content = torch.load(path, map_location="cpu", weights_only=True)
    except FileNotFoundError as error:
        raise InputError(f"Checkpoint {path} does not exist. Correct the path.") from error
    except OSError as error:
        raise InputError(f"Checkpoint {path} cannot be read ({error}). Mend its rights.") from error
    except Exception as error:  # an unpickler that is fed arbitrary bytes raises arbitrary things
        raise InputError(
            f"Checkpoint {path} is torn or not one of ours. Delete it, or name another."
        ) from error
    if not isinstance(content, dict) or content.get("format") != format_name:
        raise InputError(f"Checkpoint {path} is no {format_name}. Delete it, or name another.")
    return content


def save_network(path: Path, net: SiameseNet, config: Config, facts: dict[str, Any]) -> None:
    """Write a trained network with its configuration and facts about its making (JSON values)."""
    text = json.dumps({"schema": SCHEMA, "config": config.to_dict(), "metadata": facts})
    save_checkpoint(path, NETWORK_FORMAT, {"about": text, "net": net.state_dict()})


def validate_network(net: nn.Module, facts: dict[str, Any]) -> None:
    """Pass if a network and what is said of it can be what :func:`save_network` wrote.

    Raises:
        ValueError: a weight or a threshold is no finite number, or a fact is of another kind.
    """
    if not all(bool(torch.isfinite(tensor).all()) for tensor in net.state_dict().values()):
        raise ValueError("not every weight is a finite number")
    verification = facts.get("verification") or {}
    for threshold in (facts.get("threshold"), verification.get("threshold")):
        if threshold is not None and not math.isfinite(float(threshold)):
            raise ValueError("its threshold is no finite number")
    for name in ("data", "data_digest", "train_on"):
        if not isinstance(facts.get(name, ""), str) or "\0" in facts.get(name, ""):
            raise ValueError(f"its {name} is no text")
    if not isinstance(facts.get("seed", 0), int):
        raise ValueError("its seed is no whole number")


def load_network(path: Path) -> tuple[SiameseNet, Config, dict[str, Any]]:
    """Return a network written by :func:`save_network`, its configuration and its facts.

    Raises:
        InputError: the file is no such network.
    """
    content = load_checkpoint(path, NETWORK_FORMAT)
    try:
        about = upgrade("network", json.loads(content["about"]))
        config, facts = Config.from_dict(about["config"]), dict(about["metadata"])
        net = build_net(config.model)
        net.load_state_dict(content["net"])
        validate_network(net, facts)
    except (
        KeyError,
        TypeError,
        ValueError,
        AttributeError,
        ArithmeticError,
        RuntimeError,
    ) as error:
        raise InputError(
            f"Checkpoint {path} does not fit this version ({first_line(error)}). Name another."
        ) from error
    return net.eval(), config, facts
