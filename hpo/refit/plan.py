"""What a retraining shall fit: the job that was asked for, and the plan that follows from it."""

from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from optuna.trial import FixedTrial, FrozenTrial

from data.drawings import Drawings
from data.episodes import VALIDATION_EPISODES
from data.errors import InputError
from data.files import safe_name
from data.load import image_folder_name, load_dataset
from data.splits import Split, merge_train_and_val, split_dataset
from data.text import redact_storage
from hpo.search.finalists import finalist_studies
from hpo.search.winner import choose_trial, describe_value
from hpo.space.configuration import resize_model, suggest_config
from hpo.study.budget import busy_seconds
from hpo.study.open import IDENTITY, open_stored_study, storage_or_reference
from hpo.study.settings import StudySettings, base_config
from model.config import Config
from model.device import ComputeConfig, choose_compute
from model.train import Validation


@dataclass(frozen=True)
class RetrainRequest:
    """What was asked of retrain_best.py; see its flags.

    Args:
        storage: database address.
        study_name: or None for the latest.
        trial: number, or None for the best.
        image_size: in pixels, or None for the study's.
        n_seeds: number of fits.
        max_epochs: or None for the default.
        train_on: ``"train"`` or ``"train+val"``.
        mirrors: whether mirrored alphabets train, too, where the recipe knows them.
        out: folder of the results, or None for the default.
        data_root: folder of the archives, or None.
        device: name.
        precision: name.
        compile: whether ``torch.compile`` translates the networks.
        tensorboard: folder of the fits' courses, or None.
    """

    storage: str
    study_name: str | None
    trial: int | None
    image_size: int | None
    n_seeds: int
    max_epochs: int | None
    train_on: str
    mirrors: bool
    out: Path | None
    data_root: Path | None
    device: str
    precision: str
    compile: bool
    tensorboard: Path | None


@dataclass(frozen=True)
class RetrainPlan:
    """The fits of a retraining.

    Args:
        config: of every fit.
        seeds: one fit each.
        train: its drawings.
        validation: chooses the epoch; None where the validation alphabets are trained on.
        split: on the device, for the figures.
        compute: where to compute, and how.
        folder: for networks, results and the checkpoints of fits under way.
        tensorboard: for the fits' courses, or None.
        facts: where the configuration comes from, as JSON values.
    """

    config: Config
    seeds: list[int]
    train: Drawings
    validation: Validation | None
    split: Split
    compute: ComputeConfig
    folder: Path
    tensorboard: Path | None
    facts: dict[str, Any]

    def network(self, seed: int) -> Path:
        """Return where a seed's trained network is kept."""
        return self.folder / f"seed-{seed}.pt"

    def tensorboard_folder(self, seed: int) -> Path | None:
        """Return the folder of a seed's course for TensorBoard, or None."""
        return self.tensorboard and self.tensorboard / self.folder.name / f"seed-{seed}"

    def checkpoint(self, seed: int) -> Path:
        """Return where a seed's fit that is under way is kept."""
        return self.folder / f"seed-{seed}.fit.pt"


def make_plan(request: RetrainRequest) -> RetrainPlan:
    """Return what to fit.

    Raises:
        InputError: no such study or trial, other data than the study's, or no such device.
    """
    url = storage_or_reference(request.storage)
    folder = image_folder_name(request.data_root)
    with open_stored_study(url, request.study_name, folder=folder) as (storage, study, settings):
        trial = choose_trial(study, request.trial)
        digest = study.user_attrs[IDENTITY]["data_digest"]
        worth = describe_value(study, trial)
        seconds = busy_seconds(study) + sum(map(busy_seconds, finalist_studies(storage, study)))
    compute = choose_compute(request.device, request.precision, request.compile)
    mirrors = request.mirrors and settings.recipe == "episode"
    config = refit_config(settings, trial, request.max_epochs, request.image_size, mirrors)
    packed = load_dataset(
        settings.data, request.data_root, config.model.image_size, or_glyphs=False
    )
    require_digest(packed.drawings.digest, digest)
    parts = split_dataset(packed).to(compute.device)
    both = request.train_on == "train+val"
    episodes = VALIDATION_EPISODES[settings.validation](parts.val)
    return RetrainPlan(
        config=config,
        # Not the study's own seed: the winner may owe a little of its rank to that one.
        seeds=[settings.seed + 1 + i for i in range(request.n_seeds)],
        train=merge_train_and_val(packed.drawings) if both else parts.train,
        validation=None if both else Validation(parts.val, episodes),
        split=parts,
        compute=compute,
        folder=request.out or default_out(study.study_name, trial.number, request),
        tensorboard=request.tensorboard,
        facts={
            "storage": redact_storage(url),
            "study": study.study_name,
            "trial": trial.number,
            "study_value": trial.value,
            "worth": worth,
            "study_seconds": round(seconds, 1),
            "train_on": request.train_on,
        },
    )


def default_out(study_name: str, trial: int, request: RetrainRequest) -> Path:
    """Return where a retraining's files go unless --out says otherwise."""
    pixels = f"-{request.image_size}px" if request.image_size else ""
    epochs = f"-{request.max_epochs}epochs" if request.max_epochs else ""
    mirrors = "" if request.mirrors else "-no-mirrors"
    part = request.train_on.replace("+", "-")
    name = f"{study_name}-{trial}-{part}{pixels}{epochs}{mirrors}"
    return Path("var/retrain") / safe_name(name)


def require_digest(found: str, expected: str) -> None:
    """Raise unless the data is what was trained on before."""
    if found != expected:
        raise InputError(
            "The data must be what was trained on, but its digest is "
            f"{found[:12]} and that was {expected[:12]}. Name the right --data-root."
        )


# A trial is short so that many can be tried; the winner is worth a longer fit.
EPOCHS_FACTOR = {"episode": 6, "paper": 1}


def refit_config(
    settings: StudySettings,
    trial: FrozenTrial,
    max_epochs: int | None = None,
    image_size: int | None = None,
    mirrors: bool = False,
) -> Config:
    """Return the trial's configuration, rebuilt by the search's own function, with a longer fit.

    Args:
        settings: of the study.
        trial: whose parameters.
        max_epochs: of the fit, or None for the default.
        image_size: in pixels, or None for the study's; kernels grow with it, steps stay.
        mirrors: whether mirrored alphabets train as further ones, which pays in long fits.
    """
    config = suggest_config(FixedTrial(trial.params), base_config(settings), settings.search)
    epochs = max_epochs or settings.max_epochs * EPOCHS_FACTOR[settings.recipe]
    if image_size:
        config = replace(config, model=resize_model(config.conv, image_size))
    return replace(config, fit=replace(config.fit, max_epochs=epochs, mirrors=mirrors))
