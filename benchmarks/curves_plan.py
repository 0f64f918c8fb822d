"""The configurations and the fits of ``benchmarks/curves.py``."""

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from hpo.space.distributions import sample_near, sample_uniform, search_space
from hpo.space.files import built_in_space
from hpo.space.space import Point

LENGTH = 36  # epochs of a refit of the default study
FIT = (LENGTH, "cosine")  # epochs and schedule of a fit of every configuration
# Further fits of the first configurations. The first 27 epochs of a trapezoid are those of a
# constant schedule.
SCHEDULES = ((LENGTH, "trapezoid"), (4, "cosine"), (12, "cosine"))
N_SCHEDULED = 6  # configurations that are fitted under all schedules
# Epochs at which alphabets are told apart.
RUNGS = (1, 2, 3, 4, 6, 8, 10, 12, 16, 20, 24, 27, 32, 36)
N_CONFIGURATIONS = 60
N_FIRST = 20  # configurations that are fitted before other schedules and seeds
N_REPEATED = 4  # configurations that are fitted with further seeds
CHANGED_SHARE = 0.25  # share of the parameters in which a neighbour differs from a start
SEED = 2015
# Where configurations come from, by turns: neighbours of the default of the space "standard", or
# random points of a space.
KINDS = (*["neighbour"] * 3, "standard", "recipe", *["neighbour"] * 3, "standard", "paper")


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
    standard = built_in_space("standard")
    default = standard.starting_points(image_size)[0]
    yield "start", "standard", default
    yield "start", "standard", default | {"width": 1.0}
    for number in range(2, n):
        rng = np.random.default_rng([SEED, number])
        kind = KINDS[number % len(KINDS)]
        name = "standard" if kind == "neighbour" else kind
        distributions = search_space(built_in_space(name), image_size)
        point = {p: sample_uniform(distribution, rng) for p, distribution in distributions.items()}
        if kind == "neighbour":
            point = {
                p: sample_near(distribution, default[p], standard.spreads[p], rng)
                if rng.random() < CHANGED_SHARE
                else default[p]
                for p, distribution in distributions.items()
            }
        yield kind, name, point


def plans(n: int, n_seeds: int, image_size: int) -> Iterator[Plan]:
    """Yield all fits in an order in which a part of them is useful."""
    points = list(configurations(n, image_size))

    def plan(number: int, seed: int, epochs: int, schedule: str) -> Plan:
        kind, space, point = points[number]
        return Plan(kind, number, space, point, seed, epochs, schedule)

    first = min(n, N_FIRST)
    yield from (plan(number, 0, *FIT) for number in range(first))
    for number in range(min(n, N_SCHEDULED)):
        yield from (plan(number, 0, *schedule) for schedule in SCHEDULES)
    for seed in range(1, n_seeds):
        yield from (plan(number, seed, *FIT) for number in range(min(n, N_REPEATED)))
    yield from (plan(number, 0, *FIT) for number in range(first, n))
