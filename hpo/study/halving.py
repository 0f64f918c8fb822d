"""Successive halving that counts a retried trial once."""

from typing import Any

from optuna.pruners import SuccessiveHalvingPruner
from optuna.study import Study
from optuna.trial import FrozenTrial, TrialState

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
