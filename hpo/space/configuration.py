"""The paper's hyperparameter space, and the one function from parameters to a configuration.

Every parameter of the searched groups is suggested in every trial, from ranges that never change
within a study, so that a sampler can model them jointly.

Source: Koch 2015 §3.2 "Hyperparameter optimization".
"""

from dataclasses import replace

import optuna
from optuna.distributions import FloatDistribution, IntDistribution

from hpo.space.ranges import L2_RANGE, clip_kernels, search_space
from model.architecture import CONVS, LAYERS, ModelConfig
from model.config import Config, LayerRates

L2_FLOOR = 1e-5

MAX_STEPS_SHARE = 4.0


def resize_model(model: ModelConfig, image_size: int) -> ModelConfig:
    """Return a network for images of another size, its kernels scaled with them.

    They are rounded, and lowered where no pixel would be left.
    """
    share = image_size / model.image_size
    scaled = tuple(max(1, round(kernel * share)) for kernel in model.kernels)
    return replace(model, image_size=image_size, kernels=clip_kernels(image_size, scaled))


def base_values(base: Config) -> dict[str, float | int]:
    """Return the value of every parameter of the space in a configuration."""
    values: dict[str, float | int] = {"fc1.units": base.model.units}
    for layer, rates in zip(LAYERS, base.fit.rates, strict=True):
        values |= {f"{layer}.lr": rates.lr, f"{layer}.momentum": rates.momentum}
        values[f"{layer}.l2"] = max(rates.l2_penalty, L2_RANGE[0])
    for i, layer in enumerate(CONVS):
        values |= {f"{layer}.filters": base.conv.filters[i]}
        values |= {f"{layer}.kernel": base.conv.kernels[i]}
    return values


def build_config(base: Config, values: dict[str, float | int]) -> Config:
    """Return a configuration with these values, all names of :func:`base_values` being given.

    A network that costs k times as much as the base network is trained for 1/k of its steps
    (episode recipe, at most four times as many), so that every trial takes about the same time
    and size has to earn its keep.
    """
    l2 = [float(values[f"{layer}.l2"]) for layer in LAYERS]
    rates = tuple(
        LayerRates(
            float(values[f"{layer}.lr"]),
            float(values[f"{layer}.momentum"]),
            penalty if penalty >= L2_FLOOR else 0.0,
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
    share = min(MAX_STEPS_SHARE, base.cost / config.cost)
    steps = max(1, round(base.fit.steps_per_epoch * share))
    return replace(config, fit=replace(base.fit, rates=rates, steps_per_epoch=steps))


def suggest_config(trial: optuna.trial.BaseTrial, base: Config, search: tuple[str, ...]) -> Config:
    """Return the configuration of a trial; what is not searched keeps its base value.

    The study and the retraining share this function: with ``FixedTrial(params)`` it rebuilds the
    configuration that ``params`` stood for.
    """
    values = base_values(base)
    for name, d in search_space(base.model.image_size, search).items():
        if isinstance(d, FloatDistribution):
            values[name] = trial.suggest_float(name, d.low, d.high, log=d.log)
        else:
            assert isinstance(d, IntDistribution)
            values[name] = trial.suggest_int(name, d.low, d.high, step=d.step)
    return build_config(base, values)


def starting_points(base: Config, search: tuple[str, ...]) -> list[dict[str, float | int]]:
    """Return the parameters to try first: the paper's architecture, then half its width."""
    paper = base_values(base)
    widths = (*(f"{layer}.filters" for layer in CONVS), "fc1.units")
    narrow = paper | {name: paper[name] // 2 for name in widths}
    names = search_space(base.model.image_size, search)
    tried = [{name: values[name] for name in names} for values in (paper, narrow)]
    return tried if tried[0] != tried[1] else tried[:1]
