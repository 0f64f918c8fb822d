"""The winner and its unbiased accuracy; :mod:`hpo.search.choice` chooses it.

The accuracy of the winner as a finalist is often the highest of several means, and then too high on
average. The winner is therefore fitted with further seeds, and these fits are evaluated on
validation drawings that neither the search nor the finalists used: of Omniglot, the drawings by
four other drawers. These fits choose nothing, so their mean is unbiased for other fits and other
drawings of the validation alphabets. The alphabets are those that chose the winner. The refits of
``retrain_best.py`` begin with these fits.
"""

from dataclasses import asdict
from statistics import fmean

from optuna.study import Study
from optuna.trial import FrozenTrial, TrialState

from data.errors import InputError
from hpo.search.finalists import CLUSTERS, FinalistFit
from hpo.study.goals import describe_point, has_one_goal
from hpo.study.trials import (
    FINALISTS,
    accuracy_of,
    best_trials,
    count_diverged_finalists,
    finalist_accuracies,
    trial_attributes,
)
from model.intervals import ClusterAccuracies, accuracy_interval, format_interval, merge_fits

WINNER_ACCURACY = "winner_accuracy"  # user attribute of a study, from record_winner_accuracy
TOO_HIGH = "too high on average, because it was chosen for this value"


def winning_trial(study: Study) -> FrozenTrial | None:
    """Return the recorded winner, or None.

    A study that was continued and found a better trial has no winner until its new finalists have
    been fitted.
    """
    result, best = study.user_attrs.get(FINALISTS), best_trials(study, 1)
    if result is None or not best or best[0].number != result["first"]:
        return None
    return study.get_trials(deepcopy=False)[int(result["winner"])]


def choose_trial(study: Study, number: int | None) -> FrozenTrial:
    """Return the trial to refit.

    This is the trial with the given number. If ``number`` is None, it is the winner, or the most
    accurate trial if there is no winner.

    Raises:
        InputError: no trial is complete, or trial ``number`` is not complete.
    """
    if not (best := best_trials(study, 1)):
        raise InputError(
            f"Study '{study.study_name}' has no complete trial yet. Run run_study.py until one is "
            "complete."
        )
    if number is None:
        return winning_trial(study) or best[0]
    complete = {t.number: t for t in study.get_trials(states=(TrialState.COMPLETE,))}
    if number not in complete:
        raise InputError(
            f"--trial must be a complete trial of study '{study.study_name}', but {number} is not. "
            f"Choose one of {', '.join(map(str, sorted(complete)))}."
        )
    return complete[number]


def winner_fits(study: Study, n_seeds: int, seed: int) -> list[FinalistFit]:
    """Return the further fits of the winner; empty without a winner.

    Args:
        study: finished study.
        n_seeds: number of fits.
        seed: seed of the study.
    """
    winner, seeds = winning_trial(study), fresh_seeds(seed, n_seeds)
    return [{"trial": winner.number, "seed": s} for s in seeds] if winner else []


def fresh_seeds(seed: int, n: int) -> list[int]:
    """Return the first ``n`` seeds of fits that choose nothing.

    They belong to the further fits of the winner and to ``retrain_best.py``, which uses the
    networks of these fits. The seed of the study and those of the finalists are not among them.

    Args:
        seed: seed of the study.
        n: number of seeds.
    """
    return [seed + 1 + i for i in range(n)]


def record_winner_accuracy(study: Study, fits: Study) -> ClusterAccuracies | None:
    """Store the accuracies of the further fits of the winner in the study, and return them.

    Args:
        study: finished study.
        fits: study of the fits of :func:`winner_fits`, all of them finished.

    Returns:
        None if a fit diverged: its accuracy was not measured.
    """
    complete = fits.get_trials(deepcopy=False, states=(TrialState.COMPLETE,))
    measured = [
        ClusterAccuracies(**t.user_attrs[CLUSTERS]) for t in complete if CLUSTERS in t.user_attrs
    ]
    if not measured or len(measured) < len(complete):
        return None
    accuracies = merge_fits(measured)
    winner = int(complete[0].params["trial"])
    study.set_user_attr(WINNER_ACCURACY, {"winner": winner, "clusters": asdict(accuracies)})
    return accuracies


def winner_accuracy(study: Study) -> ClusterAccuracies | None:
    """Return the accuracies of the further fits of the current winner, or None."""
    winner, stored = winning_trial(study), study.user_attrs.get(WINNER_ACCURACY)
    if winner is None or stored is None or stored["winner"] != winner.number:
        return None
    return ClusterAccuracies(**stored["clusters"])


def describe_value(study: Study, trial: FrozenTrial) -> str:
    """Return the accuracy of a complete trial as text, and whether it is biased.

    For example ``74.9% on validation drawings not used for any choice, mean of 2 fits; 95 %
    interval 70.3% to 79.4% (10 alphabets and 2 fits); 76.9% as a finalist, 75.8% in the search``.
    """
    if reason := trial_attributes(trial).get("diverged"):
        return f"no measured accuracy: the fit did not learn ({reason})"
    winner, values = winning_trial(study), finalist_accuracies(study).get(trial.number)
    value = accuracy_of(trial)
    is_winner = winner is not None and trial.number == winner.number
    if values is None and is_winner and (accuracies := winner_accuracy(study)):
        return f"{describe_accuracies(accuracies)}; {value:.1%} in the search"
    if winner is None or values is None:
        best = best_trials(study, 1)[0].number
        bias = f", {TOO_HIGH}" if trial.number == best else ""
        if not has_one_goal(study):
            return f"{describe_point(trial)} per image, on the validation episodes{bias}"
        return f"{value:.1%} of the validation episodes{bias}"
    as_finalist = f"{fmean(values):.1%} as a finalist"
    if n_diverged := count_diverged_finalists(study)[trial.number]:
        as_finalist = f"{n_diverged} of {len(values)} fits diverged as a finalist"
    if not is_winner:
        return f"{as_finalist}, {value:.1%} in the search"
    if accuracies := winner_accuracy(study):
        return f"{describe_accuracies(accuracies)}; {as_finalist}, {value:.1%} in the search"
    bias = f", {TOO_HIGH}" if is_chosen_for_its_mean(study) else ""
    return f"{as_finalist}{bias}; {value:.1%} in the search"


def is_chosen_for_its_mean(study: Study) -> bool:
    """Return whether the winner has the highest mean of the finalists.

    Otherwise it is the default, than which no trial is clearly better.
    """
    result = study.user_attrs[FINALISTS]
    gain = result.get("gain")
    return not gain or bool(gain["default"] != result["winner"])


def describe_accuracies(accuracies: ClusterAccuracies) -> str:
    """Return the unbiased accuracy of a winner as text, with its interval.

    Args:
        accuracies: from :func:`winner_accuracy`.
    """
    fits = format_fits(len(accuracies.accuracy_FC))
    interval = format_interval(accuracy_interval(accuracies))
    return (
        f"{accuracies.mean:.1%} on validation drawings not used for any choice, {fits}; "
        f"95 % interval {interval}"
    )


def format_fits(n: int) -> str:
    """Return the number of fits whose mean an accuracy is, as text."""
    return f"mean of {n} fits" if n > 1 else "one fit"
