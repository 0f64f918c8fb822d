"""Rates per layer, and their schedules."""

from typing import Any

import pytest
import torch

from model.architecture import LAYERS, ModelConfig
from model.config import FitConfig, LayerRates
from model.optim import build_optimizer, lr_factor, momentum_at, set_epoch
from model.siamese import SiameseNet


def fit_config(**changes: Any) -> FitConfig:
    rates = tuple(LayerRates(0.01 * (i + 1), 0.7 + 0.04 * i, 1e-4 * i) for i in range(6))
    values: dict[str, Any] = {"recipe": "paper", "rates": rates, "max_epochs": 10}
    return FitConfig(**{**values, **changes})


@pytest.fixture
def net() -> SiameseNet:
    config = ModelConfig(filters=(8, 8, 8, 8), units=16)
    return SiameseNet(config, generator=torch.Generator().manual_seed(0))


def test_each_layer_has_its_rates_in_the_optimiser(net: SiameseNet) -> None:
    fit = fit_config(schedule="exponential", ramp_epochs=2)
    optimizer = build_optimizer(net, fit)
    set_epoch(optimizer, fit, 2)
    assert len(optimizer.param_groups) == 6
    for group, layer, rates in zip(optimizer.param_groups, LAYERS, fit.rates, strict=True):
        parameters = list(net.get_submodule(layer).parameters())
        assert [id(p) for p in group["params"]] == [id(p) for p in parameters]
        assert group["lr"] == pytest.approx(rates.lr * 0.99**2)
        assert group["momentum"] == pytest.approx(rates.momentum)
        assert group["weight_decay"] == pytest.approx(2 * rates.l2_penalty)  # D2: twice λ
    assert sum(len(g["params"]) for g in optimizer.param_groups) == len(list(net.parameters()))


def test_one_step_changes_each_layer_by_its_own_rate(net: SiameseNet) -> None:
    fit = fit_config(nesterov=False)
    optimizer = build_optimizer(net, fit)
    set_epoch(optimizer, fit, 0)
    before = {name: p.detach().clone() for name, p in net.named_parameters()}
    for p in net.parameters():
        p.grad = torch.ones_like(p)
    optimizer.step()
    for layer, rates in zip(LAYERS, fit.rates, strict=True):
        weight = before[f"{layer}.weight"]
        expected = weight - rates.lr * (1 + 2 * rates.l2_penalty * weight)
        torch.testing.assert_close(net.get_parameter(f"{layer}.weight").detach(), expected)


@pytest.mark.parametrize(
    ("epoch", "exponential", "cosine", "momentum"),
    [
        (0, 1.0, 1.0, 0.5),
        (1, 0.99, 0.975528, 0.58),
        (2, 0.9801, 0.904508, 0.66),
        (5, 0.950990, 0.5, 0.9),
        (9, 0.913517, 0.024472, 0.9),
    ],
)
def test_schedules_follow_a_written_table(
    epoch: int, exponential: float, cosine: float, momentum: float
) -> None:
    fit = fit_config(schedule="exponential", ramp_epochs=5)
    assert lr_factor(fit, epoch) == pytest.approx(exponential, abs=1e-6)
    assert momentum_at(fit, 0.9, epoch) == pytest.approx(momentum)
    assert lr_factor(fit_config(schedule="cosine"), epoch) == pytest.approx(cosine, abs=1e-6)


def test_a_warm_up_rises_linearly_to_the_schedule() -> None:
    factors = [lr_factor(fit_config(schedule="constant", warmup_epochs=3), e) for e in range(6)]
    assert factors == [0.25, 0.5, 0.75, 1.0, 1.0, 1.0]
    cosine, plain = fit_config(schedule="cosine", warmup_epochs=1), fit_config(schedule="cosine")
    assert lr_factor(cosine, 0) == 0.5 * lr_factor(plain, 0)
    assert lr_factor(cosine, 4) == lr_factor(plain, 4)


@pytest.mark.parametrize(("conv_norm", "head_norm"), [("batch", "batch"), ("group", "none")])
def test_the_parameters_of_a_normalisation_have_the_rates_of_their_layer(
    conv_norm: str, head_norm: str
) -> None:
    config = ModelConfig(filters=(8, 8, 8, 8), units=16, conv_norm=conv_norm, head_norm=head_norm)
    net = SiameseNet(config, generator=torch.Generator().manual_seed(0))
    groups = {
        group["name"]: group["params"] for group in build_optimizer(net, fit_config()).param_groups
    }
    assert len(groups["conv2"]) == 4
    assert len(groups["fc1"]) == (4 if head_norm == "batch" else 2)
    assert sum(map(len, groups.values())) == len(list(net.parameters()))


def test_a_trapezoid_is_constant_and_falls_in_the_last_quarter() -> None:
    fit = fit_config(schedule="trapezoid", max_epochs=8)
    assert [lr_factor(fit, e) for e in range(9)] == [1, 1, 1, 1, 1, 1, 1, 0.5, 0]
