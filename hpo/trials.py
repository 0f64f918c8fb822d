"""Which trials of a study are the best."""

from optuna.study import Study
from optuna.trial import FrozenTrial, TrialState


def best_trials(study: Study, n: int) -> list[FrozenTrial]:
    """Return the ``n`` complete trials of the highest values, the first of equals first."""
    complete = study.get_trials(deepcopy=False, states=(TrialState.COMPLETE,))
    return sorted(complete, key=lambda trial: -(trial.value or 0.0))[:n]
