"""Samplers and pruners by name, seeded so that a resumed study goes on as if uninterrupted."""

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
from optuna.distributions import BaseDistribution
from optuna.pruners import BasePruner, HyperbandPruner, MedianPruner, NopPruner
from optuna.samplers import BaseSampler, GPSampler, RandomSampler, TPESampler
from optuna.study import Study
from optuna.trial import FrozenTrial, TrialState

from hpo.study.trials import best_trials, position_in_study

N_STARTUP_TRIALS = 10

CHANGED_SHARE = 0.25  # of the parameters of a local trial

N_BEST = 3  # a local trial is a neighbour of one of so many


class PerTrialSampler(BaseSampler):
    """Gives every trial a fresh sampler whose seed follows from the trial's place in the study.

    A sampler seeded once starts over on resume and repeats its first trials, and several workers
    with one seed suggest the same; this one does neither. A trial that is put back after a crash
    keeps its place, so that those after it are sampled as if nothing had happened. One live trial
    per instance.

    The study's first trials are the anchors. A trial after them, if it is local, keeps most values
    of a good one and takes the others from the sampler: of an anchor, with random values for the
    others, until the start-up is over; then of one of the best trials so far, with the values that
    the model of all trials proposes. In a space of many dimensions a network whose parameters are
    all new hardly learns.

    Args:
        factory: makes a sampler from a seed.
        seed: of the study.
        space: distributions of the anchors' parameters.
        anchors: parameters of the study's first trials, which are not sampled.
        n_startup_trials: anchors and their neighbours; 0 if no trial is local.

    Source: the perturbation of some coordinates of Regis and Shoemaker 2013 (DYCORS).
    """

    def __init__(
        self,
        factory: Callable[[int], BaseSampler],
        seed: int,
        space: dict[str, BaseDistribution],
        anchors: list[dict[str, float | int]],
        n_startup_trials: int = 0,
    ) -> None:
        """Keep the factory; until the first trial a stand-in answers."""
        self._factory, self._seed = factory, seed
        self._space, self._anchors = space, anchors
        self._n_startup_trials = n_startup_trials
        self._inner = factory(seed)
        self._kept: dict[str, Any] = {}

    def reseed_rng(self) -> None:
        """Do nothing: the seed is the trial's."""

    def before_trial(self, study: Study, trial: FrozenTrial) -> None:
        """Make the trial's sampler."""
        which = position_in_study(study.get_trials(deepcopy=False), trial.number)
        sequence = np.random.SeedSequence([self._seed, which])
        seed = int(sequence.generate_state(1)[0])
        self._kept = self._keep(study, which, np.random.default_rng(seed))
        starting = which < self._n_startup_trials and self._anchors
        self._inner = RandomSampler(seed) if starting else self._factory(seed)
        self._inner.before_trial(study, trial)

    def _keep(self, study: Study, which: int, chance: np.random.Generator) -> dict[str, Any]:
        """Return the values that a trial does not take from its sampler."""
        if which < len(self._anchors):
            return dict(self._anchors[which])
        if not self._anchors or not self._n_startup_trials:
            return {}
        good: dict[str, Any] = self._anchors[which % len(self._anchors)]
        best = best_trials(study, N_BEST)
        if which >= self._n_startup_trials and best:
            good = best[chance.integers(len(best))].params
        kept = {name: value for name, value in good.items() if chance.random() >= CHANGED_SHARE}
        if kept == good:  # a trial that changed nothing would be that trial again
            kept.pop(chance.choice(sorted(kept)))
        return kept

    def infer_relative_search_space(
        self, study: Study, trial: FrozenTrial
    ) -> dict[str, BaseDistribution]:
        """Return the whole space, for every value of it may be kept."""
        return self._space or self._inner.infer_relative_search_space(study, trial)

    def sample_relative(
        self, study: Study, trial: FrozenTrial, search_space: dict[str, BaseDistribution]
    ) -> dict[str, Any]:
        """Ask the trial's sampler; what is kept goes first."""
        if self._kept.keys() >= search_space.keys() > set():
            return self._kept
        known = self._inner.infer_relative_search_space(study, trial)
        return self._inner.sample_relative(study, trial, known) | self._kept

    def sample_independent(
        self,
        study: Study,
        trial: FrozenTrial,
        param_name: str,
        param_distribution: BaseDistribution,
    ) -> Any:
        """Ask the trial's sampler."""
        return self._inner.sample_independent(study, trial, param_name, param_distribution)

    def after_trial(
        self,
        study: Study,
        trial: FrozenTrial,
        state: TrialState,
        values: Sequence[float] | None,
    ) -> None:
        """Tell the trial's sampler."""
        self._inner.after_trial(study, trial, state, values)


SAMPLERS: dict[str, type[TPESampler] | type[GPSampler] | type[RandomSampler]] = {
    "tpe": TPESampler,
    "gp": GPSampler,
    "random": RandomSampler,
}


def sampler_arguments(name: str) -> dict[str, Any]:
    """Return the arguments of a sampler beside its seed."""
    startup = {"n_startup_trials": N_STARTUP_TRIALS}
    tpe = {**startup, "multivariate": True, "constant_liar": True}
    return {"name": name, **{"tpe": tpe, "gp": startup, "random": {}}[name]}


def local_arguments(name: str) -> dict[str, Any]:
    """Return how a study's trials are local; those of random search are not."""
    if name == "random":
        return {}
    return {
        "n_startup_trials": N_STARTUP_TRIALS,
        "changed_share": CHANGED_SHARE,
        "n_best": N_BEST,
    }


def make_sampler(
    name: str,
    seed: int,
    space: dict[str, BaseDistribution] | None = None,
    anchors: list[dict[str, float | int]] | None = None,
) -> BaseSampler:
    """Return ``"tpe"``, ``"gp"`` or ``"random"``, seeded as :class:`PerTrialSampler` has it."""
    arguments = sampler_arguments(name)
    made = SAMPLERS[arguments.pop("name")]
    return PerTrialSampler(
        lambda s: made(seed=s, **arguments),
        seed,
        space or {},
        anchors or [],
        local_arguments(name).get("n_startup_trials", 0),
    )


def pruner_arguments(name: str, max_epochs: int) -> dict[str, Any]:
    """Return the arguments of a pruner of curves of ``max_epochs`` steps, counted from 1."""
    median = {"n_startup_trials": 5, "n_warmup_steps": max(1, max_epochs // 4), "n_min_trials": 3}
    hyperband = {"min_resource": 1, "max_resource": max_epochs, "reduction_factor": 3}
    return {"name": name, **{"median": median, "hyperband": hyperband, "none": {}}[name]}


def make_pruner(name: str, max_epochs: int) -> BasePruner:
    """Return the named pruner: ``"median"``, ``"hyperband"`` or ``"none"``."""
    arguments = pruner_arguments(name, max_epochs)
    return PRUNERS[arguments.pop("name")](**arguments)


PRUNERS: dict[str, type[BasePruner]] = {
    "median": MedianPruner,
    "hyperband": HyperbandPruner,
    "none": NopPruner,
}
