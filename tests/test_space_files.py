"""Space files: what they may contain, and what an error in one says."""

import re
from pathlib import Path
from typing import Any

import numpy as np
import optuna
import pytest
from optuna.distributions import CategoricalDistribution, FloatDistribution, IntDistribution
from optuna.trial import FixedTrial

from data.errors import InputError
from hpo.settings.base_config import base_config, check_settings
from hpo.settings.study_settings import StudySettings
from hpo.space.configuration import build_config
from hpo.space.distributions import (
    sample_near,
    search_space,
    suggest_config,
)
from hpo.space.files import BUILT_IN, built_in_space, parse_space, read_space
from hpo.space.parameter import Parameter
from hpo.space.paths import parameter_types
from hpo.space.space import Space
from model.config import Config

EXAMPLES = Path(__file__).parents[1] / "docs" / "examples"
FORM = """
[conv1.lr]
low = 0.001
high = 0.1
log = true
default = 0.03

[fit.n_characters]
low = 16
high = 64
step = 16
default = 32
"""


def space_of(text: str, tmp_path: Path) -> Space:
    path = tmp_path / "mine.toml"
    path.write_text(text)
    return read_space(path)


def base(**settings: Any) -> Config:
    return base_config(StudySettings(**settings))


def test_a_table_per_parameter_is_a_space(tmp_path: Path) -> None:
    space = space_of(FORM, tmp_path)
    assert space.name == "mine"
    assert search_space(space, 35) == {
        "conv1.lr": FloatDistribution(0.001, 0.1, log=True),
        "fit.n_characters": IntDistribution(16, 64, step=16),
    }
    assert space.starting_points(35) == [{"conv1.lr": 0.03, "fit.n_characters": 32}]


@pytest.mark.parametrize("name", BUILT_IN)
def test_a_built_in_space_is_a_file_that_round_trips(name: str) -> None:
    space = built_in_space(name)
    assert parse_space(space.to_dict(), name, "the file") == space
    check_settings(StudySettings(space=space))


def test_the_space_of_the_recipe_contains_the_papers() -> None:
    paper, recipe = built_in_space("paper"), built_in_space("recipe")
    assert len(paper.searched) == 27
    assert recipe.starts == paper.starts
    for name, parameter in paper.parameters.items():
        assert recipe.parameters[name] == parameter
    config = base()
    first = recipe.starting_points(35)[0]
    assert suggest_config(FixedTrial(first), config, recipe) == config, "the defaults are ours"


@pytest.mark.parametrize("path", sorted(EXAMPLES.glob("*.toml")), ids=lambda path: path.stem)
def test_the_examples_of_the_documentation_are_read(path: Path) -> None:
    if "[space" in path.read_text():
        return  # a settings file
    network = "own_networks:make" if "[net." in path.read_text() else None
    check_settings(StudySettings(space=read_space(path), network=network))


def test_every_parameter_reaches_the_configuration() -> None:
    config, other = base(), {"conv_norm": "batch", "head_norm": "unit", "init": "paper"}
    for name, kind in parameter_types().items():
        section, _, field = name.rpartition(".")
        value: Any = {float: 0.11, int: 3, bool: None}.get(kind, other.get(field, "constant"))
        if kind is bool:
            value = not getattr(config.fit, field)
        if field == "kernel":
            value = 1
        changed = build_config(config, {name: value})
        assert changed != config or name.endswith("l2_factor"), name
        if name.endswith("l2_factor"):  # a factor of a penalty of 0 has no effect
            assert build_config(config, {"l2": 0.01, name: value}) != build_config(
                config, {"l2": 0.01}
            )
        if section in ("fit", "distort", "model"):
            owners = {"fit": changed.fit, "distort": changed.fit.distort, "model": changed.model}
            assert getattr(owners[section], field) == value


def test_a_shared_rate_is_multiplied_by_the_factor_of_a_layer() -> None:
    values = {"lr": 0.1, "conv1.lr_factor": 0.5, "l2": 1e-4, "head.l2_factor": 0.0, "fc1.lr": 0.7}
    rates = build_config(base(), values).fit.rates
    assert [r.lr for r in rates] == pytest.approx([0.05, 0.1, 0.1, 0.1, 0.7, 0.1])
    assert [r.l2_penalty for r in rates] == pytest.approx([1e-4] * 5 + [0.0])


def test_a_parameter_without_a_default_starts_at_the_centre(tmp_path: Path) -> None:
    text = "[lr]\nlow = 0.001\nhigh = 0.1\nlog = true\n[fit.ema]\nchoices = [0.9, 0.0]\n"
    text += "[fc1.units]\nlow = 16\nhigh = 80\nstep = 16\n[momentum]\nlow = 0.0\nhigh = 1.0\n"
    [start] = space_of(text, tmp_path).starting_points(35)
    assert start["lr"] == pytest.approx(0.01)
    assert (start["fit.ema"], start["fc1.units"], start["momentum"]) == (0.9, 48, 0.5)


def test_a_fixed_value_is_not_searched(tmp_path: Path) -> None:
    space = space_of(FORM + "[fit.schedule]\nfixed = 'constant'\n", tmp_path)
    assert "fit.schedule" not in search_space(space, 35)
    trial = optuna.create_study(sampler=optuna.samplers.RandomSampler(seed=0)).ask()
    config = suggest_config(trial, base(), space)
    assert config.fit.schedule == "constant"
    assert set(trial.params) == {"conv1.lr", "fit.n_characters"}


def test_a_small_penalty_is_zero(tmp_path: Path) -> None:
    text = "[conv1.l2]\nlow = 1e-6\nhigh = 0.1\nlog = true\nzero_below = 1e-5\n"
    space = space_of(text, tmp_path)
    assert space.resolve({"conv1.l2": 9e-6}) == {"conv1.l2": 0.0}
    assert space.resolve({"conv1.l2": 2e-5}) == {"conv1.l2": 2e-5}


def test_kernels_follow_the_image_size(tmp_path: Path) -> None:
    text = "[conv1.kernel]\nlow = 3\nhigh = 20\nat_image_size = 105\ndefault = 10\n"
    space = space_of(text, tmp_path)
    assert search_space(space, 105)["conv1.kernel"] == IntDistribution(3, 20)
    assert search_space(space, 35)["conv1.kernel"] == IntDistribution(2, 7)
    assert space.starting_points(35) == [{"conv1.kernel": 4}]


def test_starts_are_tables_and_equal_ones_count_once(tmp_path: Path) -> None:
    text = FORM + "[[start]]\n[[start]]\nconv1.lr = 0.01\n[[start]]\nfit.n_characters = 32\n"
    starts = space_of(text, tmp_path).starting_points(35)
    assert [start["conv1.lr"] for start in starts] == [0.03, 0.01]


def test_a_file_may_extend_another_one(tmp_path: Path) -> None:
    (tmp_path / "first.toml").write_text(FORM)
    text = "extends = 'first.toml'\n[conv1.lr]\nlike = 'conv1.lr'\ndefault = 0.002\n"
    space = space_of(text + "[fit.ema]\nchoices = [0.0, 0.9]\n", tmp_path)
    assert list(space.parameters) == ["conv1.lr", "fit.n_characters", "fit.ema"]
    assert space.starting_points(35)[0]["conv1.lr"] == 0.002
    assert isinstance(search_space(space, 35)["fit.ema"], CategoricalDistribution)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("[fit.emma]\nlow = 0\n", r"'fit.emma' is not a parameter.*fit\.ema"),
        ("[conv1.rl]\nlow = 0\n", r"'conv1.rl' is not a parameter.*conv1\.lr"),
        ("[lr]\nlo = 0.1\nhigh = 1.0\n", r"lr: 'lo' is not a key. Use low"),
        ("[lr]\nlow = 0.1\nhigh = 0.01\n", r"lr: low < high must hold"),
        ("[lr]\nlow = 0.0\nhigh = 0.01\nlog = true\n", r"lr: low > 0 must hold with log"),
        ("[lr]\nlow = 0.1\n", r"lr: low < high must hold, but low is 0.1 and high is None"),
        ("[lr]\ndefault = 0.1\n", r"lr: must have low and high, or choices, or fixed"),
        ("[lr]\nlow = 'a'\nhigh = 1.0\n", r"lr: low must be a number, but is 'a'"),
        ("[fc1.units]\nlow = 1.5\nhigh = 3\n", r"fc1.units: low must be an integer"),
        ("[fc1.units]\nlow = 1\nhigh = 8\nstep = 4\n", r"high - low must be a multiple of step"),
        ("[lr]\nlow = 0.1\nhigh = 1.0\ndefault = 2.0\n", r"default must be one of its values"),
        ("[lr]\nlow = 0.1\nhigh = 1.0\nconfidence = 'sure'\n", r"confidence must be one of low"),
        ("[fit.schedule]\nlow = 0\nhigh = 1\n", r"low must be a text"),
        ("[fit.schedule]\nchoices = ['cosine']\n", r"choices must have two different values"),
        ("[fit.ema]\nchoices = 0.9\n", r"choices must be a list"),
        ("[fit.nesterov]\nchoices = [1, 0]\n", r"choice must be true or false, but is 1"),
        ("lr = 0.1\n", r"'lr' must be a table.*\[lr\]"),
        ("[lr]\n", r"'lr' must be a table"),
        ("[lr]\nlike = 'momentum'\n", r"like must name an earlier parameter"),
        ("[fit.ema]\nfixed = 0.9\n", r"has no parameter to search"),
        (FORM + "[[start]]\nfit.ema = 0.9\n", r"start: 'fit.ema' is not a searched parameter"),
        (FORM + "[[start]]\nconv1.lr = 2.0\n", r"start: conv1.lr: default must be one of"),
        ("extends = 'none.toml'\n", r"none\.toml cannot be read"),
        ("extends = 'mine.toml'\n", r"mine\.toml must not extend itself"),
        ("[lr]\nlow = 0.1\nhigh = inf\n", r"low < high must hold"),
        ("[lr]\nlow = nan\nhigh = 1.0\n", r"low < high must hold"),
        ("[lr]\nlow = 0.1\nhigh = 1.0\nat_image_size = 105\n", r"at_image_size must be"),
        ("[lr\n", r"is not TOML"),
    ],
)
def test_a_mistake_is_one_line_that_names_it(text: str, message: str, tmp_path: Path) -> None:
    with pytest.raises(InputError, match=message) as raised:
        space_of(text, tmp_path)
    assert "\n" not in str(raised.value)
    assert "mine.toml" in str(raised.value) or "none.toml" in str(raised.value)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("[lr]\nlow = -1.0\nhigh = 1.0\n", r"lr = -1.0: `lr > 0` must hold"),
        ("[momentum]\nlow = 0.5\nhigh = 1.5\n", r"momentum = 1.5: `0 <= momentum <= 1`"),
        ("[fit.schedule]\nchoices = ['cosine', 'linear']\n", r"linear.*schedule in"),
        ("[model.conv_norm]\nchoices = ['none', 'layer']\n", r"layer.*conv_norm in"),
        ("[distort.scale]\nlow = 0.0\nhigh = 1.0\n", r"scale = 1.0"),
        ("[fit.n_pairs]\nlow = 10\nhigh = 20\n", r"'fit.n_pairs' has no effect .* --recipe paper"),
    ],
)
def test_an_impossible_value_is_refused_before_the_study(
    text: str, message: str, tmp_path: Path
) -> None:
    with pytest.raises(InputError, match=message):
        check_settings(StudySettings(space=space_of(text, tmp_path)))


def test_the_papers_recipe_can_have_turns_and_mirrors(tmp_path: Path) -> None:
    text = "[fit.turns]\nchoices = [false, true]\n[fit.mirrors]\nchoices = [false, true]\n"
    check_settings(StudySettings(recipe="paper", space=space_of(text, tmp_path)))


def test_a_point_is_completed_and_checked(tmp_path: Path) -> None:
    space = space_of(FORM, tmp_path)
    point = space.require_point({"fit.n_characters": 64}, 35, "a.toml")
    assert point == {"conv1.lr": 0.03, "fit.n_characters": 64}
    with pytest.raises(InputError, match=r"a\.toml: 'fit\.ema' is not a parameter of the space"):
        space.require_point({"fit.ema": 0.9}, 35, "a.toml")
    with pytest.raises(InputError, match=r"'fit\.n_characters' must be in 16 … 64, step 16"):
        space.require_point({"fit.n_characters": 65}, 35, "a.toml")
    fixed = space_of("[lr]\nlow = 0.01\nhigh = 0.1\n[momentum]\nfixed = 0.9\n", tmp_path)
    assert "momentum" not in fixed.require_point({"lr": 0.02, "momentum": 0.9}, 35, "a.toml")
    with pytest.raises(InputError, match=r"'momentum' must be 0\.9, at which the space fixes it"):
        fixed.require_point({"momentum": 0.8}, 35, "a.toml")


@pytest.mark.parametrize("confidence", ["low", "high"])
def test_values_near_a_default_are_closer_the_higher_the_confidence(confidence: str) -> None:
    rng = np.random.default_rng(0)
    spread = built_in_space("recipe").spreads["fit.ema"] if confidence == "low" else 0.05
    log = FloatDistribution(1e-4, 1e-1, log=True)
    values = [sample_near(log, 3e-3, spread, rng) for _ in range(500)]
    assert all(1e-4 <= v <= 1e-1 for v in values)
    deviation = float(np.std(np.log10(values)))
    assert deviation == pytest.approx(3 * spread, rel=0.25)
    integers = [sample_near(IntDistribution(16, 128, step=16), 64, spread, rng) for _ in range(99)]
    assert {type(v) for v in integers} == {int}
    assert all(v % 16 == 0 and 16 <= v <= 128 for v in integers)
    choices = [sample_near(CategoricalDistribution([1, 2, 3]), 1, spread, rng) for _ in range(900)]
    assert sum(c != 1 for c in choices) / 900 == pytest.approx(spread, abs=0.05)


def test_a_parameter_describes_its_values() -> None:
    assert Parameter(float, 1e-4, 0.1, log=True).describe_range(35) == "0.0001 … 0.1, logarithmic"
    assert Parameter(int, 16, 64, step=16).describe_range(35) == "16 … 64, step 16"
    assert Parameter(str, choices=("a", "b")).describe_range(35) == "a, b"
    assert Parameter(float, fixed=1.0).describe_range(35) == "fixed"
    assert re.match("2 … 7", Parameter(int, 3, 20, at_image_size=105).describe_range(35))
