"""Configurations: JSON and back, and what they refuse."""

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest
from tiny import config

from data.errors import InputError
from hpo.settings.base_config import base_config
from hpo.settings.study_settings import StudySettings
from model.architecture import DenseConfig, ModelConfig
from model.config import Config, FitConfig, LayerRates
from model.networks import build_net
from model.siamese import DenseNet, SiameseNet

RATES = LayerRates(0.1, 0.9, 0.0)


def dense_config() -> Config:
    base = base_config(StudySettings())
    fit = replace(base.fit, rates=base.fit.rates[:3])
    return Config(DenseConfig(image_size=20, hidden=16, units=8), fit)


@pytest.mark.parametrize(
    ("made", "net_class"),
    [
        (config("paper"), SiameseNet),
        (config("episode"), SiameseNet),
        (dense_config(), DenseNet),
    ],
)
def test_a_configuration_survives_json(made: Config, net_class: type) -> None:
    assert Config.from_dict(made.to_dict()) == made
    assert Config.from_dict(made.to_dict()).digest == made.digest
    assert type(build_net(made.model)) is net_class


def test_the_digest_identifies_a_configuration() -> None:
    assert config().digest == config().digest != config(max_epochs=5).digest


def test_every_layer_needs_rates() -> None:
    made = dense_config()
    with pytest.raises(InputError, match=r"one rate per layer.* 2\."):
        replace(made, fit=replace(made.fit, rates=made.fit.rates[:2]))


@pytest.mark.parametrize(
    ("make", "law"),
    [
        (lambda: LayerRates(0.0, 0.9, 0.0), "lr > 0"),
        (lambda: LayerRates(0.1, 1.1, 0.0), "momentum <= 1"),
        (lambda: LayerRates(0.1, 0.9, -1.0), "l2_penalty >= 0"),
        (lambda: FitConfig("contrastive", (RATES,), 1), "recipe in"),
        (lambda: FitConfig("paper", (RATES,), 1, schedule="step"), "schedule in"),
        (lambda: FitConfig("paper", (RATES,), 1, ema=1.0), "ema < 1"),
        (lambda: FitConfig("paper", (RATES,), 0), "max_epochs >= 1"),
        (lambda: FitConfig("episode", (RATES,), 1, n_characters=1), "n_characters >= 2"),
        (lambda: ModelConfig(units=0), "units >= 1"),
        (lambda: ModelConfig(kernels=(0, 3, 2, 2)), "kernels >= 1"),
        (lambda: ModelConfig(init="zero"), "init in"),
        (lambda: ModelConfig(kernels=(4, 3, 9, 2)), "conv3 has a kernel of 9"),
        (lambda: DenseConfig(hidden=0), "hidden, units >= 1"),
        (lambda: DenseConfig(init="zero"), "init in"),
    ],
)
def test_an_impossible_configuration_is_refused_with_its_law(
    make: Callable[[], Any], law: str
) -> None:
    with pytest.raises(InputError, match=law):
        make()


def test_the_smallest_possible_kernels_are_not_refused() -> None:
    assert ModelConfig(kernels=(4, 3, 6, 1)).n_flat == 256


def test_work_and_cost_grow_with_the_characters_of_a_step() -> None:
    small, large = config(n_characters=8), config(n_characters=16)
    assert large.work["FLOPs"] == 2 * small.work["FLOPs"]
    assert large.work["comparisons"] == 4 * small.work["comparisons"]
    assert large.work["weights"] == small.work["weights"]
    assert large.cost > small.cost
    dense = dense_config()
    assert dense.work["weights"] == 16 * (20 * 20 + 8)
    assert dense.work["activations"] == (16 + 8) * 2 * dense.fit.n_characters
