"""The trials of a study: their states and summaries, the best ones, and retries."""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from statistics import fmean
from typing import Any

from optuna.study import Study
from optuna.trial import FrozenTrial, TrialState

from model.schema import upgrade

STATES = ("complete", "pruned", "diverged", "interrupted", "failed", "running", "waiting")
REASONS = {
    "complete": "All epochs were trained.",
    "pruned": "The pruner stopped it: it was worse than earlier trials at the same epoch.",
    "diverged": "The fit did not learn ({why}); its value is chance level.",
    "interrupted": "Its process ended; the trial was queued again.",
    "failed": "It failed and is not retried; run_study.py printed the error.",
    "running": "",
    "waiting": "",
}
NOT_STARTED = "It was not needed: all fits of the finalists were already assigned."

# User attributes of a trial.
RETRY_OF = "retry_of"  # number of the interrupted trial that it continues
STEPS = "steps_per_epoch"  # of a network of the user's own, whose cost the trial has measured
CRASHED = "died_before"  # 1 if the process of that trial crashed, 0 if it was asked to stop
# User attribute of a study, from hpo.search.choice.record_winner.
FINALISTS = "finalists"


@dataclass(frozen=True)
class TrialCost:
    """The cost of the fit of a trial.

    Args:
        seconds: wall time of training and validation.
        n_images: number of drawings embedded in training.
        n_parameters: number of weights and biases of the network.
        flops_per_image: number of floating-point operations of one embedding.
        device: type and precision, for example ``"cpu bfloat16"``.
    """

    seconds: float
    n_images: int
    n_parameters: int
    flops_per_image: float
    device: str


@dataclass(frozen=True)
class TrialSummary:
    """One trial, as the terminal, the dashboard and the report show it.

    Args:
        number: number of the trial.
        state: one of :data:`STATES`.
        value: validation accuracy of the best epoch, in [0, 1]; of a pruned trial, the accuracy of
            the last reported epoch. None if nothing was reported.
        finalist_values: accuracies of its fits as a finalist, with other seeds and episodes.
        cost: None until the fit has ended.
        reason: why the trial ended, as a sentence; empty before that.
        accuracies: validation accuracy by epoch, from 1.
        params: value by parameter name.
        start: when it was started, or None.
        end: when it ended, or None.
        retry_of: number of the interrupted trial that it continues, or None.
        retried_as: number of the trial that continues it, or None.
    """

    number: int
    state: str
    value: float | None
    finalist_values: tuple[float, ...]
    cost: TrialCost | None
    reason: str
    accuracies: dict[int, float]
    params: dict[str, Any]
    start: datetime | None
    end: datetime | None
    retry_of: int | None
    retried_as: int | None

    @property
    def finalist_value(self) -> float | None:
        """Mean of :attr:`finalist_values`; None if the trial was not a finalist."""
        return fmean(self.finalist_values) if self.finalist_values else None

    @property
    def choosing_value(self) -> float | None:
        """Mean of the fits that choose the winner: the one of the search and those as a finalist.

        None if the trial was not a finalist.
        """
        if not self.finalist_values:
            return None
        return fmean([*self.finalist_values, self.value or 0.0])


def summarize_trials(study: Study) -> list[TrialSummary]:
    """Return the summary of every trial of a study, by number."""
    retries, finalists = retry_numbers(study), finalist_accuracies(study)
    return [
        summarize_trial(trial, retries, finalists.get(trial.number, ()))
        for trial in study.get_trials(deepcopy=False)
    ]


def summarize_trial(
    trial: FrozenTrial, retries: dict[int, int], finalist_values: Sequence[float] = ()
) -> TrialSummary:
    """Return the summary of a trial.

    Args:
        trial: trial of any state.
        retries: number of the retry by number of the retried trial, from :func:`retry_numbers`.
        finalist_values: accuracies of the trial as a finalist, from :func:`finalist_accuracies`.
    """
    attributes = trial_attributes(trial)
    accuracies = dict(sorted(trial.intermediate_values.items()))
    state = state_of(trial, retries)
    value = accuracy_of(trial)
    if state == "pruned" and value is None and accuracies:
        value = list(accuracies.values())[-1]
    reason = REASONS[state].format(why=attributes.get("diverged"))
    return TrialSummary(
        number=trial.number,
        state=state,
        value=value,
        finalist_values=tuple(finalist_values),
        cost=_cost(attributes),
        reason=NOT_STARTED if state == "pruned" and not accuracies else reason,
        accuracies=accuracies,
        params=trial.params,
        start=trial.datetime_start,
        end=trial.datetime_complete,
        retry_of=attributes.get(RETRY_OF),
        retried_as=retries.get(trial.number),
    )


def _cost(attributes: dict[str, Any]) -> TrialCost | None:
    """Return the cost that a fit recorded; the device is the last attribute that it writes."""
    if "device" not in attributes:
        return None
    names = ("seconds", "n_images", "n_parameters", "flops_per_image", "device")
    return TrialCost(**{name: attributes[name] for name in names})


def trial_attributes(trial: FrozenTrial) -> dict[str, Any]:
    """Return the user attributes of a trial under their current names."""
    return upgrade("trial", trial.user_attrs)


def state_of(trial: FrozenTrial, retries: dict[int, int]) -> str:
    """Return one of :data:`STATES`; ``"diverged"`` is a complete trial whose fit diverged."""
    if trial.state == TrialState.FAIL:
        return "interrupted" if trial.number in retries else "failed"
    if trial.state == TrialState.COMPLETE and trial_attributes(trial).get("diverged"):
        return "diverged"
    return trial.state.name.lower()


def accuracy_of(trial: FrozenTrial) -> float | None:
    """Return the accuracy of a trial of one or two goals; None if it has no value."""
    return trial.values[0] if trial.values else None


def has_learnt(trial: FrozenTrial) -> bool:
    """Return whether a complete trial has not diverged."""
    return not trial_attributes(trial).get("diverged")


def best_trials(study: Study, n: int) -> list[FrozenTrial]:
    """Return the ``n`` most accurate complete trials; if equal, the earlier one first.

    A trial that diverged is among them only if all of them diverged.
    """
    complete = study.get_trials(deepcopy=False, states=(TrialState.COMPLETE,))
    learnt = [trial for trial in complete if has_learnt(trial)]
    return sorted(learnt or complete, key=lambda trial: -(accuracy_of(trial) or 0.0))[:n]


def default_trial(study: Study) -> FrozenTrial | None:
    """Return the first trial of a study, that of the default, or its retry; None until complete."""
    trials = study.get_trials(deepcopy=False)
    complete = (t for t in trials if t.state == TrialState.COMPLETE)
    return next((t for t in complete if position_in_study(trials, t.number) == 0), None)


def finalist_accuracies(study: Study) -> dict[int, list[float]]:
    """Return the accuracies of the finalists' fits by trial number; empty without finalists."""
    stored = study.user_attrs.get(FINALISTS, {"accuracies": {}})["accuracies"]
    return {int(number): accuracies for number, accuracies in stored.items()}


def count_diverged_finalists(study: Study) -> Counter[int]:
    """Return how many fits of each finalist diverged; their accuracies are chance level."""
    return Counter(study.user_attrs.get(FINALISTS, {}).get("diverged", []))


def retry_numbers(study: Study) -> dict[int, int]:
    """Return a mapping from the number of each interrupted trial to the number of its retry."""
    trials = study.get_trials(deepcopy=False)
    return {t.user_attrs[RETRY_OF]: t.number for t in trials if RETRY_OF in t.user_attrs}


def original_number(trials: Sequence[FrozenTrial], number: int) -> int:
    """Return the number of the original trial of a retry; otherwise ``number`` itself."""
    earlier = trials[number].user_attrs.get(RETRY_OF)
    return number if earlier is None else original_number(trials, earlier)


def position_in_study(trials: Sequence[FrozenTrial], number: int) -> int:
    """Return the position of a trial in its study, from 0; a retry has its original's."""
    first = original_number(trials, number)
    return first - sum(RETRY_OF in trial.user_attrs for trial in trials[:first])


def count_crashes(trials: Sequence[FrozenTrial], number: int) -> int:
    """Return how many earlier attempts of a trial ended with a crash."""
    attributes = trials[number].user_attrs
    if RETRY_OF not in attributes:
        return 0
    return int(attributes.get(CRASHED, 1)) + count_crashes(trials, attributes[RETRY_OF])
