"""Searches by samplers and pruners of Optuna, that of this program among them."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any, Protocol

import numpy as np
import optuna
from optuna.pruners import (
    BasePruner,
    HyperbandPruner,
    MedianPruner,
    NopPruner,
    SuccessiveHalvingPruner,
)
from optuna.samplers import BaseSampler, GPSampler, RandomSampler, TPESampler
from optuna.trial import TrialState
from surrogate_table import DISTRIBUTIONS, SPACE, START, STARTS

from hpo.space.distributions import suggest_point
from hpo.space.space import Point
from hpo.study.plan import halving_rungs, make_pruner
from hpo.study.sampler import make_sampler

Fit = Callable[[int], float]  # returns the accuracy after an epoch; epochs ascend


class Training(Protocol):
    """What a search optimises: real fits, or a surrogate of them."""

    @property
    def epochs(self) -> Sequence[int]:
        """Epochs after which a search sees the accuracy, ascending."""

    def start_fit(self, point: Point, rng: np.random.Generator) -> Fit:
        """Return a fit of a configuration, whose seed or noise is drawn from ``rng``."""

    def accuracy(self, point: Point) -> float:
        """Return the accuracy by which a chosen configuration is judged, after the longest fit."""


@dataclass(frozen=True)
class Outcome:
    """How a search ended.

    Args:
        gain: accuracy of the chosen configuration minus that of the default.
        n_trials: number of configurations.
        n_full: number of configurations that were fitted to the end.
    """

    gain: float
    n_trials: int
    n_full: int


@dataclass(frozen=True)
class Finalists:
    """The choice among the best trials by further fits.

    Args:
        n: maximum number of finalists, the default among them; 0 chooses the best trial.
        n_fits: number of further fits of each.
        pooled: whether the fit of the search counts, too.
    """

    n: int = 0
    n_fits: int = 0
    pooled: bool = False


Search = Callable[[Training, int, int], Outcome]


def optuna_search(
    training: Training,
    n_epochs: int,
    seed: int,
    *,
    sampler: Callable[[int], BaseSampler],
    pruner: Callable[[], BasePruner],
    finalists: Finalists = Finalists(),
    keeps_default: bool = False,
) -> Outcome:
    """Run a study of a sampler and a pruner.

    Args:
        training: makes the fits.
        n_epochs: epochs of all fits together.
        seed: seed of the search and of the noise.
        sampler: returns the sampler for a seed.
        pruner: returns the pruner.
        finalists: how the winner is chosen.
        keeps_default: whether the default is never pruned.
    """
    rng = np.random.default_rng([seed, 1])
    study = optuna.create_study(
        study_name=f"seed {seed}",  # from which Hyperband draws the brackets
        direction="maximize",
        sampler=sampler(seed),
        pruner=pruner(),
    )
    study.enqueue_trial(START)
    longest = training.epochs[-1]
    spent, reserved = 0, finalists.n * finalists.n_fits * longest
    complete: list[tuple[float, int, Point]] = []
    while spent + reserved < n_epochs:
        trial = study.ask()
        point = suggest_point(trial, DISTRIBUTIONS)
        fit, is_kept = training.start_fit(point, rng), keeps_default and trial.number == 0
        is_pruned, epoch, accuracy = False, 0, 0.0
        for epoch in training.epochs:
            accuracy = fit(epoch)
            trial.report(accuracy, epoch)
            is_behind = epoch < longest and trial.should_prune()
            if is_pruned := is_behind and not is_kept:
                break
        spent += epoch
        if is_pruned:
            study.tell(trial, state=TrialState.PRUNED)
        else:
            study.tell(trial, accuracy)
            complete.append((accuracy, trial.number, point))
    point = choose(complete, finalists, training, rng)
    gain = training.accuracy(point) - training.accuracy(START)
    return Outcome(gain, len(study.trials), len(complete))


def choose(
    complete: list[tuple[float, int, Point]],
    finalists: Finalists,
    training: Training,
    rng: np.random.Generator,
) -> Point:
    """Return the winner: the best trial, or the finalist with the best mean of further fits.

    The finalists are the best trials that are better than the default, and the default.
    """
    ranked = sorted(complete, key=lambda trial: -trial[0])
    if not finalists.n or ranked[0][1] == 0:
        return ranked[0][2]
    default = next(trial for trial in ranked if trial[1] == 0)
    chosen = [*ranked[: ranked.index(default)][: finalists.n - 1], default]
    means = []
    for value, _, point in chosen:
        longest = training.epochs[-1]
        fits = [training.start_fit(point, rng)(longest) for _ in range(finalists.n_fits)]
        means.append(np.mean([*fits, value] if finalists.pooled else fits))
    return chosen[int(np.argmax(means))][2]


def ours(seed: int, *, n_starts: int | None = None) -> BaseSampler:
    """Return the sampler of this program.

    Args:
        seed: seed of the search.
        n_starts: number of starting points; None for all of the space.
    """
    return make_sampler("tpe", seed, DISTRIBUTIONS, STARTS[:n_starts], SPACE.spreads)


def seeded(sampler: type[Any], seed: int) -> BaseSampler:
    """Return a sampler of Optuna with its default arguments."""
    made: BaseSampler = sampler(seed=seed)
    return made


def searches(longest: int) -> Iterator[tuple[str, Search]]:
    """Yield the searches by name, that of this program first.

    Args:
        longest: epochs of the longest fit.
    """
    lowest = halving_rungs(longest)[0]
    halving = partial(SuccessiveHalvingPruner, min_resource=lowest, reduction_factor=3)
    hyperband = partial(
        HyperbandPruner, min_resource=lowest, max_resource=longest, reduction_factor=3
    )
    own = partial(
        optuna_search,
        pruner=partial(make_pruner, "halving", longest),
        finalists=Finalists(2, 1, pooled=True),
        keeps_default=True,
    )
    yield "ours", partial(own, sampler=ours)
    yield "ours, from the default alone", partial(own, sampler=partial(ours, n_starts=1))
    peers: dict[str, tuple[Any, Any]] = {
        "random search": (RandomSampler, NopPruner),
        "random + ASHA": (RandomSampler, halving),
        "TPE + MedianPruner": (TPESampler, MedianPruner),
        "TPE + Hyperband": (TPESampler, hyperband),
        "GPSampler": (GPSampler, NopPruner),
    }
    for name, (sampler, pruner) in peers.items():
        yield (
            name,
            partial(
                optuna_search,
                sampler=partial(seeded, sampler),
                pruner=pruner,
            ),
        )
