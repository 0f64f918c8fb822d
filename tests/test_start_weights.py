"""Fits that start from the weights of a stored network."""

import shutil
from dataclasses import replace
from pathlib import Path

import pytest
import torch
from started import CPU, MODEL_20, started_config, stored_network
from torch import Tensor

from data.episodes import dense_validation
from data.errors import InputError
from data.splits import Split
from model.architecture import DenseConfig
from model.checkpoint import load_network
from model.config import Config
from model.fit_state import FitState
from model.networks import build_net
from model.own_network import OwnConfig
from model.start_network import StartNetwork
from model.start_weights import (
    StartWeights,
    adapt_channels,
    find_file,
    keep_copy,
    load_start_weights,
    load_weights,
    read_start_network,
)
from model.train import Validation, fit

pytestmark = pytest.mark.usefixtures("one_thread")

NORMALISED = replace(MODEL_20, conv_norm="batch", head_norm="batch")


def assert_equal(state: dict[str, Tensor], expected: dict[str, Tensor]) -> None:
    assert state.keys() == expected.keys()
    assert all(torch.equal(state[name], tensor) for name, tensor in expected.items())


@pytest.mark.parametrize("model", [MODEL_20, NORMALISED])
def test_a_fit_and_its_average_start_at_the_stored_weights(model: object, tmp_path: Path) -> None:
    net = stored_network(tmp_path / "a.pt", model)
    fitted, start = started_config(tmp_path / "a.pt")
    state = FitState(fitted, 7, CPU, start=start)
    assert_equal(state.net.state_dict(), net.state_dict())
    assert_equal(state.ema_net.state_dict(), net.state_dict())
    assert_equal(state.best_weights, net.state_dict())
    assert all(not p.requires_grad for p in state.ema_net.parameters())
    fresh = FitState(replace(fitted, start=None), 7, CPU)
    assert not torch.equal(fresh.net.conv1.weight, net.conv1.weight)
    assert torch.equal(fresh.generator.get_state(), state.generator.get_state()), "same batches"


def test_a_configuration_with_weights_needs_these_weights(tmp_path: Path) -> None:
    stored_network(tmp_path / "a.pt")
    fitted, start = started_config(tmp_path / "a.pt")
    with pytest.raises(AssertionError):
        FitState(fitted, 1, CPU)
    with pytest.raises(AssertionError):
        FitState(replace(fitted, start=None), 1, CPU, start=start)
    assert Config.from_dict(fitted.to_dict()) == fitted
    assert "start" not in replace(fitted, start=None).to_dict(), "digests stay as they were"
    assert fitted.digest != replace(fitted, start=None).digest


@pytest.mark.parametrize("recipe", ["episode", "paper"])
def test_a_resumed_fit_is_the_same_bit_for_bit(
    recipe: str, parts_20: Split, tmp_path: Path
) -> None:
    stored_network(tmp_path / "a.pt", NORMALISED)
    fitted, start = started_config(tmp_path / "a.pt", recipe)
    validation = Validation(parts_20.val, dense_validation(parts_20.val))

    def train(n_epochs: int, path: Path) -> FitState:
        state = FitState(fitted, 3, CPU, start=start)
        for result in fit(state, parts_20.train, validation, checkpoint_path=path):
            if result.epoch == n_epochs:
                break
        return state

    whole = train(3, tmp_path / "whole.pt")
    train(2, tmp_path / "part.pt")
    resumed = train(3, tmp_path / "part.pt")
    for name in ("net", "ema_net"):
        assert_equal(getattr(resumed, name).state_dict(), getattr(whole, name).state_dict())
    random = FitState(replace(fitted, start=None), 3, CPU, data=resumed.data)
    with pytest.raises(InputError, match="its config differ"):
        random.load(tmp_path / "part.pt")


@pytest.mark.parametrize("channels", [1, 3])
def test_a_network_sees_a_grey_image_alike_in_grey_and_in_colour(
    channels: int, tmp_path: Path
) -> None:
    stored = replace(MODEL_20, channels=channels)
    net = stored_network(tmp_path / "a.pt", stored).eval()
    fitted, start = started_config(tmp_path / "a.pt", channels=4 - channels)
    other = FitState(fitted, 1, CPU, start=start).net.eval()
    grey = torch.rand(2, 1, 20, 20)
    images = {1: grey, 3: grey.expand(-1, 3, -1, -1)}
    with torch.no_grad():
        expected = net.embed(images[channels])
        h = other.embed(images[4 - channels])
    torch.testing.assert_close(h, expected)
    weight = torch.rand(2, channels, 3, 3)
    assert adapt_channels(weight, channels) is weight


def test_weights_of_one_channel_are_repeated_and_those_of_three_are_added() -> None:
    weight = torch.rand(2, 1, 3, 3)
    assert torch.equal(adapt_channels(weight, 3)[:, 1], weight[:, 0] / 3)
    colour = torch.rand(2, 3, 3, 3)
    assert torch.equal(adapt_channels(colour, 1), colour.sum(1, keepdim=True))


def test_the_random_state_of_a_network_of_ones_own_is_that_of_the_fit() -> None:
    model = OwnConfig("own_networks:make", {"width": 4}, 1, 20)
    stored, net = (
        build_net(model, generator=torch.Generator().manual_seed(seed)) for seed in (1, 2)
    )
    before = net.state_dict()["_extra_state"]
    load_weights(net, StartWeights("digest", stored.state_dict()))
    assert torch.equal(net.state_dict()["_extra_state"], before)
    weights = dict(stored.named_parameters())
    assert all(torch.equal(p, weights[name]) for name, p in net.named_parameters())


def test_the_pretrained_network_has_a_name() -> None:
    start = read_start_network("pretrained")
    assert (start.source, start.name, start.model.image_size) == ("pretrained", "pretrained", 52)
    assert start.seen[0].data == "omniglot"
    assert StartNetwork.from_dict(start.to_dict()) == start
    assert load_start_weights(start).tensors["conv1.weight"].dtype == torch.float32


def test_a_file_that_is_no_network_with_convolutions_is_refused(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"a\.pt does not exist"):
        read_start_network(str(tmp_path / "a.pt"))
    stored_network(tmp_path / "a.pt", DenseConfig(20, 8, 8))
    with pytest.raises(InputError, match="--start-from must be a network with convolutions"):
        read_start_network(str(tmp_path / "a.pt"))


def test_a_copy_replaces_a_file_that_changed_or_is_gone(tmp_path: Path) -> None:
    path, copy = tmp_path / "a.pt", tmp_path / "study" / "start.network.pt"
    net = stored_network(path)
    start = read_start_network(str(path))
    keep_copy(start, copy)
    written = copy.stat().st_mtime_ns
    stored_network(path, seed=6)
    keep_copy(start, copy)
    assert copy.stat().st_mtime_ns == written, "copied once"
    assert_equal(dict(load_start_weights(start, copy).tensors), net.state_dict())
    path.unlink()
    assert find_file(start, copy) == copy
    shutil.copy(copy, path)
    copy.write_bytes(b"truncated")
    assert find_file(start, copy) == path
    keep_copy(start, copy)
    assert load_network(copy)[1].model == start.model


@pytest.mark.parametrize(("is_changed", "state"), [(True, "has changed"), (False, "not exist")])
def test_without_a_copy_the_file_must_stay(is_changed: bool, state: str, tmp_path: Path) -> None:
    path = tmp_path / "a.pt"
    stored_network(path)
    start = read_start_network(str(path))
    path.unlink()
    if is_changed:
        stored_network(path, seed=6)
    with pytest.raises(InputError, match=rf"a\.pt.*{state}.*Put that file there again") as error:
        load_start_weights(start, tmp_path / "none.pt")
    assert "\n" not in str(error.value)
