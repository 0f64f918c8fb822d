"""The configuration of a fit from values of parameters, for study and refits alike.

Source: Koch 2015 §3.2 "Hyperparameter optimization".
"""

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from data.errors import InputError
from hpo.space.kernels import clip_kernels
from hpo.space.paths import OWN_PREFIX, WIDTH
from hpo.space.space import Space
from model.architecture import CONVS, ModelConfig
from model.config import Config, LayerRates
from model.own_network import OwnConfig

MAX_STEPS_FACTOR = 4.0


def build_config(base: Config, values: Mapping[str, Any]) -> Config:
    """Return the base configuration with the given parameter values.

    In the episode recipe, the number of steps is inversely proportional to the cost of a step, so
    all epochs of a study cost about the same. It is at most :data:`MAX_STEPS_FACTOR` times that of
    the base. All trials thus take about the same time, and a large network is chosen only if its
    size improves the accuracy.

    The cost of a network of the user's own is not estimated: it gets the steps of the base, which
    :func:`with_relative_cost` changes.

    Args:
        base: configuration of the study.
        values: value by parameter name; see :mod:`hpo.space.paths`. Other parameters keep their
            base values.
    """
    fit = replace(
        base.fit,
        rates=tuple(
            _layer_rates(rates, layer, values)
            for layer, rates in zip(base.model.layers, base.fit.rates, strict=True)
        ),
        distort=replace(base.fit.distort, **_fields(values, "distort")),
        **_fields(values, "fit"),
    )
    if isinstance(base.model, OwnConfig):
        params = {**base.model.params, **_fields(values, OWN_PREFIX.removesuffix("."))}
        return replace(base, model=replace(base.model, params=params), fit=fit)
    model = _model(base.model, values) if isinstance(base.model, ModelConfig) else base.model
    config = replace(base, model=model, fit=fit, epoch_cost=None)
    epoch_cost = base.epoch_cost or base.cost * base.fit.steps_per_epoch
    return with_relative_cost(config, config.cost * base.fit.steps_per_epoch / epoch_cost)


def with_relative_cost(config: Config, relative_cost: float) -> Config:
    """Return a configuration with a number of steps that depends on the cost of a step.

    Args:
        config: configuration with the number of steps of the base network.
        relative_cost: cost of a step, relative to that of a network that gets these steps.
    """
    factor = min(MAX_STEPS_FACTOR, 1 / relative_cost)
    steps = max(1, round(config.fit.steps_per_epoch * factor))
    return replace(config, fit=replace(config.fit, steps_per_epoch=steps))


def _fields(values: Mapping[str, Any], prefix: str) -> dict[str, Any]:
    """Return the values whose names begin with a prefix, by the rest of the name."""
    parts = {name: name.partition(".") for name in values}
    return {rest: values[name] for name, (first, _, rest) in parts.items() if first == prefix}


def _layer_rates(rates: LayerRates, layer: str, values: Mapping[str, Any]) -> LayerRates:
    """Return the rates of a layer: its own value, else the shared one, times its factor."""

    def value(name: str, base: float) -> float:
        own = values.get(f"{layer}.{name}", values.get(name, base))
        return float(own) * float(values.get(f"{layer}.{name}_factor", 1.0))

    return LayerRates(
        lr=value("lr", rates.lr),
        momentum=value("momentum", rates.momentum),
        l2_penalty=value("l2", rates.l2_penalty),
    )


def _model(base: ModelConfig, values: Mapping[str, Any]) -> ModelConfig:
    """Return an architecture with the sizes of its layers, and kernels that fit the image."""
    width = float(values.get(WIDTH, 1.0))

    def size(name: str, base: int) -> int:
        return max(1, round(width * int(values.get(name, base))))

    f1, f2, f3, f4 = (size(f"{c}.filters", base.filters[i]) for i, c in enumerate(CONVS))
    kernels = tuple(int(values.get(f"{c}.kernel", base.kernels[i])) for i, c in enumerate(CONVS))
    return replace(
        base,
        filters=(f1, f2, f3, f4),
        kernels=clip_kernels(base.image_size, kernels),
        units=size("fc1.units", base.units),
        **_fields(values, "model"),
    )


def require_possible(space: Space, base: Config, source: str) -> None:
    """Raise InputError unless every value of a space makes a possible configuration.

    Each parameter is tried at the ends of its range, or at each of its choices, with the starting
    values of the others.

    Args:
        space: search space.
        base: configuration of the study.
        source: description of the space, for the error message.

    Raises:
        InputError: a value is impossible.
    """
    size = base.model.image_size
    start = space.starting_points(size)[0]
    for name, parameter in space.searched.items():
        for value in parameter.choices or parameter.bounds(size):
            try:
                build_config(base, space.resolve(start | {name: value}))
            except InputError as error:
                raise InputError(f"{source}: {name} = {value}: {error}") from error
