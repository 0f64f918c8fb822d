"""From a study's best trial to the configuration that is refitted."""

from statistics import fmean
from typing import Any

from optuna.study import Study
from optuna.trial import FrozenTrial, TrialState

from data.errors import InputError
from hpo.study.trials import FINALISTS, best_trials, finalist_accuracies


def record_winner(study: Study, finalists: Study, n_seeds: int) -> dict[str, Any] | None:
    """Write down and return what came of the finalists, those left out of which a fit failed.

    Returns:
        None if none is left; else ``"accuracies"``, a list per trial number (as text, for JSON),
        ``"winner"``, the number of the highest mean, and ``"first"``, that of the highest value in
        the search.
    """
    accuracies: dict[str, list[float]] = {}
    for trial in finalists.get_trials(deepcopy=False, states=(TrialState.COMPLETE,)):
        accuracies.setdefault(str(trial.params["trial"]), []).append(trial.value or 0.0)
    accuracies = {number: each for number, each in accuracies.items() if len(each) >= n_seeds}
    if not accuracies:
        return None
    means = {number: sum(each) / len(each) for number, each in accuracies.items()}
    first = best_trials(study, 1)[0].number
    winner = int(max(means, key=lambda number: means[number]))
    found = {"accuracies": accuracies, "winner": winner, "first": first}
    study.set_user_attr(FINALISTS, found)
    return found


def describe_value(study: Study, trial: FrozenTrial) -> str:
    """Return what a trial is worth: as a finalist, where luck did not choose it, and in the search.

    ``75.4% of fresh validation episodes, mean of 2 fits (75.8% in the search)``.
    """
    if winning_trial(study) is None or trial.number not in finalist_accuracies(study):
        return f"{trial.value:.1%} of the validation episodes"
    each = finalist_accuracies(study)[trial.number]
    fits = f"mean of {len(each)} fits" if len(each) > 1 else "one fit"
    again = f"{fmean(each):.1%} of fresh validation episodes, {fits}"
    return f"{again} ({trial.value:.1%} in the search)"


def winning_trial(study: Study) -> FrozenTrial | None:
    """Return the trial that won among the finalists, or None if they have not been fitted.

    A study that went on since and found a better trial has no winner until it is finished again.
    """
    found, best = study.user_attrs.get(FINALISTS), best_trials(study, 1)
    if found is None or not best or best[0].number != found["first"]:
        return None
    return study.get_trials(deepcopy=False)[int(found["winner"])]


def choose_trial(study: Study, number: int | None) -> FrozenTrial:
    """Return the complete trial of that number; without one, the finalists' winner, else the best.

    Raises:
        InputError: there is none, or it has not been completed.
    """
    best = best_trials(study, 1)
    if not best:
        raise InputError(
            f"Study '{study.study_name}' has no complete trial yet. Let run_study.py finish one."
        )
    if number is None:
        return winning_trial(study) or best[0]
    complete = {t.number: t for t in study.get_trials(states=(TrialState.COMPLETE,))}
    if number not in complete:
        raise InputError(
            f"--trial must be a complete trial of study '{study.study_name}', but {number} is none."
            f" Choose one of {', '.join(map(str, sorted(complete)))}."
        )
    return complete[number]
