"""The best trials once more: fitted with fresh seeds, asked fresh episodes; the best mean wins.

The highest of many noisy values owes a part of its rank to luck, with its seed and with the
episodes that chose it. The fits are trials of a study of their own, so that several processes
share them and a killed one is taken up again.
"""

from dataclasses import dataclass

import optuna
from optuna.distributions import BaseDistribution, IntDistribution
from optuna.pruners import NopPruner
from optuna.storages import RDBStorage
from optuna.study import Study
from optuna.trial import FixedTrial

from data.drawings import Drawings
from data.episodes import VALIDATION_EPISODES, Episodes
from hpo.search.objective import Objective
from hpo.space.configuration import suggest_config
from hpo.study.open import FOLDER
from hpo.study.sampler import make_sampler
from hpo.study.settings import RunConfig, StudySettings, base_config
from hpo.study.trials import best_trials, position_in_study
from model.evaluate import one_shot_accuracy

MAX_NUMBER = 2**33

FIRST_SEED = 1000  # above the study's: not the search's, nor those of a retraining's first fits

SPACE: dict[str, BaseDistribution] = {
    name: IntDistribution(0, MAX_NUMBER) for name in ("trial", "seed")
}


def fresh_episodes(settings: StudySettings, val: Drawings) -> Episodes:
    """Return validation episodes like the study's, drawn anew; the same for all finalists."""
    return VALIDATION_EPISODES[settings.validation](val, seed=1)


def finalist_fits(study: Study, run: RunConfig) -> list[dict[str, float | int]]:
    """Return which trial is fitted with which seed; nothing where there is nothing to choose."""
    best = best_trials(study, run.n_finalists)
    seeds = [run.settings.seed + FIRST_SEED + i for i in range(run.n_finalist_seeds)]
    return [{"trial": t.number, "seed": s} for t in best for s in seeds] if len(best) > 1 else []


def open_finalists(storage: RDBStorage, study: Study, run: RunConfig) -> Study:
    """Return the study of the finalists' fits, making it if need be.

    It is named after them, so that processes that see other finalists do not mix theirs in.
    """
    fits = finalist_fits(study, run)
    numbers = "-".join(str(number) for number in dict.fromkeys(fit["trial"] for fit in fits))
    name = f"{_prefix(study)}{numbers} x{run.n_finalist_seeds}"
    finalists = optuna.create_study(
        storage=storage,
        study_name=name,
        sampler=make_sampler("random", 0, SPACE, fits),
        pruner=NopPruner(),
        direction="maximize",
        load_if_exists=True,
    )
    if FOLDER not in finalists.user_attrs:
        finalists.set_user_attr(FOLDER, f"{study.user_attrs[FOLDER]}-{numbers}")
    return finalists


def _prefix(study: Study) -> str:
    """Return how the names of the studies of its finalists begin."""
    return f"{study.study_name} finalists "


def finalist_studies(storage: RDBStorage, study: Study) -> list[Study]:
    """Return the studies of a study's finalists, if they have been fitted."""
    names = [s.study_name for s in optuna.get_all_study_summaries(storage)]
    found = [name for name in names if name.startswith(_prefix(study))]
    return [optuna.load_study(study_name=name, storage=storage) for name in found]


@dataclass(frozen=True)
class FinalistObjective:
    """Fits a finalist as the search did, but for the seed, and asks it the fresh episodes.

    Args:
        search: the search's objective.
        study: the search's.
        fresh: the episodes, about the validation drawings.
        n_fits: of all finalists.
    """

    search: Objective
    study: Study
    fresh: Episodes
    n_fits: int

    def __call__(self, trial: optuna.Trial) -> float:
        """Return the accuracy on the fresh episodes; the study's own choose the epoch.

        Raises:
            optuna.TrialPruned: all fits have been given out; two workers may ask for the last.
        """
        if position_in_study(trial.study.get_trials(deepcopy=False), trial.number) >= self.n_fits:
            raise optuna.TrialPruned
        number = trial.suggest_int("trial", 0, MAX_NUMBER)
        seed = trial.suggest_int("seed", 0, MAX_NUMBER)
        params = FixedTrial(self.study.get_trials(deepcopy=False)[number].params)
        settings = self.search.settings
        config = suggest_config(params, base_config(settings), settings.search)
        path = self.search.files.checkpoint(trial)
        state, _ = self.search.train_network(trial, config, seed, path)
        if state.history[-1].diverged:
            return self.search.validation.chance
        return one_shot_accuracy(state.best_net(), self.search.validation.drawings, self.fresh)
