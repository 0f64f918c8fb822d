"""Build the configuration of a fit from the parameters of a trial, for study and refits alike.

Every trial suggests every parameter of the searched groups, from ranges that never change within a
study, so that a sampler can model them jointly.

Source: Koch 2015 §3.2 "Hyperparameter optimization".
"""

from dataclasses import replace

import optuna
from optuna.distributions import FloatDistribution, IntDistribution

from hpo.space.ranges import L2_RANGE, clip_kernels, search_space
from model.architecture import CONVS, LAYERS, ModelConfig
from model.config import Config, LayerRates

MIN_L2 = 1e-5  # a smaller L2 penalty is treated as 0
MAX_STEPS_FACTOR = 4.0


def suggest_config(trial: optuna.trial.BaseTrial, base: Config, groups: tuple[str, ...]) -> Config:
    """Return the configuration of a trial.

    Study and refits share this function: with ``FixedTrial(params)`` it rebuilds the configuration
    of a finished trial.

    Args:
        trial: suggests the searched parameters.
        base: configuration that supplies the values of all other parameters.
        groups: searched groups, from :data:`hpo.space.ranges.GROUPS`.
    """
    values = base_values(base)
    for name, domain in search_space(base.model.image_size, groups).items():
        if isinstance(domain, FloatDistribution):
            values[name] = trial.suggest_float(name, domain.low, domain.high, log=domain.log)
        else:
            assert isinstance(domain, IntDistribution)
            values[name] = trial.suggest_int(name, domain.low, domain.high, step=domain.step)
    return build_config(base, values)


def starting_points(base: Config, groups: tuple[str, ...]) -> list[dict[str, float | int]]:
    """Return the parameters of the first trials: the paper's architecture, then half its width.

    If no searched parameter sets the width, both are equal and only the first is returned.
    """
    paper = base_values(base)
    widths = (*(f"{layer}.filters" for layer in CONVS), "fc1.units")
    narrow = paper | {name: paper[name] // 2 for name in widths}
    names = search_space(base.model.image_size, groups)
    points = [{name: values[name] for name in names} for values in (paper, narrow)]
    return points if points[0] != points[1] else points[:1]


def base_values(base: Config) -> dict[str, float | int]:
    """Return the values that a configuration has for all parameters of the space, by name."""
    values: dict[str, float | int] = {"fc1.units": base.model.units}
    for layer, rates in zip(LAYERS, base.fit.rates, strict=True):
        values |= {f"{layer}.lr": rates.lr, f"{layer}.momentum": rates.momentum}
        values[f"{layer}.l2"] = max(rates.l2_penalty, L2_RANGE[0])
    for i, layer in enumerate(CONVS):
        values |= {f"{layer}.filters": base.conv.filters[i]}
        values |= {f"{layer}.kernel": base.conv.kernels[i]}
    return values


def build_config(base: Config, values: dict[str, float | int]) -> Config:
    """Return the base configuration with the given parameter values.

    In the episode recipe, a network that costs k times as much as the base network gets 1/k times
    the steps of the base network, but at most :data:`MAX_STEPS_FACTOR` times as many. All trials
    thus take about the same time, and a large network is chosen only if its size improves the
    accuracy.

    Args:
        base: configuration of the study.
        values: value of every parameter that :func:`base_values` names.
    """
    l2 = [float(values[f"{layer}.l2"]) for layer in LAYERS]
    rates = tuple(
        LayerRates(
            float(values[f"{layer}.lr"]),
            float(values[f"{layer}.momentum"]),
            penalty if penalty >= MIN_L2 else 0.0,
        )
        for layer, penalty in zip(LAYERS, l2, strict=True)
    )
    f1, f2, f3, f4 = (int(values[f"{layer}.filters"]) for layer in CONVS)
    kernels = tuple(int(values[f"{layer}.kernel"]) for layer in CONVS)
    model = replace(
        base.conv,
        filters=(f1, f2, f3, f4),
        kernels=clip_kernels(base.model.image_size, kernels),
        units=int(values["fc1.units"]),
    )
    config = replace(base, model=model)
    factor = min(MAX_STEPS_FACTOR, base.cost / config.cost)
    steps = max(1, round(base.fit.steps_per_epoch * factor))
    return replace(config, fit=replace(base.fit, rates=rates, steps_per_epoch=steps))


def resize_model(model: ModelConfig, image_size: int) -> ModelConfig:
    """Return the architecture for another image size; kernels are scaled, rounded and clipped."""
    scale = image_size / model.image_size
    kernels = tuple(max(1, round(kernel * scale)) for kernel in model.kernels)
    return replace(model, image_size=image_size, kernels=clip_kernels(image_size, kernels))
