"""The plan of a study: the pruners and rungs of its trials, and what a time budget allows.

A time budget becomes a number of epochs when it is first given. From then on epochs are counted,
so that an interrupted study ends with the same trials as an uninterrupted one, and a slow hour of
the machine changes nothing. All epochs of a study take about the same time, because a more
expensive network has fewer steps.
"""

import math
from dataclasses import dataclass
from itertools import pairwise
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

from hpo.study.trials import retry_numbers

REDUCTION_FACTOR = 3  # ratio of successive rungs; one of this many trials continues at each
N_LOWER_RUNGS = 3  # maximum number of rungs before the last epoch
MIN_RUNG = 3  # smallest epoch of the first rung: earlier accuracies say little
LENGTHS = (3, 9, 18, *range(27, 730, 27))  # epochs of a fit that a time budget chooses from
# Largest share of a time budget that is kept for the fits of the finalists.
RESERVED_SHARE = 0.5
MIN_FITTED = 3  # two finalists, and the winner once more
EPOCH_SECONDS = "epoch_seconds"  # user attribute of a study: how long an epoch took at its start


@dataclass(frozen=True)
class Plan:
    """What a time budget allows.

    Args:
        n_epochs: epochs of all fits of the study together, those of the finalists included.
        n_trials: expected number of trials.
    """

    n_epochs: int
    n_trials: int


def halving_rungs(max_epochs: int) -> list[int]:
    """Return the epochs after which the pruner ``halving`` decides, and the last one.

    None is in the second half of the epochs: little would be saved, and the trial would be lost.
    For example, ``[3, 9, 27, 54]`` for 54 epochs.

    Args:
        max_epochs: maximum number of epochs of a trial.
    """
    lowest = max(MIN_RUNG, math.ceil(max_epochs / REDUCTION_FACTOR**N_LOWER_RUNGS))
    lower = [lowest * REDUCTION_FACTOR**i for i in range(N_LOWER_RUNGS)]
    return [*(rung for rung in lower if rung <= max_epochs / 2), max_epochs]


def epochs_per_trial(rungs: list[int]) -> float:
    """Return the mean number of epochs of a trial if one of three continues at every rung.

    Args:
        rungs: from :func:`halving_rungs`; only the last one if no trial is pruned.
    """
    spans = [after - before for before, after in pairwise([0, *rungs])]
    return float(sum(span / REDUCTION_FACTOR**i for i, span in enumerate(spans)))


def plan_budget(
    seconds: float, epoch_seconds: float, rungs: list[int], n_fits: int, n_seeds: int
) -> Plan:
    """Return what a time budget allows.

    Args:
        seconds: time budget.
        epoch_seconds: seconds of an epoch.
        rungs: see :func:`epochs_per_trial`.
        n_fits: number of fits of finalists.
        n_seeds: number of fits of each finalist.
    """
    n_epochs = max(1, math.floor(seconds / epoch_seconds))
    reserved = reserved_epochs(n_epochs, n_fits, n_seeds, rungs[-1])
    left = n_epochs - reserved - rungs[-1]  # of the default
    return Plan(n_epochs, 1 + max(0, math.floor(left / epochs_per_trial(rungs))))


def epochs_of_plan(n_trials: int, rungs: list[int], n_fits: int) -> int:
    """Return the epochs that a number of trials and the fits of their finalists need.

    Args:
        n_trials: number of trials; the first one, the default, is never pruned.
        rungs: see :func:`epochs_per_trial`.
        n_fits: number of fits of finalists.
    """
    return math.ceil((1 + n_fits) * rungs[-1] + (n_trials - 1) * epochs_per_trial(rungs))


def length_of_fits(n_epochs: float, default: int, n_default: int, n_fits: int, n_seeds: int) -> int:
    """Return the epochs of a fit in a study with a number of epochs.

    With more epochs, the fits grow with the square root, and the rest goes into more trials. The
    result is one of :data:`LENGTHS`, so that two similar machines choose the same one. If the study
    has finalists, it is short enough that two of them can be fitted.

    Args:
        n_epochs: epochs of all fits of the study together.
        default: epochs of a fit in the default study.
        n_default: epochs of all fits of the default study.
        n_fits: number of fits of finalists.
        n_seeds: number of fits of each finalist.
    """
    wanted = default * math.sqrt(n_epochs / n_default)
    possible = [
        length
        for length in LENGTHS
        if n_fits == 0 or reserved_epochs(math.floor(n_epochs), n_fits, n_seeds, length)
    ]
    nearest: int = min(possible or LENGTHS[:1], key=lambda n: abs(math.log(n / wanted)))
    return nearest


def reserved_epochs(n_epochs: int, n_fits: int, n_seeds: int, max_epochs: int) -> int:
    """Return the epochs that are kept for the fits of the finalists and of the winner.

    They are at most half of all; none are kept if these do not suffice for two finalists and the
    winner.

    Args:
        n_epochs: epochs of all fits of the study.
        n_fits: number of fits of finalists and of the winner.
        n_seeds: number of fits of each.
        max_epochs: epochs of a fit.
    """
    if n_fits == 0:
        return 0
    affordable = min(n_fits, math.floor(RESERVED_SHARE * n_epochs) // max_epochs)
    n_fitted = affordable // n_seeds
    return n_fitted * n_seeds * max_epochs if n_fitted >= MIN_FITTED else 0


def spent_epochs(study: Study) -> int:
    """Return the number of epochs that the trials of a study have trained.

    An interrupted trial that was queued again does not count: its retry has its epochs.
    """
    retried = retry_numbers(study)
    trials = study.get_trials(deepcopy=False)
    return sum(len(t.intermediate_values) for t in trials if t.number not in retried)


class HalvingPruner(SuccessiveHalvingPruner):
    """Optuna's successive halving up to a rung, without interrupted trials that were queued again.

    Optuna has no last rung, and it compares a trial with failed trials, too. An interrupted trial
    and its retry report the same accuracies, so both would count, and a resumed study would prune
    other trials than an uninterrupted one.
    """

    def __init__(self, min_resource: int, reduction_factor: int, last_rung: int) -> None:
        """Create the pruner; see :func:`halving_rungs`."""
        super().__init__(min_resource=min_resource, reduction_factor=reduction_factor)
        self._last_rung = last_rung

    def prune(self, study: Study, trial: FrozenTrial) -> bool:
        """Return whether a trial ends at this step."""
        if (trial.last_step or 0) > self._last_rung:
            return False
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
    rungs = halving_rungs(max_epochs)
    halving = {"min_resource": rungs[0], "reduction_factor": REDUCTION_FACTOR}
    halving |= {"last_rung": max(rungs[:-1], default=0)}
    hyperband = {"min_resource": 1, "max_resource": max_epochs, "reduction_factor": 3}
    arguments = {"halving": halving, "median": median, "hyperband": hyperband, "none": {}}
    return {"name": name, **arguments[name]}
