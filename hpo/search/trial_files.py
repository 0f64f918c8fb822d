"""The files of the trials of a study: checkpoints, networks and logs.

:class:`TrialFiles` returns their paths, and deletes checkpoints and networks that are no longer
needed. :mod:`hpo.search.trial_images` draws the images of a trial.
"""

import tempfile
import time
from dataclasses import dataclass
from pathlib import Path

from optuna.study import Study
from optuna.trial import Trial

from data.errors import InputError
from data.files import make_folder, short_name, user_id
from data.paths import ARTIFACTS
from hpo.study.open import FOLDER
from hpo.study.trials import (
    accuracy_of,
    best_trials,
    default_trial,
    original_number,
    position_in_study,
)

CHECKPOINT_SUFFIX, NETWORK_SUFFIX = ".fit.pt", ".network.pt"
PARTIAL_FILE_SECONDS = 600  # a temporary file of this age was left by a killed process


@dataclass(frozen=True)
class TrialFiles:
    """The files of the trials of a study, and how many of them are kept.

    Args:
        folder: folder of checkpoints and networks. Its name is random, so that a later study of
            the same name gets another folder.
        checkpoint_interval: seconds between two checkpoints; writing one takes 0.1 s or more.
        n_networks: number of best trials whose networks are kept.
        keep_default: whether the network of the default is kept, too.
        artifacts: folder of the images for the dashboard, or None for no images.
        tensorboard: folder of the TensorBoard logs, or None for no logs.
    """

    folder: Path
    checkpoint_interval: float = 10.0
    n_networks: int = 0
    artifacts: Path | None = None
    tensorboard: Path | None = None
    keep_default: bool = False

    @property
    def lock(self) -> Path:
        """Lock file that the processes of this user on this host share."""
        name = f"siamese-hpo-{user_id()}-{self.folder.name}.lock"  # others may not open it
        return Path(tempfile.gettempdir()) / name

    @property
    def start(self) -> Path:
        """Copy of the network from whose weights the fits start; it need not exist."""
        return self.folder / f"start{NETWORK_SUFFIX}"

    def checkpoint(self, trial: Trial) -> Path:
        """Return the checkpoint of a trial; a retry uses the checkpoint of its original trial."""
        first = original_number(trial.study.get_trials(deepcopy=False), trial.number)
        return self.folder / f"{first}{CHECKPOINT_SUFFIX}"

    def network(self, number: int) -> Path:
        """Return the file of the network of a complete trial."""
        return self.folder / f"{number}{NETWORK_SUFFIX}"

    def tensorboard_folder(self, trial: Trial) -> Path | None:
        """Return the folder of the TensorBoard log of a trial, or None."""
        name = short_name(trial.study.study_name)
        return self.tensorboard and self.tensorboard / name / f"{trial.number:04}"

    def needs_network(self, trial: Trial, value: float) -> bool:
        """Return whether the network of a running trial that ends with this accuracy is kept."""
        trials = trial.study.get_trials(deepcopy=False)
        is_default = position_in_study(trials, trial.number) == 0
        return (self.keep_default and is_default) or self.is_among_best(trial.study, value)

    def is_among_best(self, study: Study, value: float) -> bool:
        """Return whether a trial of this accuracy would be one of the best trials so far."""
        best = best_trials(study, self.n_networks)
        return sum((accuracy_of(trial) or 0.0) >= value for trial in best) < self.n_networks

    def delete_obsolete(self, study: Study) -> None:
        """Delete checkpoints of finished trials and networks that are not needed.

        Networks of the best trials and of the default are needed.

        Raises:
            InputError: a file cannot be deleted.
        """
        trials = study.get_trials(deepcopy=False)
        default = default_trial(study) if self.keep_default else None
        kept = [*best_trials(study, self.n_networks), *([default] if default else [])]
        needed = {self.start, *(self.network(trial.number) for trial in kept)}
        for trial in trials:
            if not trial.state.is_finished():
                first = original_number(trials, trial.number)
                needed |= {self.folder / f"{first}{CHECKPOINT_SUFFIX}", self.network(trial.number)}
        for path in self.folder.iterdir():
            is_partial = path.name.startswith(".")  # possibly of a killed process
            is_old = is_partial and _age_seconds(path) > PARTIAL_FILE_SECONDS
            if is_old or not (is_partial or path in needed):
                delete_file(path)

    def describe(self) -> str:
        """Return number, size and folders of the files, those of the finalists too, as text."""
        folders = f"{self.folder.name}*"
        paths = self.folder.parent.glob(f"{folders}/*.pt")
        sizes = [path.stat().st_size for path in paths if path.exists()]
        where = self.folder.parent / folders
        return f"{len(sizes)} networks and checkpoints, {sum(sizes) / 1e6:.0f} MB in {where}"


def trial_files(
    study: Study,
    var: Path,
    checkpoint_interval: float = 10.0,
    n_networks: int = 0,
    tensorboard: Path | None = None,
    *,
    keep_default: bool = False,
) -> TrialFiles:
    """Return the files of the trials of a study under ``var``; create their folder.

    Raises:
        InputError: the folder cannot be created.
    """
    folder = trials_folder(study, var)
    make_folder(folder)
    images = var / ARTIFACTS
    return TrialFiles(folder, checkpoint_interval, n_networks, images, tensorboard, keep_default)


def trials_folder(study: Study, var: Path) -> Path:
    """Return the folder of the checkpoints and networks of a study under ``var``."""
    return var / "trials" / str(study.user_attrs[FOLDER])


def _age_seconds(path: Path) -> float:
    """Return the seconds since a file was written; 0 if its writer has renamed it meanwhile."""
    try:
        return time.time() - path.stat().st_mtime
    except FileNotFoundError:
        return 0.0


def delete_file(path: Path) -> None:
    """Delete a file if it exists.

    Raises:
        InputError: it cannot be deleted.
    """
    try:
        path.unlink(missing_ok=True)
    except OSError as error:
        raise InputError(
            f"{path} cannot be deleted ({error}). Check the permissions of its folder."
        ) from error
