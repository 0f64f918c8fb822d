"""Stored networks for the tests of studies that start from the weights of one."""

from dataclasses import replace
from pathlib import Path
from typing import Any

import torch
from tiny import config

from data.seen_classes import training_metadata
from data.splits import Split
from model.architecture import ModelConfig
from model.checkpoint import save_network
from model.config import Config
from model.device import ComputeConfig
from model.fit_state import FitState
from model.siamese import SiameseNet
from model.start_weights import StartWeights, load_start_weights, read_start_network

CPU = ComputeConfig(torch.device("cpu"))
MODEL_20 = ModelConfig(image_size=20, filters=(8, 8, 8, 8), kernels=(3, 2, 2, 1), units=16)
OTHER_DATA: dict[str, Any] = {"data": "other", "data_digest": "0", "train_on": "train"}


def stored_network(
    path: Path, model: Any = MODEL_20, metadata: dict[str, Any] = OTHER_DATA, seed: int = 5
) -> SiameseNet:
    """Write a network with random weights, and return it."""
    base = config()
    rates = base.fit.rates[: len(model.layers)]
    fitted = replace(base, model=model, fit=replace(base.fit, rates=rates))
    net = FitState(fitted, seed, CPU).net
    save_network(path, net, fitted, metadata)
    return net


def metadata_of(parts: Split, train_on: str = "train", **changes: Any) -> dict[str, Any]:
    """The metadata of a network that was trained on the training part."""
    return training_metadata(parts.train) | {"train_on": train_on, **changes}


def started_config(
    path: Path, recipe: str = "episode", channels: int = 1
) -> tuple[Config, StartWeights]:
    """The configuration of a fit that starts from a stored network, and its weights."""
    start = read_start_network(str(path))
    model = replace(start.model, channels=channels)
    return replace(config(recipe), model=model, start=start.digest), load_start_weights(start)
