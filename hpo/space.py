"""The paper's hyperparameter space, and the one function from parameters to a configuration.

Every parameter of the searched groups is suggested in every trial, from ranges that never change
within a study, so that a sampler can model them jointly.

Source: Koch 2015 §3.2 "Hyperparameter optimization".
"""

import math
from dataclasses import replace

import optuna
from optuna.distributions import BaseDistribution, FloatDistribution, IntDistribution

from data.drawings import FULL_SIZE
from data.errors import InputError
from model.config import Config, LayerRates
from model.geometry import CONVS, LAYERS, ModelConfig

GROUPS = ("lr", "momentum", "l2", "filters", "kernels", "units")
PAPER_FILTERS = (64, 128, 128, 256)
PAPER_KERNELS = (10, 7, 4, 4)
PAPER_UNITS = 4096
# Deviation D13: λ is drawn on a log scale, for a uniform draw from [0, 0.1] hardly ever comes
# near the useful values; what falls below this floor means 0.
L2_RANGE = (1e-6, 1e-1)
L2_FLOOR = 1e-5
MAX_STEPS_SHARE = 4.0


def parse_groups(groups: list[str]) -> tuple[str, ...]:
    """Return the searched groups in their fixed order; ``paper`` means all of them.

    Raises:
        InputError: an unknown group.
    """
    if unknown := sorted(set(groups) - {*GROUPS, "paper"}):
        raise InputError(
            f"--search takes groups of {', '.join(GROUPS)}, or paper, but got "
            f"{', '.join(unknown)}. Correct the name."
        )
    return tuple(group for group in GROUPS if group in groups or "paper" in groups)


def clip_kernels(image_size: int, kernels: tuple[int, ...]) -> tuple[int, int, int, int]:
    """Return the kernels, each lowered to what leaves the later layers at least one pixel.

    Deviation D14: the paper's kernel ranges contain impossible networks (four of 20×20); lowering
    keeps the space a box in which every point is a network.
    """
    clipped, size = [], image_size
    for layer, kernel in enumerate(kernels):
        n_poolings = len(CONVS) - 1 - layer
        clipped.append(max(1, min(kernel, size - 2**n_poolings + 1)))
        size = size - clipped[-1] + 1
        size = size // 2 if n_poolings else size
    return clipped[0], clipped[1], clipped[2], clipped[3]


def paper_kernels(image_size: int) -> tuple[int, int, int, int]:
    """Return the kernels of the paper's best architecture scaled to an image size.

    Rounding up keeps the last feature map at the paper's share of the image (6 of 105 pixels, 2 of
    35), which a single pixel would lose.

    Raises:
        InputError: no such network fits so small an image.
    """
    if image_size < 16:
        raise InputError(
            f"`image_size >= 16` must hold, but it is {image_size}. Raise --image-size."
        )
    scaled = tuple(max(2, math.ceil(k * image_size / FULL_SIZE)) for k in PAPER_KERNELS)
    return clip_kernels(image_size, scaled)


def paper_model(image_size: int, init: str) -> ModelConfig:
    """Return the paper's best architecture at an image size."""
    return ModelConfig(image_size, PAPER_FILTERS, paper_kernels(image_size), PAPER_UNITS, init)


def resize_model(model: ModelConfig, image_size: int) -> ModelConfig:
    """Return a network for images of another size, its kernels scaled with them.

    They are rounded, and lowered where no pixel would be left.
    """
    share = image_size / model.image_size
    scaled = tuple(max(1, round(kernel * share)) for kernel in model.kernels)
    return replace(model, image_size=image_size, kernels=clip_kernels(image_size, scaled))


def kernel_range(image_size: int) -> tuple[int, int]:
    """Return the paper's range 3 … 20 of a 105-pixel image, scaled to an image size.

    It starts at 2, or at 1 where the image is so small that the paper's network needs it.
    """
    scale = image_size / FULL_SIZE
    low = min(max(2, round(3 * scale)), *paper_kernels(image_size))
    return low, max(3, round(20 * scale))


def search_space(image_size: int, search: tuple[str, ...]) -> dict[str, BaseDistribution]:
    """Return every searched parameter with its range, by name (``conv1.lr``, ``fc1.units``)."""
    low, high = kernel_range(image_size)
    per_layer: dict[str, tuple[tuple[str, ...], str, BaseDistribution]] = {
        # Deviation D6: the scale of the learning rate is not given; we take the logarithm.
        "lr": (LAYERS, "lr", FloatDistribution(1e-4, 1e-1, log=True)),
        "momentum": (LAYERS, "momentum", FloatDistribution(0.0, 1.0)),
        "l2": (LAYERS, "l2", FloatDistribution(*L2_RANGE, log=True)),
        "filters": (CONVS, "filters", IntDistribution(16, 256, step=16)),
        "kernels": (CONVS, "kernel", IntDistribution(low, high)),
        "units": (("fc1",), "units", IntDistribution(128, 4096, step=16)),
    }
    space: dict[str, BaseDistribution] = {}
    for layers, name, distribution in (per_layer[group] for group in search):
        space |= {f"{layer}.{name}": distribution for layer in layers}
    return space


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
    steps = max(1, round(base.fit.epoch_steps * share))
    return replace(config, fit=replace(base.fit, rates=rates, epoch_steps=steps))


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
