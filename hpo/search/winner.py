"""The unbiased accuracy of the winner, from new fits on validation drawings that chose nothing.

The accuracy of the winner as a finalist is the highest of several means, so it is too high on
average. The winner is therefore fitted with further seeds, and these fits are evaluated on
validation drawings that neither the search nor the finalists used: of Omniglot, the drawings by
four other drawers. These fits choose nothing, so their mean is unbiased for other fits and other
drawings of the validation alphabets. The alphabets are those that chose the winner.
"""

from dataclasses import asdict

from optuna.study import Study
from optuna.trial import TrialState

from hpo.search.finalists import CLUSTERS, SEED_OFFSET, FinalistFit, winning_trial
from model.intervals import ClusterAccuracies, merge_fits

WINNER_SEED_OFFSET = 2 * SEED_OFFSET  # added to the study's seed: not the seed of any finalist
WINNER_ACCURACY = "winner_accuracy"  # user attribute of a study, from record_winner_accuracy


def winner_fits(study: Study, n_seeds: int, seed: int) -> list[FinalistFit]:
    """Return the further fits of the winner; empty without a winner.

    Args:
        study: finished study.
        n_seeds: number of fits.
        seed: seed of the study.
    """
    winner = winning_trial(study)
    seeds = [seed + WINNER_SEED_OFFSET + i for i in range(n_seeds)]
    return [{"trial": winner.number, "seed": s} for s in seeds] if winner else []


def record_winner_accuracy(study: Study, fits: Study) -> ClusterAccuracies | None:
    """Store the accuracies of the further fits of the winner in the study, and return them.

    Args:
        study: finished study.
        fits: study of the fits of :func:`winner_fits`, all of them finished.

    Returns:
        None if all fits diverged.
    """
    complete = fits.get_trials(deepcopy=False, states=(TrialState.COMPLETE,))
    measured = [
        ClusterAccuracies(**t.user_attrs[CLUSTERS]) for t in complete if CLUSTERS in t.user_attrs
    ]
    if not measured:
        return None
    accuracies = merge_fits(measured)
    winner = int(complete[0].params["trial"])
    study.set_user_attr(WINNER_ACCURACY, {"winner": winner, "clusters": asdict(accuracies)})
    return accuracies


def winner_accuracy(study: Study) -> ClusterAccuracies | None:
    """Return the accuracies of the further fits of the present winner; None without them."""
    winner, stored = winning_trial(study), study.user_attrs.get(WINNER_ACCURACY)
    if winner is None or stored is None or stored["winner"] != winner.number:
        return None
    return ClusterAccuracies(**stored["clusters"])
