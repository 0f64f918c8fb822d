"""The choice of the winner: the finalist with the highest mean, unless the default is as good.

Two fits of one configuration differ about as much as the best configurations do. A trial therefore
replaces the default only if it is better in the new fits of the finalists by more than the standard
error of this difference.

Source: Breiman et al. 1984, "Classification and Regression Trees", §3.4.3 (the 1 SE rule).

Tensor suffixes: F fits, C clusters of validation episodes.
"""

from dataclasses import asdict, dataclass
from statistics import fmean
from typing import Any

import numpy as np
from optuna.study import Study
from optuna.trial import TrialState

from hpo.search.finalists import CLUSTERS
from hpo.search.winner import winning_trial
from hpo.study.budget import count_finished
from hpo.study.trials import (
    FINALISTS,
    accuracy_of,
    best_trials,
    default_trial,
    has_learnt,
    trial_attributes,
)
from model.intervals import ClusterAccuracies
from model.standard_error import two_way_error


@dataclass(frozen=True)
class Gain:
    """The gain of a trial over the default in the new fits of the finalists, in [-1, 1].

    Args:
        trial: number of the trial.
        default: number of the default.
        mean: difference of the mean accuracies.
        standard_error: of the difference, over the validation alphabets (or classes) and the fits;
            with one fit each, over the alphabets only.
    """

    trial: int
    default: int
    mean: float
    standard_error: float

    @property
    def is_clear(self) -> bool:
        """Whether the trial may replace the default."""
        return self.mean > self.standard_error

    def __str__(self) -> str:
        """Return the gain and what follows from it, as a sentence."""
        answer = "more than its standard error" if self.is_clear else "so the default wins"
        return (
            f"In the new fits, trial {self.trial} minus the default, trial {self.default}, is "
            f"{100 * self.mean:+.1f} points, with a standard error of "
            f"{100 * self.standard_error:.1f}: {answer}."
        )


def record_winner(study: Study, finalists: Study, n_seeds: int) -> dict[str, Any] | None:
    """Store the accuracies of the finalists and the winner in the study, and return them.

    Args:
        study: finished study.
        finalists: study of the fits of its finalists.
        n_seeds: number of fits of each finalist; a finalist with fewer complete fits cannot win.

    Returns:
        ``"accuracies"``, the list of accuracies of each trial, by its number as text (JSON keys are
        text), ``"winner"``, the number of the winner, ``"first"``, the trial with the highest value
        in the search, and ``"gain"``, the fields of :class:`Gain` of the trial with the highest
        mean, if that is not the default. If the default learnt, but its new fits failed, it wins,
        because no trial was compared with it. None if no finalist has all its fits.
    """
    accuracies: dict[str, list[float]] = {}
    complete = finalists.get_trials(deepcopy=False, states=(TrialState.COMPLETE,))
    for trial in complete:
        accuracies.setdefault(str(trial.params["trial"]), []).append(accuracy_of(trial) or 0.0)
    accuracies = {number: values for number, values in accuracies.items() if len(values) >= n_seeds}
    if not accuracies:
        return None
    trials = study.get_trials(deepcopy=False)
    means = {
        number: fmean([*values, accuracy_of(trials[int(number)]) or 0.0])
        for number, values in accuracies.items()
    }
    first, default = best_trials(study, 1)[0].number, default_trial(study)
    winner = int(max(means, key=lambda number: means[number]))
    if default and has_learnt(default) and str(default.number) not in accuracies:
        winner = default.number  # nothing has been compared with it
    result = {"accuracies": accuracies, "winner": winner, "first": first}
    if gain := gain_over_default(study, finalists, winner):
        result["gain"] = asdict(gain)
        result["winner"] = gain.trial if gain.is_clear else gain.default
    if diverged := [t.params["trial"] for t in complete if trial_attributes(t).get("diverged")]:
        result["diverged"] = diverged
    study.set_user_attr(FINALISTS, result)
    return result


def stored_gain(study: Study) -> Gain | None:
    """Return the gain that decided on the present winner; None if there was none to decide on."""
    gain = study.user_attrs.get(FINALISTS, {}).get("gain")
    return Gain(**gain) if gain and winning_trial(study) else None


def gain_over_default(study: Study, finalists: Study, number: int) -> Gain | None:
    """Return the gain of a finalist over the default.

    Args:
        study: finished study.
        finalists: study of the fits of its finalists.
        number: number of the finalist.

    Returns:
        None if the finalist is the default, if no seed has a measured fit of both, or if the
        validation episodes have one cluster. A fit that diverged was not measured.
    """
    default = default_trial(study)
    if default is None or number == default.number:
        return None
    ours, others = (_measured(finalists, n) for n in (number, default.number))
    seeds = sorted(ours.keys() & others.keys())
    if not seeds or len(ours[seeds[0]].n_episodes_C) < 2:
        return None
    gain_FC = np.array(
        [np.subtract(ours[s].accuracy_FC[0], others[s].accuracy_FC[0]) for s in seeds]
    )
    n_episodes_C = np.asarray(ours[seeds[0]].n_episodes_C, float)
    mean = float(np.average(gain_FC.mean(0), weights=n_episodes_C))
    return Gain(number, default.number, mean, two_way_error(gain_FC, n_episodes_C)[0])


def _measured(finalists: Study, number: int) -> dict[int, ClusterAccuracies]:
    """Return the accuracies of the measured fits of a finalist by seed."""
    return {
        trial.params["seed"]: ClusterAccuracies(**trial.user_attrs[CLUSTERS])
        for trial in finalists.get_trials(deepcopy=False, states=(TrialState.COMPLETE,))
        if trial.params["trial"] == number and CLUSTERS in trial.user_attrs
    }


def record_winner_without_fits(study: Study) -> None:
    """Store the winner of a study that has fewer than two finalists, unless it has one already.

    It is the default, if it has learnt: no trial is better. Otherwise it is the best trial. A study
    of one trial has no winner, because nothing was searched, and neither has one whose trials all
    diverged.

    Args:
        study: finished study.
    """
    learnt = [trial for trial in best_trials(study, 1) if has_learnt(trial)]
    if not learnt or count_finished(study) < 2 or winning_trial(study):
        return
    first, default = learnt[0], default_trial(study)
    is_tied = default is not None and accuracy_of(default) == accuracy_of(first)
    number = default.number if default and is_tied else first.number
    study.set_user_attr(FINALISTS, {"accuracies": {}, "winner": number, "first": first.number})
