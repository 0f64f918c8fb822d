from typing import Any

import optuna
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from optuna.distributions import FloatDistribution, IntDistribution
from optuna.trial import FixedTrial
from tiny import part_of_paper

from data.errors import InputError
from hpo.settings.base_config import base_config
from hpo.settings.study_settings import StudySettings
from hpo.space.distributions import search_space, suggest_config
from hpo.space.files import built_in_space
from hpo.space.kernels import clip_kernels, resize_model
from model.architecture import LAYERS, ModelConfig

PAPER = built_in_space("paper")


def test_the_space_at_105_pixels_is_that_of_the_paper() -> None:
    space = search_space(PAPER, 105)
    assert len(space) == 3 * 6 + 2 * 4 + 1
    for layer in LAYERS:
        assert space[f"{layer}.lr"] == FloatDistribution(1e-4, 1e-1, log=True)
        assert space[f"{layer}.momentum"] == FloatDistribution(0.0, 1.0)
        assert space[f"{layer}.l2"] == FloatDistribution(1e-6, 1e-1, log=True)
    for layer in LAYERS[:4]:
        assert space[f"{layer}.filters"] == IntDistribution(16, 256, step=16)
        assert space[f"{layer}.kernel"] == IntDistribution(3, 20)
    assert space["fc1.units"] == IntDistribution(128, 4096, step=16)


@pytest.mark.parametrize(
    ("size", "kernels"),
    [(105, (10, 7, 4, 4)), (35, (4, 3, 2, 2)), (52, (5, 4, 2, 2)), (28, (3, 2, 2, 2))],
)
def test_the_architecture_of_the_paper_scales_with_the_image(
    size: int, kernels: tuple[int, ...]
) -> None:
    model = base_config(StudySettings(image_size=size)).conv
    assert model.kernels == kernels
    assert model.filters == (64, 128, 128, 256)
    assert model.units == 4096


@settings(max_examples=200, deadline=None)
@given(
    st.integers(16, 160),
    st.tuples(st.integers(1, 30), st.integers(1, 30), st.integers(1, 30), st.integers(1, 30)),
)
def test_clipped_kernels_always_make_a_network(
    size: int, kernels: tuple[int, int, int, int]
) -> None:
    clipped = clip_kernels(size, kernels)
    model = ModelConfig(image_size=size, kernels=clipped)  # raises if the network is impossible
    assert model.n_flat >= 256
    assert clip_kernels(size, clipped) == clipped
    assert all(c <= k for c, k in zip(clipped, kernels, strict=True))


@pytest.mark.parametrize("size", [35, 105])
def test_every_searched_value_reaches_the_configuration(size: int) -> None:
    base = base_config(StudySettings(image_size=size))
    study = optuna.create_study(sampler=optuna.samplers.RandomSampler(seed=0))
    trial = study.ask()
    config = suggest_config(trial, base, PAPER)
    assert set(trial.params) == set(search_space(PAPER, size))
    for i, layer in enumerate(LAYERS):
        rates = config.fit.rates[i]
        assert rates.lr == trial.params[f"{layer}.lr"]
        assert rates.momentum == trial.params[f"{layer}.momentum"]
        l2 = trial.params[f"{layer}.l2"]
        assert rates.l2_penalty == (l2 if l2 >= 1e-5 else 0.0)
    for i, layer in enumerate(LAYERS[:4]):
        assert config.conv.filters[i] == trial.params[f"{layer}.filters"]
    kernels = tuple(trial.params[f"{layer}.kernel"] for layer in LAYERS[:4])
    assert config.conv.kernels == clip_kernels(size, kernels)
    assert config.conv.units == trial.params["fc1.units"]
    assert suggest_config(FixedTrial(trial.params), base, PAPER) == config


def test_parameters_that_are_not_searched_keep_their_base_values() -> None:
    base = base_config(StudySettings(space=part_of_paper("lr")))
    params = {f"{layer}.lr": 0.005 for layer in LAYERS}
    config = suggest_config(FixedTrial(params), base, part_of_paper("lr"))
    assert config.model == base.model
    assert [r.lr for r in config.fit.rates] == [0.005] * 6
    assert [r.momentum for r in config.fit.rates] == [r.momentum for r in base.fit.rates]


@pytest.mark.parametrize("recipe", ["episode", "paper"])
@pytest.mark.parametrize("size", [16, 20, 28, 35, 52, 105])
def test_the_first_starting_point_is_the_base_configuration(recipe: Any, size: int) -> None:
    base = base_config(StudySettings(recipe=recipe, image_size=size))
    first, second = PAPER.starting_points(size)
    assert suggest_config(FixedTrial(first), base, PAPER) == base
    for name, distribution in search_space(PAPER, size).items():
        assert distribution._contains(first[name]), name
        assert distribution._contains(second[name]), name


def test_a_costlier_network_gets_fewer_steps_and_a_cheaper_one_more() -> None:
    base = base_config(StudySettings(steps_per_epoch=100))
    wide = PAPER.starting_points(35)[0] | {f"{layer}.filters": 256 for layer in LAYERS[:4]}
    narrow = PAPER.starting_points(35)[1]
    steps = [
        suggest_config(FixedTrial(params), base, PAPER).fit.steps_per_epoch
        for params in (wide, narrow)
    ]
    assert steps[0] < 50
    assert 150 < steps[1] <= 400


def test_a_resized_network_keeps_its_share_of_the_image() -> None:
    model = base_config(StudySettings()).conv
    assert resize_model(model, 35) == model
    assert resize_model(model, 52).kernels == (6, 4, 3, 3)
    assert resize_model(model, 105).kernels == (12, 9, 6, 6)
    assert resize_model(model, 105).output_sizes()[-1] == model.output_sizes()[-1] == 2
    assert resize_model(model, 16).output_sizes()[-1] >= 1


def test_images_that_are_too_small_are_refused() -> None:
    with pytest.raises(InputError, match=r"16.*15.*--image-size"):
        base_config(StudySettings(image_size=15))


def test_half_the_width_is_no_second_starting_point_if_widths_are_not_searched() -> None:
    only_rates = part_of_paper("lr").starting_points(35)
    assert only_rates == [{f"{layer}.lr": 0.03 for layer in LAYERS}]
    assert len(part_of_paper("lr", "units").starting_points(35)) == 2
