"""Spaces as Optuna's distributions, and the configuration that a trial suggests from them.

Every trial suggests every parameter of the space, from ranges that never change within a study, so
that a sampler can model them jointly.

The other modules of this package do not import Optuna, so that a script reads its settings fast.
"""

import math
from collections.abc import Mapping
from typing import Any

import numpy as np
from optuna.distributions import (
    BaseDistribution,
    CategoricalDistribution,
    FloatDistribution,
    IntDistribution,
)
from optuna.trial import BaseTrial

from hpo.space.configuration import build_config
from hpo.space.parameter import Parameter
from hpo.space.space import Point, Space
from model.config import Config


def search_space(space: Space, image_size: int) -> dict[str, BaseDistribution]:
    """Return the distribution of every searched parameter by name.

    Args:
        space: search space.
        image_size: height and width of the images in pixels.
    """
    return {name: to_distribution(p, image_size) for name, p in space.searched.items()}


def to_distribution(parameter: Parameter, image_size: int) -> BaseDistribution:
    """Return the distribution of a parameter that is not fixed.

    Args:
        parameter: parameter of a space.
        image_size: height and width of the images in pixels.
    """
    if parameter.choices is not None:
        return CategoricalDistribution(parameter.choices)
    low, high = parameter.bounds(image_size)
    if parameter.kind is float:
        return FloatDistribution(low, high, log=parameter.log, step=parameter.step)
    step = int(parameter.step or 1)
    return IntDistribution(int(low), int(high), log=parameter.log, step=step)


def sample_near(
    distribution: BaseDistribution, centre: Any, spread: float, rng: np.random.Generator
) -> Any:
    """Return a random value near another one.

    Args:
        distribution: distribution of the parameter.
        centre: value of the distribution.
        spread: standard deviation as a share of the range, on the scale of the distribution; for
            choices, the probability of another choice. In (0, 1].
        rng: source of random numbers.
    """
    assert 0 < spread <= 1
    d: Any = distribution
    if isinstance(distribution, CategoricalDistribution):
        others = [choice for choice in d.choices if choice != centre]
        return others[rng.integers(len(others))] if rng.random() < spread else centre
    scale, unscale = (math.log, math.exp) if d.log else (float, float)
    low, high = scale(d.low), scale(d.high)
    value = rng.normal(scale(centre), spread * (high - low))
    while not low <= value <= high:  # at least half of the values around a centre are inside
        value = rng.normal(scale(centre), spread * (high - low))
    if d.step is None:
        return min(max(unscale(value), d.low), d.high)
    n_steps = round((unscale(value) - d.low) / d.step)
    return min(d.low + n_steps * d.step, d.high)


def suggest_config(trial: BaseTrial, base: Config, space: Space) -> Config:
    """Return the configuration of a trial.

    Study and refits share this function: with ``FixedTrial(params)`` it rebuilds the configuration
    of a finished trial.

    Args:
        trial: suggests the searched parameters.
        base: configuration that supplies the values of all other parameters.
        space: search space.
    """
    return build_config(base, suggest_values(space, trial, base.model.image_size))


def suggest_values(space: Space, trial: BaseTrial, image_size: int) -> Point:
    """Return the values of all parameters for a trial, which suggests the searched ones.

    Args:
        space: search space.
        trial: Optuna trial; ``FixedTrial`` for the parameters of a finished one.
        image_size: height and width of the images in pixels.
    """
    return space.resolve(suggest_point(trial, search_space(space, image_size)))


def suggest_point(trial: BaseTrial, distributions: Mapping[str, BaseDistribution]) -> Point:
    """Return the values that a trial suggests for parameters.

    Args:
        trial: Optuna trial.
        distributions: distribution by parameter name.
    """
    return {name: _suggest(trial, name, d) for name, d in distributions.items()}


def _suggest(trial: BaseTrial, name: str, distribution: BaseDistribution) -> Any:
    d: Any = distribution
    if isinstance(distribution, CategoricalDistribution):
        return trial.suggest_categorical(name, d.choices)
    is_float = isinstance(distribution, FloatDistribution)
    suggest: Any = trial.suggest_float if is_float else trial.suggest_int
    return suggest(name, d.low, d.high, step=d.step, log=d.log)
