"""The files of a study's trials: checkpoints of those under way, networks of the best."""

import tempfile
import time
from dataclasses import dataclass
from pathlib import Path

from optuna.study import Study
from optuna.trial import Trial

from data.errors import InputError
from data.files import make_folder, safe_name
from hpo.retry import original_number
from hpo.trials import best_trials

FOLDER = "folder"
ARTIFACTS = "artifacts"  # one folder for all studies: its files have names of their own
CHECKPOINT_SUFFIX, NETWORK_SUFFIX = ".fit.pt", ".network.pt"
STALE_SECONDS = 600  # no file takes as long to write


@dataclass(frozen=True)
class TrialFiles:
    """What is kept of a study's trials, where, and how often it is written.

    Args:
        folder: named at random when the study is made, for the next study of its name is another.
        seconds: between two checkpoints; each takes a tenth of a second or more.
        n_best: complete trials whose networks are kept.
        artifacts: folder of the pictures that the dashboard shows, or None for none.
        tensorboard: folder of the fits' courses, or None for none.
    """

    folder: Path
    seconds: float = 10.0
    n_best: int = 0
    artifacts: Path | None = None
    tensorboard: Path | None = None

    @property
    def lock(self) -> Path:
        """A file of this host that one process at a time may hold."""
        return Path(tempfile.gettempdir()) / f"siamese-hpo-{self.folder.name}.lock"

    def checkpoint(self, trial: Trial) -> Path:
        """Return the checkpoint of a trial under way; a retry finds that of its origin."""
        first = original_number(trial.study.get_trials(deepcopy=False), trial.number)
        return self.folder / f"{first}{CHECKPOINT_SUFFIX}"

    def network(self, number: int) -> Path:
        """Return the file of a complete trial's network."""
        return self.folder / f"{number}{NETWORK_SUFFIX}"

    def course(self, trial: Trial) -> Path | None:
        """Return the folder of a trial's course for TensorBoard, or None."""
        name = safe_name(trial.study.study_name)
        return self.tensorboard and self.tensorboard / name / f"{trial.number:04}"

    def deserves_its_network_kept(self, study: Study, value: float) -> bool:
        """Return whether a value is among the best so far."""
        better = [t for t in best_trials(study, self.n_best) if (t.value or 0.0) >= value]
        return len(better) < self.n_best

    def sweep(self, study: Study) -> None:
        """Delete the files of trials that have ended, unless they are among the best.

        Raises:
            InputError: the folder cannot be written.
        """
        trials = study.get_trials(deepcopy=False)
        wanted = {self.network(trial.number).name for trial in best_trials(study, self.n_best)}
        for trial in trials:
            if not trial.state.is_finished():
                wanted |= {f"{original_number(trials, trial.number)}{CHECKPOINT_SUFFIX}"}
                wanted |= {self.network(trial.number).name}
        for path in self.folder.iterdir():
            torn = path.name.startswith(".")  # half a file, whose writer was killed
            if (torn and _age(path) > STALE_SECONDS) or (not torn and path.name not in wanted):
                _delete(path)

    def describe(self) -> str:
        """Return how many files there are, and their size."""
        sizes = [path.stat().st_size for path in self.folder.glob("*.pt") if path.exists()]
        return f"{len(sizes)} networks and checkpoints, {sum(sizes) / 1e6:.0f} MB in {self.folder}"


def _age(path: Path) -> float:
    """Return the seconds since a file was written; 0 if it has just been renamed."""
    try:
        return time.time() - path.stat().st_mtime
    except FileNotFoundError:
        return 0.0


def _delete(path: Path) -> None:
    try:
        path.unlink(missing_ok=True)
    except OSError as error:
        raise InputError(f"{path} cannot be deleted ({error}). Make its folder writable.") from (
            error
        )


def trial_files(
    study: Study,
    var: Path,
    seconds: float = 10.0,
    n_best: int = 0,
    tensorboard: Path | None = None,
) -> TrialFiles:
    """Return what is kept of a study under ``var``; its folder exists.

    Raises:
        InputError: the folder cannot be made.
    """
    folder = var / "trials" / str(study.user_attrs[FOLDER])
    make_folder(folder)
    return TrialFiles(folder, seconds, n_best, var / ARTIFACTS, tensorboard)
