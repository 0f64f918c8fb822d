"""The goals of a study: the accuracy alone, or the accuracy and the cost of an embedding.

The values of a trial of two goals are its accuracy and its number of floating-point operations. Its
study has no winner, but a Pareto front.
"""

from optuna.study import Study
from optuna.trial import FrozenTrial, TrialState

from hpo.study.trials import accuracy_of, trial_attributes


def has_one_goal(study: Study) -> bool:
    """Return whether only the accuracy is maximised."""
    return len(study.directions) == 1


def flops_of(trial: FrozenTrial) -> float:
    """Return the floating-point operations of one embedding, of a complete trial of two goals."""
    return float(trial.values[1])


def pareto_front(study: Study) -> list[FrozenTrial]:
    """Return the trials of a study of two goals that no other trial surpasses, the cheapest first.

    A trial is on the front if every other complete trial of the same or a lower cost is less
    accurate. Of equal trials, the earliest is on the front. A trial that diverged is not: its
    accuracy was not measured.
    """
    complete = study.get_trials(deepcopy=False, states=(TrialState.COMPLETE,))
    measured = [trial for trial in complete if not trial_attributes(trial).get("diverged")]
    front, highest = [], -1.0
    for trial in sorted(measured, key=lambda t: (flops_of(t), -(accuracy_of(t) or 0.0))):
        accuracy = accuracy_of(trial) or 0.0
        if accuracy > highest:
            front.append(trial)
            highest = accuracy
    return front


def front_table(study: Study) -> list[list[str]]:
    """Return the Pareto front as a table with a row per trial; empty without a front."""
    rows = [
        [str(trial.number), f"{accuracy_of(trial):.1%}", f"{flops_of(trial) / 1e6:.2f}"]
        for trial in pareto_front(study)
    ]
    return [["trial", "validation accuracy", "MFLOP per image"], *rows] if rows else []


def describe_point(trial: FrozenTrial) -> str:
    """Return accuracy and cost of a complete trial of two goals: ``80.0% at 6.00 MFLOP``."""
    return f"{accuracy_of(trial):.1%} at {flops_of(trial) / 1e6:.2f} MFLOP"
