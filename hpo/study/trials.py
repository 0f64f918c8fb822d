"""Which trials of a study are the best."""

from typing import Any

from optuna.study import Study
from optuna.trial import FrozenTrial, TrialState

from model.schema import upgrade

STATES = ("complete", "pruned", "diverged", "interrupted", "failed", "running", "waiting")


def trial_attributes(trial: FrozenTrial) -> dict[str, Any]:
    """Return the user attributes of a trial under today's names."""
    return upgrade("trial", trial.user_attrs)


def state_of(trial: FrozenTrial, again: dict[int, int]) -> str:
    """Return one of :data:`STATES`; a fit that diverged is complete, at chance level."""
    if trial.state == TrialState.FAIL and trial.number in again:
        return "interrupted"
    if trial.state == TrialState.COMPLETE and trial_attributes(trial).get("diverged"):
        return "diverged"
    return {"FAIL": "failed"}.get(trial.state.name, trial.state.name.lower())


RETRY_OF, CRASHED = "retry_of", "died_before"


def retry_numbers(study: Study) -> dict[int, int]:
    """Return the numbers of interrupted trials that were put back, with their retries' numbers."""
    trials = study.get_trials(deepcopy=False)
    return {t.user_attrs[RETRY_OF]: t.number for t in trials if RETRY_OF in t.user_attrs}


def original_number(trials: list[FrozenTrial], number: int) -> int:
    """Return the number under which a trial's parameters were first tried."""
    earlier = trials[number].user_attrs.get(RETRY_OF)
    return number if earlier is None else original_number(trials, earlier)


def position_in_study(trials: list[FrozenTrial], number: int) -> int:
    """Return which of a study's trials this is, an interrupted one and its retries counted once."""
    first = original_number(trials, number)
    return first - sum(RETRY_OF in trial.user_attrs for trial in trials[:first])


def count_crashes(trials: list[FrozenTrial], number: int) -> int:
    """Return how often a process had died of a trial's parameters before it."""
    attributes = trials[number].user_attrs
    if RETRY_OF not in attributes:
        return 0
    return int(attributes.get(CRASHED, 1)) + count_crashes(trials, attributes[RETRY_OF])


def best_trials(study: Study, n: int) -> list[FrozenTrial]:
    """Return the ``n`` complete trials of the highest values, the first of equals first."""
    complete = study.get_trials(deepcopy=False, states=(TrialState.COMPLETE,))
    return sorted(complete, key=lambda trial: -(trial.value or 0.0))[:n]
