"""The networks that a study has kept of a trial, and the deletion of those of former finalists."""

from collections.abc import Iterable
from dataclasses import dataclass, field
from pathlib import Path

from optuna.storages import BaseStorage
from optuna.study import Study
from optuna.trial import FrozenTrial, TrialState

from hpo.search.finalists import finalist_studies, is_of_winner
from hpo.search.trial_files import NETWORK_SUFFIX, TrialFiles, delete_file, trials_folder
from hpo.study.goals import has_one_goal
from hpo.study.open import FOLDER


@dataclass(frozen=True)
class KeptNetworks:
    """The files of the networks that a study has kept of a trial, by the seed of their fit.

    Args:
        chosen: fits of the search and of the finalists, which chose the winner.
        fresh: further fits of the winner, which chose nothing.
    """

    chosen: dict[int, Path] = field(default_factory=dict)
    fresh: dict[int, Path] = field(default_factory=dict)


def kept_networks(
    storage: BaseStorage, study: Study, trial: FrozenTrial, var: Path
) -> KeptNetworks:
    """Return the networks that a study has kept of a trial on this host.

    A study of two goals has no winner, so its networks chose none.

    Args:
        storage: storage of the study.
        study: study of the search.
        trial: one of its complete trials.
        var: folder of the files of the trials.
    """
    if FOLDER not in study.user_attrs or not has_one_goal(study):
        return KeptNetworks()
    chosen: dict[int, Path] = {}
    fresh: dict[int, Path] = {}
    if "seed" in trial.user_attrs:
        chosen[int(trial.user_attrs["seed"])] = _network(study, trial, var)
    for fits in finalist_studies(storage, study):
        networks = fresh if is_of_winner(study, fits) else chosen
        for fit in fits.get_trials(deepcopy=False, states=(TrialState.COMPLETE,)):
            if fit.params["trial"] == trial.number:
                networks[int(fit.params["seed"])] = _network(fits, fit, var)
    return KeptNetworks(_existing(chosen), _existing(fresh))


def delete_former_networks(
    storage: BaseStorage, study: Study, current: Iterable[Study], var: Path
) -> None:
    """Delete the networks of former finalists and of a former winner on this host.

    Args:
        storage: storage of the study.
        study: study of the search.
        current: studies of the fits of its current finalists and of its winner.
        var: folder of the files of the trials.

    Raises:
        InputError: a file cannot be deleted.
    """
    needed = {trials_folder(fits, var) for fits in current}
    for folder in {trials_folder(fits, var) for fits in finalist_studies(storage, study)} - needed:
        for path in folder.glob(f"*{NETWORK_SUFFIX}"):
            delete_file(path)


def _network(study: Study, trial: FrozenTrial, var: Path) -> Path:
    return TrialFiles(trials_folder(study, var)).network(trial.number)


def _existing(paths: dict[int, Path]) -> dict[int, Path]:
    return {seed: path for seed, path in paths.items() if path.exists()}
