"""Samplers by name; a resumed study is sampled like an uninterrupted one."""

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
from optuna.distributions import BaseDistribution
from optuna.samplers import BaseSampler, GPSampler, RandomSampler, TPESampler
from optuna.study import Study
from optuna.trial import FrozenTrial, TrialState

from hpo.space.distributions import sample_near
from hpo.space.space import Point
from hpo.study.goals import has_one_goal, pareto_front
from hpo.study.optuna_internals import all_trials
from hpo.study.trials import best_trials, position_in_study

N_STARTUP_TRIALS = 10
CHANGED_SHARES = 0.05, 0.5  # lowest and highest share of the parameters that a trial changes
N_BEST = 1  # a local trial changes one of this many best trials
MAX_DRAWS = 50  # of the values of a trial, until no earlier trial has the same ones

SAMPLERS: dict[str, type[TPESampler] | type[GPSampler] | type[RandomSampler]] = {
    "tpe": TPESampler,
    "gp": GPSampler,
    "random": RandomSampler,
}


class PerTrialSampler(BaseSampler):
    """Uses a new sampler for every trial, seeded with the trial's position in the study.

    A sampler that is seeded only once repeats its first suggestions when a study is resumed, and
    several workers with the same seed suggest the same parameters. Seeds by position avoid both. A
    retry has the position of its original trial, so that a crash does not change how later trials
    are sampled. An instance serves one trial at a time.

    The first trials of a study are the starting points. Later trials, if they are *local*, change
    some parameters of the best trial so far (of two goals: one of the Pareto front) and keep the
    others, because a network whose parameters are all new hardly learns in a space of many
    dimensions. Some trials change few parameters and others many (:data:`CHANGED_SHARES`), because
    a good default is improved by small steps and a bad one by large steps. In the start-up phase,
    and as long as the sampler's model knows too few trials, the new values are random: near the old
    value for a parameter with a confidence, from the whole range for others. Then the model
    proposes them.

    Args:
        factory: returns a sampler for a seed.
        seed: seed of the study.
        space: distributions of the parameters of the starting points.
        starting_points: parameters of the first trials, which are not sampled.
        n_startup_trials: number of trials of the start-up phase, starting points included, and of
            those that the model needs; 0 if no trial is local.
        spreads: see :attr:`hpo.space.space.Space.spreads`.
        model_states: states of the trials that the model knows.

    Sources: Regis and Shoemaker 2013 (DYCORS), which also changes a subset of the coordinates;
    Doerr et al. 2017 (Fast Genetic Algorithms), which also varies the size of the subset.
    """

    def __init__(
        self,
        factory: Callable[[int], BaseSampler],
        seed: int,
        space: dict[str, BaseDistribution],
        starting_points: Sequence[Point],
        n_startup_trials: int = 0,
        spreads: dict[str, float] | None = None,
        model_states: Sequence[TrialState] = (TrialState.COMPLETE, TrialState.PRUNED),
    ) -> None:
        """Create the sampler; each trial gets its own sampler in :meth:`before_trial`."""
        self._factory, self._seed = factory, seed
        self._space, self._starting_points = space, starting_points
        self._n_startup_trials = n_startup_trials
        self._spreads, self._model_states = spreads or {}, tuple(model_states)
        self._is_startup = False
        self._trial_sampler, self._rng, self._position = factory(seed), np.random.default_rng(), 0

    def reseed_rng(self) -> None:
        """Do nothing: the position of the trial determines the seed."""

    def before_trial(self, study: Study, trial: FrozenTrial) -> None:
        """Create the sampler of a trial."""
        self._position = position_in_study(all_trials(study), trial.number)
        sequence = np.random.SeedSequence([self._seed, self._position])
        seed = int(sequence.generate_state(1)[0])
        self._rng = np.random.default_rng(seed)
        n_known = len(study.get_trials(deepcopy=False, states=self._model_states))
        n_ready = min(self._position, n_known)  # with several workers, fewer than the position
        self._is_startup = n_ready < self._n_startup_trials and bool(self._starting_points)
        self._trial_sampler = RandomSampler(seed) if self._is_startup else self._factory(seed)
        self._trial_sampler.before_trial(study, trial)

    def _fixed_values(self, study: Study) -> dict[str, Any]:
        """Return the values that a trial does not take from its sampler."""
        if self._position < len(self._starting_points):
            return dict(self._starting_points[self._position])
        if not self._starting_points or not self._n_startup_trials:
            return {}
        rng = self._rng
        best = best_trials(study, N_BEST) if has_one_goal(study) else pareto_front(study)
        centre: dict[str, Any] = dict(self._starting_points[0])
        if best:
            centre |= best[rng.integers(len(best))].params
        share = np.exp(rng.uniform(*np.log(CHANGED_SHARES)))
        fixed = {name: value for name, value in centre.items() if rng.random() >= share}
        if fixed == centre:  # leave at least one parameter to be sampled
            fixed.pop(rng.choice(sorted(fixed)))
        if self._is_startup:
            for name in sorted(self._spreads.keys() - fixed.keys()):
                spread = self._spreads[name]
                fixed[name] = sample_near(self._space[name], centre[name], spread, rng)
        return fixed

    def infer_relative_search_space(
        self, study: Study, trial: FrozenTrial
    ) -> dict[str, BaseDistribution]:
        """Return the whole space, because each of its values may be fixed."""
        return self._space or self._trial_sampler.infer_relative_search_space(study, trial)

    def sample_relative(
        self, study: Study, trial: FrozenTrial, search_space: dict[str, BaseDistribution]
    ) -> dict[str, Any]:
        """Return values that no earlier trial of the study has, if there are any.

        With few choices, a change may lead back to an earlier trial.
        """
        earlier = [t.params for t in study.get_trials(deepcopy=False) if t.number < trial.number]
        for _ in range(MAX_DRAWS):
            values = self._draw(study, trial, search_space)
            if self._position < len(self._starting_points) or values not in earlier:
                break
        return values

    def _draw(
        self, study: Study, trial: FrozenTrial, search_space: dict[str, BaseDistribution]
    ) -> dict[str, Any]:
        """Return the fixed values, and values of the trial's sampler for the other parameters."""
        fixed = self._fixed_values(study)
        if fixed.keys() >= search_space.keys() > set():
            return fixed
        relative = self._trial_sampler.infer_relative_search_space(study, trial)
        values = self._trial_sampler.sample_relative(study, trial, relative) | fixed
        missing = {name: d for name, d in search_space.items() if name not in values}
        for name, distribution in missing.items():
            values[name] = self.sample_independent(study, trial, name, distribution)
        return values

    def sample_independent(
        self,
        study: Study,
        trial: FrozenTrial,
        param_name: str,
        param_distribution: BaseDistribution,
    ) -> Any:
        """Return a value of the trial's sampler."""
        return self._trial_sampler.sample_independent(study, trial, param_name, param_distribution)

    def after_trial(
        self,
        study: Study,
        trial: FrozenTrial,
        state: TrialState,
        values: Sequence[float] | None,
    ) -> None:
        """Pass the result of a trial to its sampler."""
        self._trial_sampler.after_trial(study, trial, state, values)


def make_sampler(
    name: str,
    seed: int,
    space: dict[str, BaseDistribution] | None = None,
    starting_points: Sequence[Point] = (),
    spreads: dict[str, float] | None = None,
) -> PerTrialSampler:
    """Return a sampler that seeds each trial by its position, see :class:`PerTrialSampler`.

    Args:
        name: key of :data:`SAMPLERS`.
        seed: seed of the study.
        space: distributions of the parameters of the starting points.
        starting_points: parameters of the first trials.
        spreads: see :class:`PerTrialSampler`.
    """
    arguments = sampler_arguments(name)
    sampler_class = SAMPLERS[arguments.pop("name")]
    return PerTrialSampler(
        lambda trial_seed: sampler_class(seed=trial_seed, **arguments),
        seed,
        space or {},
        starting_points,
        local_arguments(name).get("n_startup_trials", 0),
        spreads,
        (TrialState.COMPLETE,) if name == "gp" else (TrialState.COMPLETE, TrialState.PRUNED),
    )


def sampler_arguments(name: str) -> dict[str, Any]:
    """Return name and arguments of a sampler, without its seed."""
    startup = {"n_startup_trials": N_STARTUP_TRIALS}
    tpe = {**startup, "multivariate": True, "constant_liar": True}
    return {"name": name, **{"tpe": tpe, "gp": startup, "random": {}}[name]}


def local_arguments(name: str) -> dict[str, Any]:
    """Return how a sampler makes local trials; empty for random search, which has none."""
    if name == "random":
        return {}
    return {
        "n_startup_trials": N_STARTUP_TRIALS,
        "changed_shares": [*CHANGED_SHARES],
        "n_best": N_BEST,
    }
