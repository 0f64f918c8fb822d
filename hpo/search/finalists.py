"""The finalists: the default of a study and the trials that are better, refitted with new seeds.

The highest of many noisy values is optimistically biased. Therefore the finalists are fitted with
new seeds and evaluated on new validation episodes, and :mod:`hpo.search.choice` chooses the winner.
These fits are the trials of a separate study, so that several workers can share them and an
interrupted fit can be resumed.
"""

import optuna
from optuna.distributions import BaseDistribution, IntDistribution
from optuna.pruners import NopPruner
from optuna.storages import BaseStorage, RDBStorage
from optuna.study import Study
from optuna.trial import FrozenTrial

from hpo.settings.study_settings import StudySettings
from hpo.study.open import FOLDER
from hpo.study.sampler import make_sampler
from hpo.study.trials import accuracy_of, best_trials, default_trial, trial_attributes

# Added to the study's seed: no fit of the search or of retrain_best.py has such a seed.
SEED_OFFSET = 1000
MAX_NUMBER = 2**33  # upper bound of trial numbers and seeds
SPACE: dict[str, BaseDistribution] = {
    name: IntDistribution(0, MAX_NUMBER) for name in ("trial", "seed")
}

CLUSTERS = "clusters"  # user attribute of a fit: its ClusterAccuracies; missing if it diverged

FinalistFit = dict[str, float | int]  # parameters of a fit: number of the trial, and seed


def finalist_fits(
    study: Study, n_finalists: int, n_seeds: int, settings: StudySettings
) -> list[FinalistFit]:
    """Return which trials are fitted with which seeds; empty if there are fewer than two finalists.

    Args:
        study: finished study.
        n_finalists: maximum number of finalists.
        n_seeds: number of fits of each finalist.
        settings: settings of the study.
    """
    finalists = choose_finalists(study, n_finalists)
    seeds = [settings.seed + SEED_OFFSET + i for i in range(n_seeds)]
    numbers = [trial.number for trial in finalists] if len(finalists) > 1 else []
    return [{"trial": number, "seed": seed} for number in numbers for seed in seeds]


def choose_finalists(study: Study, n: int) -> list[FrozenTrial]:
    """Return the best trials that are better than the default, followed by the default.

    A trial that is behind the default in the search would rarely win, so it is not refitted.
    If the default is not complete or has diverged, the finalists are the best trials.

    Args:
        study: finished study.
        n: maximum number of finalists.
    """
    best, default = best_trials(study, n), default_trial(study)
    if default is None or trial_attributes(default).get("diverged"):
        return best
    ahead = [t for t in best if (accuracy_of(t) or 0.0) > (accuracy_of(default) or 0.0)]
    return [*ahead[: n - 1], default] if n else []


def open_finalists(
    storage: RDBStorage, study: Study, fits: list[FinalistFit], kind: str = "finalists"
) -> Study:
    """Return the study of the fits of the finalists; create it if it does not exist.

    Its name contains the numbers of the finalists, so that other finalists get another study. If
    a deleted study of the same name has left such a study, the folder is added to the name.

    Args:
        storage: storage of both studies.
        study: finished study.
        fits: fits from :func:`finalist_fits`, at least one.
        kind: word in the name: ``"finalists"`` or ``"winner"``.
    """
    numbers = "-".join(str(number) for number in dict.fromkeys(fit["trial"] for fit in fits))
    n_seeds = len({fit["seed"] for fit in fits})
    name = f"{study.study_name} {kind} {numbers} x{n_seeds}"
    prefix = "" if kind == "finalists" else f"{kind}-"
    folder = f"{study.user_attrs[FOLDER]}-{prefix}{numbers}-x{n_seeds}"
    if _folder_of(storage, name) not in (None, folder):
        name += f" of {study.user_attrs[FOLDER]}"
    finalists = optuna.create_study(
        storage=storage,
        study_name=name,
        sampler=make_sampler("random", 0, SPACE, fits),
        pruner=NopPruner(),
        direction="maximize",
        load_if_exists=True,
    )
    if FOLDER not in finalists.user_attrs:
        finalists.set_user_attr(FOLDER, folder)
    return finalists


def finalist_studies(storage: BaseStorage, study: Study) -> list[Study]:
    """Return the studies of the finalists of a study; empty if no finalist has been fitted.

    They are found by the folder of the study, whose name is random: a deleted study of the same
    name had another folder.
    """
    if FOLDER not in study.user_attrs:
        return []
    prefix = f"{study.user_attrs[FOLDER]}-"
    summaries = optuna.get_all_study_summaries(storage, include_best_trial=False)
    names = [s.study_name for s in summaries if s.user_attrs.get(FOLDER, "").startswith(prefix)]
    return [optuna.load_study(study_name=name, storage=storage) for name in names]


def is_of_winner(study: Study, fits: Study) -> bool:
    """Return whether fits are further fits of the winner of a study, not those of its finalists."""
    return str(fits.user_attrs[FOLDER]).startswith(f"{study.user_attrs[FOLDER]}-winner-")


def _folder_of(storage: RDBStorage, name: str) -> str | None:
    """Return the folder of a stored study; None if it has no folder or does not exist."""
    for summary in optuna.get_all_study_summaries(storage, include_best_trial=False):
        if summary.study_name == name:
            return summary.user_attrs.get(FOLDER)
    return None
