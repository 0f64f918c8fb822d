"""The searches of NePS; see ``benchmarks/search_methods.py``."""

import logging
import random
from typing import Any

import neps
import numpy as np
import torch
from neps.optimizers import algorithms
from optuna.distributions import CategoricalDistribution, FloatDistribution
from search_methods_optuna import Fit, Outcome, Training
from surrogate_table import DISTRIBUTIONS, SPACE, START

from hpo.space.space import Point

EPOCHS = "epochs"  # the fidelity


def priorband(training: Training, n_epochs: int, seed: int, *, base: str, lowest: int) -> Outcome:
    """Run PriorBand; a configuration that is promoted continues its fit.

    Args:
        training: makes the fits.
        n_epochs: epochs of all fits together.
        seed: seed of the search and of the noise.
        base: ``"hyperband"`` or ``"asha"``.
        lowest: epochs of the shortest fit.
    """
    logging.getLogger("neps").setLevel(logging.ERROR)
    for set_seed in (torch.manual_seed, np.random.seed, random.seed):
        set_seed(seed)  # NePS draws from the global generators
    rng, longest = np.random.default_rng([seed, 1]), training.epochs[-1]
    optimizer: Any = algorithms.priorband(
        neps_space(lowest, longest), base=base, sample_prior_first="highest_fidelity"
    )
    search = neps.AskAndTell(optimizer)
    fits: dict[str, tuple[Fit, int]] = {}  # fit and trained epochs by configuration
    spent, complete = 0, [(0.0, START)]
    while spent < n_epochs:
        trial = search.ask()
        name, epochs = trial.metadata.id.split("_")[0], int(trial.config[EPOCHS])
        point = to_point(trial.config)
        fit, trained = fits.get(name) or (training.start_fit(point, rng), 0)
        fits[name] = fit, max(epochs, trained)
        spent += max(0, epochs - trained)
        accuracy = fit(epochs)
        search.tell(trial, 1 - accuracy)
        if epochs == longest:
            complete.append((accuracy, point))
    _, best = max(complete, key=lambda each: each[0])
    gain = training.accuracy(best) - training.accuracy(START)
    return Outcome(gain, len(fits), len(complete) - 1)


def neps_space(lowest: int, longest: int) -> neps.SearchSpace:
    """Return the space of the benchmark with the priors of its defaults.

    A parameter with a step is the number of its steps; a choice is its text.
    """
    elements: dict[str, Any] = {EPOCHS: neps.HPOInteger(lowest, longest, is_fidelity=True)}
    for name, parameter in SPACE.searched.items():
        d: Any = DISTRIBUTIONS[name]
        confidence: Any = {"prior_confidence": parameter.confidence or "low"}
        if isinstance(d, CategoricalDistribution):
            choices: Any = [str(choice) for choice in d.choices]
            elements[name] = neps.HPOCategorical(choices, prior=str(START[name]), **confidence)
        elif isinstance(d, FloatDistribution):
            prior = float(START[name])
            elements[name] = neps.HPOFloat(d.low, d.high, log=d.log, prior=prior, **confidence)
        else:
            n_steps, prior = (d.high - d.low) // d.step, (START[name] - d.low) // d.step
            elements[name] = neps.HPOInteger(0, n_steps, prior=prior, **confidence)
    return neps.SearchSpace(elements)


def to_point(config: Any) -> Point:
    """Return a configuration of NePS as a point of the space."""
    point: Point = {}
    for name, distribution in DISTRIBUTIONS.items():
        d: Any = distribution
        if isinstance(d, CategoricalDistribution):
            point[name] = next(choice for choice in d.choices if str(choice) == config[name])
        elif isinstance(d, FloatDistribution):
            point[name] = float(config[name])
        else:
            point[name] = d.low + int(config[name]) * d.step
    return point
