"""Measure what a training step costs on this machine, in a few seconds.

In the episode recipe, a network that costs more per step gets fewer steps. How the time depends on
the network differs between machines: without AMX, for example, arithmetic takes a much larger share
of a step. Therefore a study measures its own costs when it is created.
"""

import statistics
import time
from collections.abc import Callable
from dataclasses import astuple, replace
from itertools import combinations

import numpy as np
import torch

from data.drawings import Drawings
from data.errors import InputError
from model.architecture import ModelConfig
from model.config import REFERENCE_COST, Config, StepCost
from model.device import ComputeConfig
from model.fit_state import FitState
from model.losses import LOSSES
from model.train import train_step

MAX_SECONDS = 1.0  # after which no further round is timed
MIN_ROUNDS, MAX_ROUNDS = 3, 20
EPOCH_STEPS = 10  # steps from which the time of an epoch is estimated
VALIDATION_SHARE = 0.1  # time of the validation of an epoch, as a share of its training
N_CHARACTERS, REFERENCE_SIZE = 32, 35  # characters per step, at this image size
PRIOR_WEIGHT = 0.02  # weight of the relative change of a cost against that of a measured time


def measure_step_cost(base: Config, compute: ComputeConfig) -> StepCost:
    """Return the costs of a step on a device: a fit to the times of a few different networks.

    One thread of a CPU computes: other programs disturb it less, and the proportions of the costs
    hardly depend on the number of threads.

    Args:
        base: configuration of a study; its image size and channels are used.
        compute: device and precision.
    """
    configs = probe_configs(base)
    work = np.array([[*config.work.values(), 1] for config in configs], dtype=float)
    return StepCost(*fit_costs(work, 1e9 * np.array(shortest_seconds(configs, compute))))


def relative_step_cost(config: Config, base: Config, compute: ComputeConfig) -> float:
    """Return how many times longer a step takes than one of the base configuration.

    Both are timed in turn, so that the ratio hardly depends on the machine and on other programs.

    Args:
        config: configuration of the episode recipe.
        base: configuration to which it is compared.
        compute: device and precision.
    """
    seconds, base_seconds = shortest_seconds([config, base], compute)
    return seconds / base_seconds


def measure_epoch_seconds(config: Config, compute: ComputeConfig) -> float:
    """Return the wall time of an epoch, validation included, estimated from a few steps.

    Args:
        config: configuration of a fit.
        compute: device and precision.
    """
    step = _step_of(config, compute)
    step()  # warm-up: memory and kernels
    seconds = [_seconds(step, compute.device) for _ in range(EPOCH_STEPS)]
    n_steps = config.fit.steps_per_epoch
    if config.fit.recipe == "paper":
        n_steps = round(config.fit.n_pairs / config.fit.n_characters)
    return n_steps * statistics.median(seconds) * (1 + VALIDATION_SHARE)


def shortest_seconds(configs: list[Config], compute: ComputeConfig) -> list[float]:
    """Return the shortest time of a step of each configuration; one thread of a CPU computes."""
    n_threads = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        return _time_in_turn(configs, compute)
    finally:
        torch.set_num_threads(n_threads)


def _time_in_turn(configs: list[Config], compute: ComputeConfig) -> list[float]:
    steps = [_step_of(config, compute) for config in configs]
    for step in steps:
        step()  # warm-up: memory and kernels
    seconds: list[list[float]] = [[] for _ in steps]
    deadline = time.perf_counter() + MAX_SECONDS
    for n_rounds in range(MAX_ROUNDS):
        if n_rounds >= MIN_ROUNDS and time.perf_counter() > deadline:
            break
        for step, times in zip(steps, seconds, strict=True):
            times.append(_seconds(step, compute.device))
    return [min(times) for times in seconds]


def probe_configs(base: Config) -> list[Config]:
    """Return configurations that differ in what a step costs most time for."""
    model, units = base.conv, base.conv.units
    n = max(2, round(N_CHARACTERS * min(1.0, REFERENCE_SIZE / model.image_size) ** 2))

    def probe(
        shares: tuple[float, ...], units: int, characters: int, model: ModelConfig = model
    ) -> Config:
        f1, f2, f3, f4 = (
            max(1, int(share * f)) for share, f in zip(shares, model.filters, strict=True)
        )
        changed = replace(model, filters=(f1, f2, f3, f4), units=max(1, units))
        fit = replace(base.fit, n_characters=max(2, characters))
        return replace(base, model=changed, fit=fit)

    return [
        probe((1, 1, 1, 1), units, 2 * n),
        probe((1, 1, 1, 1), units // 8, n // 2),
        probe((1, 1, 1, 1), units // 8, n // 2, _with_larger_kernels(model)),
        probe((2, 0.5, 0.5, 0.5), units // 8, n // 2),
        probe((0.5, 2, 2, 0.25), units // 32, n // 2),
        probe((0.25, 0.25, 0.25, 1), units, n // 8),
        probe((0.25, 0.25, 0.25, 0.25), units // 2, 2 * n),
        probe((0.25, 0.25, 0.25, 0.25), units // 32, 2),
    ]


def _with_larger_kernels(model: ModelConfig) -> ModelConfig:
    """Return a network with larger first kernels, or the same one if the images are too small."""
    k1, k2, k3, k4 = model.kernels
    try:
        return replace(model, kernels=(k1 + 1, k2 + 1, k3, k4))
    except InputError:
        return model


def fit_costs(work: np.ndarray, ns: np.ndarray) -> list[float]:
    """Return the non-negative costs with the smallest relative errors.

    The reference costs, scaled to the speed of this machine, count as a weak measurement: if other
    programs disturb the measurement, the costs differ less from them.

    Args:
        work: units of work by configuration and term; float64.
        ns: nanoseconds by configuration; float64.
    """
    reference = np.array(astuple(REFERENCE_COST))
    reference *= np.median(ns / (work @ reference))
    prior = PRIOR_WEIGHT * np.eye(len(reference))
    x = np.vstack([work * reference / ns[:, None], prior])
    y = np.concatenate([np.ones(len(ns)), np.full(len(reference), PRIOR_WEIGHT)])
    return [float(f"{cost:.3g}") for cost in reference * _non_negative_solution(x, y)]


def _non_negative_solution(x: np.ndarray, y: np.ndarray) -> np.ndarray:
    """Return the non-negative ``c`` with the smallest ``|x @ c - y|``: the best of all subsets."""
    best, best_error = np.zeros(x.shape[1]), np.inf
    for size in range(1, x.shape[1] + 1):
        for terms in map(list, combinations(range(x.shape[1]), size)):
            solution = np.linalg.lstsq(x[:, terms], y)[0]
            error = float(((x[:, terms] @ solution - y) ** 2).sum())
            if solution.min() >= 0 and error < best_error:
                best, best_error = np.zeros(x.shape[1]), error
                best[terms] = solution
    return best


def _step_of(config: Config, compute: ComputeConfig) -> Callable[[], None]:
    """Return a function that trains for one step on blank drawings."""
    endless = replace(config.fit, steps_per_epoch=10**9)
    state = FitState(replace(config, start=None), 0, compute)  # weights do not change the time
    drawings = _blank_drawings(config, config.fit.n_characters).to(compute.device)
    losses = LOSSES["episode"](state.net, drawings, endless, generator=state.generator)
    return lambda: train_step(state, next(losses))


def _blank_drawings(config: Config, n_characters: int) -> Drawings:
    """Return two blank drawings of each character of one alphabet."""
    model = config.model
    n, channels = 2 * n_characters, (model.channels,) if model.channels > 1 else ()
    shape = (n, *channels, model.image_size, model.image_size)
    return Drawings(
        name="blank",
        digest="",
        alphabets=("blank",),
        images_NHW=torch.zeros(shape, dtype=torch.uint8),
        alphabet_N=torch.zeros(n, dtype=torch.int64),
        character_N=torch.arange(n_characters).repeat_interleave(2),
        drawer_N=torch.arange(2).repeat(n_characters),
    )


def _seconds(step: Callable[[], None], device: torch.device) -> float:
    """Return the wall time of a step, including queued work of a GPU."""
    if device.type == "cuda":
        torch.cuda.synchronize(device)
    started = time.perf_counter()
    step()
    if device.type == "cuda":
        torch.cuda.synchronize(device)
    return time.perf_counter() - started
