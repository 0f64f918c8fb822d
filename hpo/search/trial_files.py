"""The files of a study's trials: checkpoints of those under way, networks of the best.

Pictures of an ended trial for the live dashboard: learning curve, filters, errors.

Tensor suffixes: K errors, N images, R blocks, Q queries, S support, H W pixels.
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
from data.files import make_folder, safe_name
from data.paths import ARTIFACTS
from data.pictures import curve_png, encode_png, stretch_contrast, tile
from hpo.study.open import FOLDER
from hpo.study.trials import best_trials, original_number
from model.evaluate import episode_logits
from model.fit_state import FitState
from model.siamese import SiameseNet
from model.train import Validation

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

    def tensorboard_folder(self, trial: Trial) -> Path | None:
        """Return the folder of a trial's course for TensorBoard, or None."""
        name = safe_name(trial.study.study_name)
        return self.tensorboard and self.tensorboard / name / f"{trial.number:04}"

    def is_among_best(self, study: Study, value: float) -> bool:
        """Return whether a value is among the best so far."""
        better = [t for t in best_trials(study, self.n_best) if (t.value or 0.0) >= value]
        return len(better) < self.n_best

    def delete_obsolete(self, study: Study) -> None:
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


MAX_TRIAL_ERRORS = 24


def most_confident_errors(
    net: SiameseNet, validation: Validation, most: int = MAX_TRIAL_ERRORS
) -> Tensor:
    """Return K×3 positions of drawings, K ≤ ``most``: query, right and chosen support.

    The surest errors come first: those whose chosen logit is farthest above the right one's.
    """
    episodes = validation.episodes
    logits_RQS = episode_logits(net, validation.drawings, episodes).cpu()
    right = logits_RQS.gather(-1, episodes.target_RQ.unsqueeze(-1)).squeeze(-1)
    chosen, answer_RQ = logits_RQS.max(-1)
    margin = (chosen - right).flatten()
    order = margin.argsort(descending=True)[:most]
    order = order[margin[order] > 0]
    support_RQ = [
        episodes.support_RS.gather(1, column).flatten()[order]
        for column in (episodes.target_RQ, answer_RQ)
    ]
    return torch.stack([episodes.query_RQ.flatten()[order], *support_RQ], dim=1)


def trial_images(state: FitState, validation: Validation, *, pruned: bool) -> dict[str, bytes]:
    """Return PNGs by file name: the curve, the first layer's filters, and a full fit's errors."""
    scored = [result.accuracy for result in state.history if not math.isnan(result.accuracy)]
    net = state.best_net()
    filters_NHW = stretch_contrast(net.conv1.weight.mean(1))
    n_columns = math.ceil(math.sqrt(2 * len(filters_NHW)))
    found = {
        "curve.png": curve_png(scored, "validation accuracy"),
        "filters.png": encode_png(tile(filters_NHW, n_columns, zoom=8)),
    }
    if not pruned and not state.history[-1].diverged:
        errors_K3 = most_confident_errors(net, validation)
        images_NHW = validation.drawings.images_NHW[errors_K3.flatten()]
        if len(images_NHW):
            found["errors (query, right, chosen).png"] = encode_png(tile(images_NHW, 12))
    return found


def attach_images(trial: optuna.Trial, images: dict[str, bytes], folder: Path) -> None:
    """Attach pictures to a running trial; without room for them, it goes on without."""
    try:
        folder.mkdir(parents=True, exist_ok=True)
        store = FileSystemArtifactStore(folder)
        with tempfile.TemporaryDirectory() as temporary:
            for name, png in images.items():
                path = Path(temporary) / name
                path.write_bytes(png)
                upload_artifact(artifact_store=store, file_path=str(path), study_or_trial=trial)
    except OSError as error:
        warnings.warn(f"Trial {trial.number}'s pictures were not kept ({error}).", stacklevel=2)
