"""Trained networks by configuration and seed."""

from dataclasses import replace
from pathlib import Path

import pytest
import torch
from tiny import config

from data.errors import InputError
from data.splits import Split
from model import network_cache
from model.checkpoint import load_network
from model.config import LayerRates
from model.device import ComputeConfig
from model.network_cache import NetworkCache

CPU = ComputeConfig(torch.device("cpu"))
MADE = config(max_epochs=1, steps_per_epoch=1)


def test_a_network_is_trained_once_and_then_loaded(
    parts: Split, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    trained = list(NetworkCache(parts, CPU, tmp_path).networks(MADE, 2))
    assert len(list(tmp_path.iterdir())) == 2, "no checkpoint of a complete fit is left"
    monkeypatch.setattr(network_cache, "fit", None)
    loaded = list(NetworkCache(parts, CPU, tmp_path).networks(MADE, 2))
    for before, after in zip(trained, loaded, strict=True):
        assert torch.equal(before.fc1.weight, after.fc1.weight)
    assert not torch.equal(trained[0].fc1.weight, trained[1].fc1.weight)
    _, loaded_config, metadata = load_network(next(tmp_path.glob("*-1.pt")))
    assert loaded_config == MADE
    assert (metadata["data"], metadata["train_on"], metadata["seed"]) == ("glyphs", "train", 1)
    assert metadata["data_digest"] == parts.train.digest


def test_networks_of_another_precision_or_data_set_are_others(parts: Split, tmp_path: Path) -> None:
    names = {
        NetworkCache(split, compute, tmp_path)._name(made)
        for split, compute, made in [
            (parts, CPU, MADE),
            (parts, replace(CPU, precision="bfloat16"), MADE),
            (replace(parts, train=replace(parts.train, digest="0" * 64)), CPU, MADE),
            (parts, CPU, config(max_epochs=2)),
        ]
    }
    assert len(names) == 4


def test_a_fit_that_diverges_is_an_input_error(parts: Split, tmp_path: Path) -> None:
    rates = (LayerRates(1e30, 0.9, 0.0),) * 6
    made = replace(MADE, fit=replace(MADE.fit, rates=rates, max_epochs=3))
    with pytest.raises(InputError, match=r"non-finite loss.*--scale"):
        NetworkCache(parts, CPU, tmp_path).network(made, 1)
