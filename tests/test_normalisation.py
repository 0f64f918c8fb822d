"""Normalisations of the network."""

import math
from pathlib import Path

import pytest
import torch
from tiny import config

from data.errors import InputError
from data.splits import Split
from model.architecture import ModelConfig
from model.checkpoint import load_network, save_network
from model.config import Config
from model.device import ComputeConfig
from model.fit_state import FitState
from model.losses import LOSSES
from model.siamese import SiameseNet
from model.train import fit, train_step

SMALL = ModelConfig(filters=(16, 16, 16, 32), units=64)
NORMS = [("batch", "none"), ("group", "none"), ("none", "batch"), ("none", "unit")]


def architecture(conv_norm: str, head_norm: str) -> ModelConfig:
    return ModelConfig(filters=(16, 16, 16, 32), units=64, conv_norm=conv_norm, head_norm=head_norm)


def net(model: ModelConfig, precision: str = "float32") -> SiameseNet:
    return SiameseNet(model, generator=torch.Generator().manual_seed(0), precision=precision)


def drawings(n: int) -> torch.Tensor:
    return (torch.rand(n, 1, 35, 35, generator=torch.Generator().manual_seed(1)) > 0.9).float()


def test_the_papers_network_has_no_normalisation() -> None:
    assert not [name for name, _ in net(SMALL).named_children() if "norm" in name]


@pytest.mark.parametrize(("conv_norm", "head_norm"), NORMS)
def test_a_normalisation_changes_the_embedding_and_not_the_initial_weights(
    conv_norm: str, head_norm: str
) -> None:
    plain, normalised = net(SMALL), net(architecture(conv_norm, head_norm))
    torch.testing.assert_close(plain.fc1.weight, normalised.fc1.weight)
    x = drawings(8)
    assert not torch.allclose(plain.embed(x), normalised.embed(x))


@pytest.mark.parametrize(("conv_norm", "head_norm"), NORMS)
def test_a_trained_network_embeds_a_row_independently_of_its_batch(
    conv_norm: str, head_norm: str
) -> None:
    trained, x = net(architecture(conv_norm, head_norm)), drawings(8)
    trained.embed(x)  # moves running statistics
    trained.eval()
    torch.testing.assert_close(trained.embed(x)[:1], trained.embed(x[:1]))


def test_unit_embeddings_have_one_length() -> None:
    h = net(architecture("none", "unit")).embed(drawings(8))
    torch.testing.assert_close(h.norm(dim=1), torch.full((8,), 0.5 * math.sqrt(64)))


@pytest.mark.parametrize("precision", ["float32", "bfloat16"])
@pytest.mark.parametrize(("conv_norm", "head_norm"), NORMS)
def test_a_normalised_network_trains_and_is_restored(
    conv_norm: str, head_norm: str, precision: str, parts: Split, tmp_path: Path
) -> None:
    made = Config(architecture(conv_norm, head_norm), config(ema=0.9).fit)
    state = FitState(made, 0, ComputeConfig(torch.device("cpu"), precision))
    losses = LOSSES["episode"](state.net, parts.train, made.fit, generator=state.generator)
    for loss in losses:
        train_step(state, loss)
        assert loss.isfinite()
    path = tmp_path / "net.pt"
    save_network(path, state.evaluated_net, made, {})
    restored, loaded, _ = load_network(path)
    assert loaded == made
    restored.precision = precision
    x = drawings(4)
    torch.testing.assert_close(restored.embed(x), state.evaluated_net.embed(x))


def test_the_averaged_network_has_averaged_statistics(parts: Split) -> None:
    made = Config(
        architecture("batch", "none"), config(ema=0.5, steps_per_epoch=2, max_epochs=1).fit
    )
    state = FitState(made, 0, ComputeConfig(torch.device("cpu")))
    list(fit(state, parts.train, None))
    average, last = (n.get_submodule("conv1_norm") for n in (state.ema_net, state.net))
    initial = torch.zeros(16)
    assert not torch.allclose(average.running_mean, initial)  # type: ignore[arg-type]
    assert not torch.allclose(average.running_mean, last.running_mean)  # type: ignore[arg-type]


def test_an_unknown_normalisation_is_refused() -> None:
    with pytest.raises(InputError, match=r"conv_norm in .*layer"):
        architecture("layer", "none")
