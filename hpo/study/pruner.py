"""Pruners by name."""

from typing import Any

from optuna.pruners import (
    BasePruner,
    HyperbandPruner,
    MedianPruner,
    NopPruner,
    SuccessiveHalvingPruner,
)
from optuna.study import Study
from optuna.trial import FrozenTrial, TrialState

from hpo.study.plan import REDUCTION_FACTOR, halving_rungs
from hpo.study.trials import retry_numbers


class HalvingPruner(SuccessiveHalvingPruner):
    """Optuna's successive halving, without the interrupted trials that were queued again.

    Optuna compares a trial with failed trials, too. An interrupted trial and its retry report the
    same accuracies, so both would count, and a resumed study would prune other trials than an
    uninterrupted one.
    """

    def prune(self, study: Study, trial: FrozenTrial) -> bool:
        """Return whether a trial ends at this step."""
        return super().prune(_WithoutRetried(study), trial)  # type: ignore[arg-type]


class _WithoutRetried:
    """A study whose list of trials leaves out those that were queued again."""

    def __init__(self, study: Study) -> None:
        self._study = study

    def __getattr__(self, name: str) -> Any:
        return getattr(self._study, name)

    def get_trials(
        self, deepcopy: bool = True, states: tuple[TrialState, ...] | None = None
    ) -> list[FrozenTrial]:
        """Return the trials of the study that were not queued again."""
        retried = retry_numbers(self._study)
        trials = self._study.get_trials(deepcopy=deepcopy, states=states)
        return [trial for trial in trials if trial.number not in retried]


PRUNERS: dict[str, type[BasePruner]] = {
    "halving": HalvingPruner,
    "median": MedianPruner,
    "hyperband": HyperbandPruner,
    "none": NopPruner,
}


def make_pruner(name: str, max_epochs: int) -> BasePruner:
    """Return a pruner of trials with up to ``max_epochs`` epochs; ``name``: a key of PRUNERS."""
    arguments = pruner_arguments(name, max_epochs)
    return PRUNERS[arguments.pop("name")](**arguments)


def pruner_arguments(name: str, max_epochs: int) -> dict[str, Any]:
    """Return name and arguments of a pruner; a step is an epoch, counted from 1."""
    median = {"n_startup_trials": 5, "n_warmup_steps": max(1, max_epochs // 4), "n_min_trials": 3}
    halving = {"min_resource": halving_rungs(max_epochs)[0], "reduction_factor": REDUCTION_FACTOR}
    hyperband = {"min_resource": 1, "max_resource": max_epochs, "reduction_factor": 3}
    arguments = {"halving": halving, "median": median, "hyperband": hyperband, "none": {}}
    return {"name": name, **arguments[name]}
