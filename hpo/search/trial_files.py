"""The files of the trials of a study.

- :class:`TrialFiles` returns the paths of checkpoints, networks and logs, and deletes checkpoints
  and networks that are no longer needed.
- :func:`trial_images` draws the images of a trial whose fit has ended for the live dashboard, and
  :func:`attach_images` stores them as Optuna artifacts.

Tensor suffixes: K errors, N images, R blocks, Q queries, S support, H height, W width.
"""

import math
import tempfile
import time
import warnings
from dataclasses import dataclass
from pathlib import Path

import optuna
import torch
from optuna.artifacts import FileSystemArtifactStore, upload_artifact
from optuna.study import Study
from optuna.trial import Trial
from torch import Tensor

from data.errors import InputError
from data.files import make_folder, short_name, user_id
from data.paths import ARTIFACTS
from data.pictures import curve_png, encode_png, stretch_contrast, tile_images
from hpo.study.open import FOLDER
from hpo.study.trials import accuracy_of, best_trials, original_number
from model.evaluate import episode_logits
from model.fit_state import FitState
from model.siamese import SiameseNet
from model.train import Validation

CHECKPOINT_SUFFIX, NETWORK_SUFFIX = ".fit.pt", ".network.pt"
PARTIAL_FILE_SECONDS = 600  # a temporary file of this age was left by a killed process
MAX_TRIAL_ERRORS = 24  # maximum number of errors that the image of a trial shows
N_ERROR_COLUMNS = 12  # four triplets of query, correct and chosen drawing per row
FILTER_ZOOM = 8  # width and height of a filter weight in pixels


@dataclass(frozen=True)
class TrialFiles:
    """The files of the trials of a study, and how many of them are kept.

    Args:
        folder: folder of checkpoints and networks. Its name is random, so that a later study of
            the same name gets another folder.
        checkpoint_interval: seconds between two checkpoints; writing one takes 0.1 s or more.
        n_networks: number of best trials whose networks are kept.
        artifacts: folder of the images for the dashboard, or None for no images.
        tensorboard: folder of the TensorBoard logs, or None for no logs.
    """

    folder: Path
    checkpoint_interval: float = 10.0
    n_networks: int = 0
    artifacts: Path | None = None
    tensorboard: Path | None = None

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

    def is_among_best(self, study: Study, value: float) -> bool:
        """Return whether a trial of this accuracy would be one of the best trials so far."""
        best = best_trials(study, self.n_networks)
        return sum((accuracy_of(trial) or 0.0) >= value for trial in best) < self.n_networks

    def delete_obsolete(self, study: Study) -> None:
        """Delete checkpoints of finished trials and networks that are not among the best.

        Raises:
            InputError: a file cannot be deleted.
        """
        trials = study.get_trials(deepcopy=False)
        best = best_trials(study, self.n_networks)
        needed = {self.start, *(self.network(trial.number) for trial in best)}
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
        """Return number, size and folder of the files, as text."""
        sizes = [path.stat().st_size for path in self.folder.glob("*.pt") if path.exists()]
        return f"{len(sizes)} networks and checkpoints, {sum(sizes) / 1e6:.0f} MB in {self.folder}"


def trial_files(
    study: Study,
    var: Path,
    checkpoint_interval: float = 10.0,
    n_networks: int = 0,
    tensorboard: Path | None = None,
) -> TrialFiles:
    """Return the files of the trials of a study under ``var``; create their folder.

    Raises:
        InputError: the folder cannot be created.
    """
    folder = trials_folder(study, var)
    make_folder(folder)
    return TrialFiles(folder, checkpoint_interval, n_networks, var / ARTIFACTS, tensorboard)


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


def trial_images(state: FitState, validation: Validation, *, pruned: bool) -> dict[str, bytes]:
    """Return the images of a trial whose fit has ended, as PNG data by file name.

    They show the learning curve, the filters of the first layer and, unless the trial was pruned
    or diverged, the most confident errors.
    """
    accuracies = [r.accuracy for r in state.history if not math.isnan(r.accuracy)]
    net = state.best_net()
    images = {"curve.png": curve_png(accuracies, "validation accuracy")}
    if (filters_NHW := net.first_filters()) is not None:
        n_columns = math.ceil(math.sqrt(2 * len(filters_NHW)))
        sheet = tile_images(stretch_contrast(filters_NHW), n_columns, zoom=FILTER_ZOOM)
        images["filters.png"] = encode_png(sheet)
    if not pruned and not state.history[-1].diverged:
        errors_K3 = most_confident_errors(net, validation)
        images_NHW = validation.drawings.images_NHW[errors_K3.flatten()]
        if len(images_NHW):
            sheet = tile_images(images_NHW, N_ERROR_COLUMNS)
            images["errors (query, correct, chosen).png"] = encode_png(sheet)
    return images


def most_confident_errors(
    net: SiameseNet, validation: Validation, n_max: int = MAX_TRIAL_ERRORS
) -> Tensor:
    """Return the most confident errors, the most confident one first.

    They are the errors in which the logit of the chosen drawing exceeds the logit of the correct
    drawing most.

    Args:
        net: network to evaluate.
        validation: drawings and episodes.
        n_max: maximum number of errors.

    Returns:
        K×3 positions of drawings (int64), K ≤ ``n_max``: query, correct support and chosen support.
    """
    episodes = validation.episodes
    logits_RQS = episode_logits(net, validation.drawings, episodes).cpu()
    correct_RQ = logits_RQS.gather(-1, episodes.target_RQ.unsqueeze(-1)).squeeze(-1)
    highest_RQ, prediction_RQ = logits_RQS.max(-1)
    margins = (highest_RQ - correct_RQ).flatten()
    order_K = margins.argsort(descending=True)[:n_max]
    order_K = order_K[margins[order_K] > 0]
    columns = [
        episodes.first_support(column_RQ).flatten()[order_K]
        for column_RQ in (episodes.target_RQ, prediction_RQ)
    ]
    return torch.stack([episodes.query_RQ.flatten()[order_K], *columns], dim=1)


def attach_images(trial: optuna.Trial, images: dict[str, bytes], folder: Path) -> None:
    """Attach images to a running trial as artifacts; if they cannot be written, warn and continue.

    Args:
        trial: running trial.
        images: PNG data by file name.
        folder: folder of the artifacts.
    """
    try:
        folder.mkdir(parents=True, exist_ok=True)
        store = FileSystemArtifactStore(folder)
        with tempfile.TemporaryDirectory() as temporary:
            for name, png in images.items():
                path = Path(temporary) / name
                path.write_bytes(png)
                upload_artifact(artifact_store=store, file_path=str(path), study_or_trial=trial)
    except OSError as error:
        warnings.warn(f"Images of trial {trial.number} were not saved ({error}).", stacklevel=2)
