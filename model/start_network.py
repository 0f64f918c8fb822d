"""The trained network from whose weights the fits of a study start.

This module does not import torch; :mod:`model.start_weights` reads the file.
"""

from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from data.paths import PRETRAINED
from data.seen_classes import SeenData
from model.architecture import DenseConfig, ModelConfig
from model.config import architecture_from_dict
from model.own_network import OwnConfig

StartArchitecture = ModelConfig | OwnConfig
PRETRAINED_NAME = "pretrained"  # in place of a path: the network of the package


def start_path(source: str) -> Path:
    """Return the path of a network that the user named by its path, or ``"pretrained"``."""
    return PRETRAINED if source == PRETRAINED_NAME else Path(source)


@dataclass(frozen=True)
class StartNetwork:
    """A stored network, without its weights.

    Args:
        source: path of its file as the user gave it, or ``"pretrained"``.
        digest: SHA-256 of the content of its file.
        model: its architecture.
        seen: all data that it was trained on; empty if this was restored from a study, which
            checked it when it began.
    """

    source: str
    digest: str
    model: StartArchitecture
    seen: tuple[SeenData, ...] = field(default=(), compare=False, repr=False)

    @property
    def path(self) -> Path:
        """Path of its file."""
        return start_path(self.source)

    @property
    def name(self) -> str:
        """Name of its file without folders, for a text."""
        return Path(self.source).name

    def to_dict(self) -> dict[str, Any]:
        """Return the JSON values that a study stores."""
        return {"source": self.source, "digest": self.digest, "model": asdict(self.model)}

    @classmethod
    def from_dict(cls, values: Mapping[str, Any]) -> "StartNetwork":
        """Return the network from the values of :meth:`to_dict`."""
        model = architecture_from_dict(values["model"])
        assert not isinstance(model, DenseConfig)
        return cls(values["source"], values["digest"], model)
