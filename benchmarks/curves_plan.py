"""The configurations and the fits of ``benchmarks/curves.py``."""

import math
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
from optuna.distributions import BaseDistribution, CategoricalDistribution, FloatDistribution

from hpo.space.distributions import sample_near, search_space
from hpo.space.files import built_in_space
from hpo.space.space import Point

LENGTH = 36  # epochs of a fit of the sample
FIT = (LENGTH, "cosine")  # epochs and schedule of a fit of every configuration
# Further fits of the first configurations. The first 27 epochs of a trapezoid are those of a
# constant schedule.
SCHEDULES = ((LENGTH, "trapezoid"), (4, "cosine"), (12, "cosine"))
N_SCHEDULED = 4  # configurations that are fitted under all schedules
# Epochs at which alphabets are told apart.
RUNGS = (1, 2, 3, 4, 6, 8, 10, 12, 16, 20, 24, 27, 32, 36)
N_CONFIGURATIONS = 60
N_FIRST = 20  # configurations that are fitted before other schedules and seeds
REPEATED = (0, 6, 11)  # configurations that are fitted with further seeds: good and similar ones
CHANGED_SHARE = 0.25  # share of the parameters in which a neighbour differs from a start
# The first twenty configurations hardly ever had another choice, and mostly no penalty. Later ones
# change these parameters and the learning rate more often, and all others less often.
LATER_SHARE, KEY_SHARE = 0.08, 0.4
KEY_PARAMETERS = ("lr", "l2", "fit.n_drawings", "fit.mirrors", "model.conv_norm", "model.head_norm")
RATE_SPREAD = 0.15  # standard deviation of the rate of later neighbours, as a share of its range
PENALTIES = FloatDistribution(3e-5, 1e-3, log=True)  # of later neighbours
SEED = 2015
# Candidates for the default, as changes of the former one; their numbers follow on the others'.
_BATCH: Point = {"model.conv_norm": "batch", "lr": 0.1, "l2": 2e-4}
_LARGE: Point = {"fit.n_characters": 48, "fit.n_drawings": 3, "fit.mirrors": True, "l2": 2.4e-4}
CANDIDATES: tuple[Point, ...] = (
    {"lr": 0.05, "l2": 1.5e-4},
    {"lr": 0.05, "l2": 1.5e-4, "fit.warmup_epochs": 1},
    {"l2": 1.5e-4},
    _BATCH,
    {"l2": 2e-4, "model.head_norm": "unit"},
    _LARGE | {"fit.warmup_epochs": 1},
    _BATCH | _LARGE,
    {"l2": 3e-4},
    _BATCH | {"model.head_norm": "unit", "fit.n_drawings": 3},
    _BATCH | {"lr": 0.2},
    _BATCH | {"l2": 5e-4},
    _BATCH | {"model.head_norm": "unit"},
)
REPEATED_CANDIDATES = (0, 3)  # positions of the candidates that are fitted with another seed
DEFAULT = 3  # position of the chosen candidate
LENGTHS = (12, 18, 24, 27, 54, 81)  # its other lengths
# The default and its spreads when the table was begun; the present ones were chosen from the table.
FORMER_DEFAULT: Point = {"lr": 0.03, "l2": 1e-6, "model.conv_norm": "none"}
FORMER_SPREADS = {"l2": 0.5}
# Where configurations come from, by turns: neighbours of the default of the space "standard", or
# random points of a space.
KINDS = (*["neighbour"] * 3, "standard", "recipe", *["neighbour"] * 3, "standard", "paper")
LATER_KINDS = (*["neighbour"] * 4, "standard", *["neighbour"] * 4, "recipe")
LATER_KINDS += (*LATER_KINDS[:-1], "paper")


@dataclass(frozen=True)
class Plan:
    """One fit of the table.

    Args:
        kind: where the point comes from.
        number: number of the configuration.
        space: space of the point.
        point: values of all searched parameters of the space.
        seed: seed of the fit.
        epochs: length of the fit.
        schedule: schedule of the learning rate.
    """

    kind: str
    number: int
    space: str
    point: Point
    seed: int
    epochs: int
    schedule: str

    @property
    def key(self) -> tuple[int, int, int, str]:
        """What identifies the fit."""
        return self.number, self.seed, self.epochs, self.schedule


def configurations(n: int, image_size: int) -> Iterator[tuple[str, str, Point]]:
    """Yield kind, space and point of starts, neighbours of the default, and random points.

    Args:
        n: number of configurations; the first ones do not depend on it.
        image_size: height and width of the images in pixels.
    """
    default = centre(image_size)
    yield "start", "standard", default
    yield "start", "standard", default | {"width": 1.0}
    for number in range(2, n):
        rng = np.random.default_rng([SEED, number])
        kinds = KINDS if number < N_FIRST else LATER_KINDS
        kind = kinds[number % len(kinds)]
        name = "standard" if kind == "neighbour" else kind
        distributions = search_space(built_in_space(name), image_size)
        point = {p: sample_uniform(distribution, rng) for p, distribution in distributions.items()}
        if kind == "neighbour":
            point = neighbour(rng, image_size, is_first=number < N_FIRST)
        yield kind, name, point
    for changes in CANDIDATES:
        yield "candidate", "standard", default | changes


def centre(image_size: int) -> Point:
    """Return the point around which configurations lie.

    Args:
        image_size: height and width of the images in pixels.
    """
    return built_in_space("standard").starting_points(image_size)[0] | FORMER_DEFAULT


def neighbour(rng: np.random.Generator, image_size: int, *, is_first: bool) -> Point:
    """Return a random neighbour of the centre.

    Args:
        rng: source of random numbers.
        image_size: height and width of the images in pixels.
        is_first: whether it is one of the first :data:`N_FIRST` configurations.
    """
    space, point = built_in_space("standard"), centre(image_size)
    spreads = space.spreads | FORMER_SPREADS
    for name, distribution in search_space(space, image_size).items():
        share, is_key = (CHANGED_SHARE if is_first else LATER_SHARE), name in KEY_PARAMETERS
        if not is_first and is_key:
            share = KEY_SHARE
        if rng.random() >= share:
            continue
        if is_first or not is_key:
            point[name] = sample_near(distribution, point[name], spreads[name], rng)
        elif name == "l2":
            point[name] = sample_uniform(PENALTIES, rng)
        else:  # a choice is always another one
            spread = RATE_SPREAD if name == "lr" else 1.0
            point[name] = sample_near(distribution, point[name], spread, rng)
    return point


def plans(n: int, n_seeds: int, image_size: int) -> Iterator[Plan]:
    """Yield all fits in an order in which a part of them is useful."""
    points = list(configurations(n, image_size))

    def plan(number: int, seed: int, epochs: int, schedule: str) -> Plan:
        kind, space, point = points[number]
        return Plan(kind, number, space, point, seed, epochs, schedule)

    for epochs in LENGTHS:
        yield from (plan(n + DEFAULT, seed, epochs, "cosine") for seed in range(2))
    yield from (plan(number, 0, *FIT) for number in range(n, len(points)))
    yield from (plan(n + i, 1, *FIT) for i in REPEATED_CANDIDATES)
    first = min(n, N_FIRST)
    yield from (plan(number, 0, *FIT) for number in range(first))
    for seed in range(1, n_seeds):
        yield from (plan(number, seed, *FIT) for number in REPEATED if number < n)
    yield from (plan(number, 0, *FIT) for number in range(first, n))
    for number in range(min(n, N_SCHEDULED)):
        yield from (plan(number, 0, *schedule) for schedule in SCHEDULES)


def sample_uniform(distribution: BaseDistribution, rng: np.random.Generator) -> Any:
    """Return a random value of a distribution, on its scale."""
    d: Any = distribution
    if isinstance(distribution, CategoricalDistribution):
        return d.choices[rng.integers(len(d.choices))]
    scale, unscale = (math.log, math.exp) if d.log else (float, float)
    value = unscale(rng.uniform(scale(d.low), scale(d.high)))
    if d.step is None:
        return min(max(value, d.low), d.high)
    return min(d.low + round((value - d.low) / d.step) * d.step, d.high)
