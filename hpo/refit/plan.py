"""The plan of a retraining: from a study's best trial to configuration, data and seeds of its fits.

This is the first module that uses the test alphabets; a study only loads them with the data set.
"""

from dataclasses import dataclass, replace
from hashlib import sha256
from pathlib import Path

from optuna.trial import FixedTrial, FrozenTrial

from data.drawings import Drawings
from data.episodes import VALIDATION_EPISODES
from data.errors import InputError
from data.files import short_name
from data.load import image_folder_name, load_dataset
from data.paths import VAR
from data.splits import Split, merge_train_and_val, split_dataset
from data.text import redact_storage
from hpo.refit.result import TrialOrigin
from hpo.search.finalists import finalist_studies
from hpo.search.winner import choose_trial, describe_value
from hpo.space.configuration import resize_model, suggest_config
from hpo.study.budget import busy_seconds
from hpo.study.open import FOLDER, IDENTITY, open_stored_study, storage_or_reference
from hpo.study.settings import StudySettings, base_config
from model.config import Config
from model.device import ComputeConfig, choose_compute
from model.train import Validation

RETRAIN_FOLDER = VAR / "retrain"
# The trials of a search are short so that many fit into its budget; a refit is longer.
EPOCHS_FACTOR = {"episode": 6, "paper": 1}


@dataclass(frozen=True)
class RetrainRequest:
    """The flags of retrain_best.py.

    Args:
        storage: address of the database.
        study_name: name of the study, or None for the one whose last trial started latest.
        trial: number of the trial, or None for the winner.
        image_size: size of the images in pixels, or None for the size in the study.
        n_seeds: number of fits.
        max_epochs: maximum number of epochs of a fit, or None for the default.
        train_on: ``"train"`` or ``"train+val"``.
        mirrors: whether mirrored alphabets are added to the training (episode recipe only).
        out: folder of the results, or None for the default.
        data_root: folder of the data, or None for the default.
        device: name of the device.
        precision: name of the number format.
        compile: whether the networks are compiled with ``torch.compile``.
        tensorboard: folder of the TensorBoard logs, or None for no logs.
        again: whether to repeat the fits and evaluations whose results are already in the folder.
        test: whether the networks are evaluated on the test; otherwise only on validation.
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
    again: bool = False
    test: bool = True


@dataclass(frozen=True)
class RetrainPlan:
    """The fits of a retraining.

    Args:
        config: configuration of every fit.
        seeds: seed of each fit.
        train: drawings to train on.
        validation: drawings and episodes that choose the best epoch; None if they are trained on.
        split: data set for the evaluation; its validation and test drawings are on the device.
        compute: device and number format.
        folder: folder of networks, results and the checkpoints of unfinished fits.
        tensorboard: folder of the TensorBoard logs, or None for no logs.
        origin: trial that is refitted.
    """

    config: Config
    seeds: list[int]
    train: Drawings
    validation: Validation | None
    split: Split
    compute: ComputeConfig
    folder: Path
    tensorboard: Path | None
    origin: TrialOrigin

    def network(self, seed: int) -> Path:
        """Return the file of a seed's trained network."""
        return self.folder / f"seed-{seed}.pt"

    def tensorboard_folder(self, seed: int) -> Path | None:
        """Return the folder of a seed's TensorBoard log, or None for no log."""
        return self.tensorboard and self.tensorboard / self.folder.name / f"seed-{seed}"

    def checkpoint(self, seed: int) -> Path:
        """Return the file of the checkpoint of a seed's unfinished fit."""
        return self.folder / f"seed-{seed}.fit.pt"


def make_plan(request: RetrainRequest) -> RetrainPlan:
    """Return the plan of a retraining. This reads the study, loads the data and chooses the device.

    Raises:
        InputError: study, trial or device does not exist, or the data is not the same as before.
    """
    url = storage_or_reference(request.storage)
    folder = image_folder_name(request.data_root)
    with open_stored_study(url, request.study_name, folder=folder) as (storage, study, settings):
        trial = choose_trial(study, request.trial)
        digest = study.user_attrs[IDENTITY]["data_digest"]
        value_text = describe_value(study, trial)
        seconds = busy_seconds(study) + sum(map(busy_seconds, finalist_studies(storage, study)))
        identifier = f"{redact_storage(url)} {study.user_attrs.get(FOLDER, '')}"
    compute = choose_compute(request.device, request.precision, request.compile)
    mirrors = request.mirrors and settings.recipe == "episode"
    config = refit_config(settings, trial, request.max_epochs, request.image_size, mirrors)
    dataset = load_dataset(
        settings.data, request.data_root, config.model.image_size, or_glyphs=False
    )
    require_digest(dataset.drawings.digest, digest)
    split = split_dataset(dataset).to(compute.device)
    train_on_val = request.train_on == "train+val"
    episodes = VALIDATION_EPISODES[settings.validation](split.val)
    assert trial.value is not None  # a complete trial
    # Not the seed of the study, with which the accuracy of the best trial is too high on average.
    seeds = [settings.seed + 1 + i for i in range(request.n_seeds)]
    name = folder_name(study.study_name, trial.number, request, compute.precision, seeds)
    return RetrainPlan(
        config=config,
        seeds=seeds,
        train=merge_train_and_val(dataset.drawings) if train_on_val else split.train,
        validation=None if train_on_val else Validation(split.val, episodes),
        split=split,
        compute=compute,
        folder=request.out or default_folder(name, identifier),
        tensorboard=request.tensorboard,
        origin=TrialOrigin(
            storage=redact_storage(url),
            study=study.study_name,
            trial=trial.number,
            study_value=trial.value,
            study_seconds=round(seconds, 1),
            train_on=request.train_on,
            value_text=value_text,
        ),
    )


def default_folder(name: str, identifier: str) -> Path:
    """Return the folder of the results if ``--out`` is not given.

    Args:
        name: from :func:`folder_name`.
        identifier: text that differs between studies of the same name.
    """
    return RETRAIN_FOLDER / short_name(f"{name}-{sha256(identifier.encode()).hexdigest()[:8]}")


def folder_name(
    study_name: str, trial: int, request: RetrainRequest, precision: str, seeds: list[int]
) -> str:
    """Return a folder name; different retrainings of a study have different names.

    Args:
        study_name: name of the study.
        trial: number of the trial.
        request: the flags.
        precision: number format that is used; ``--precision auto`` chooses it.
        seeds: seed of each fit.
    """
    pixels = f"-{request.image_size}px" if request.image_size else ""
    epochs = f"-{request.max_epochs}epochs" if request.max_epochs else ""
    mirrors = "" if request.mirrors else "-no-mirrors"
    part = request.train_on.replace("+", "-")
    name = f"{study_name}-{trial}-{part}{pixels}{epochs}{mirrors}"
    return f"{name}-{precision}-seeds{seeds[0]}-{seeds[-1]}"


def require_digest(digest: str, expected: str) -> None:
    """Raise InputError unless the data is the same as in the study or the saved network.

    Raises:
        InputError: the digests differ.
    """
    if digest != expected:
        raise InputError(
            "The data must be the same as in training, but its digest is "
            f"{digest[:12]} instead of {expected[:12]}. Correct --data-root."
        )


def refit_config(
    settings: StudySettings,
    trial: FrozenTrial,
    max_epochs: int | None = None,
    image_size: int | None = None,
    mirrors: bool = False,
) -> Config:
    """Return the configuration of a trial, built as in the search, but with a longer fit.

    Args:
        settings: settings of the study.
        trial: trial with the parameters.
        max_epochs: maximum number of epochs, or None for the default.
        image_size: size of the images in pixels, or None for the size in the study. Kernels scale
            with it; the number of steps per epoch does not change.
        mirrors: whether mirrored alphabets are added to the training; at 35 pixels, the gain is
            hardly more than the noise (docs/results.md).
    """
    config = suggest_config(FixedTrial(trial.params), base_config(settings), settings.search)
    epochs = max_epochs or settings.max_epochs * EPOCHS_FACTOR[settings.recipe]
    if image_size:
        config = replace(config, model=resize_model(config.conv, image_size))
    return replace(config, fit=replace(config.fit, max_epochs=epochs, mirrors=mirrors))
