"""The plan of a retraining: from a study's best trial to configuration, data and seeds of its fits.

This is the first module that uses the test alphabets; a study only loads them with the data set.
"""

from collections.abc import Mapping
from dataclasses import dataclass, fields, replace
from pathlib import Path
from typing import Any

from optuna.trial import FixedTrial

from data.drawings import Drawings
from data.errors import InputError
from data.splits import Split, merge_train_and_val
from hpo.refit.folder import default_folder, folder_name
from hpo.refit.result import TrialOrigin
from hpo.refit.settings import RefitSettings, RetrainConfig
from hpo.refit.source import RefitSource, refit_source
from hpo.search.kept_networks import KeptNetworks
from hpo.search.winner import fresh_seeds
from hpo.settings.base_config import base_config
from hpo.settings.config_text import study_sections
from hpo.settings.start import choose_image_size
from hpo.settings.study_settings import StudySettings
from hpo.space.distributions import suggest_config
from hpo.space.kernels import resize_model
from hpo.study.dataset import load_data, split_data, validation_episodes
from hpo.study.leaks import require_unseen
from model.architecture import ModelConfig
from model.config import Architecture, Config
from model.device import ComputeConfig, choose_compute
from model.start_weights import StartWeights, load_start_weights
from model.train import Validation


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
        origin: what is refitted.
        settings: settings of the study.
        sections: sections of a settings file that repeats the retraining.
        kept: networks of the refitted trial that the study has kept.
        start: weights from which every fit starts; None for random weights.
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
    settings: StudySettings
    sections: dict[str, Any]
    kept: KeptNetworks
    start: StartWeights | None = None

    def network(self, seed: int) -> Path:
        """Return the file of a seed's trained network."""
        return self.folder / f"seed-{seed}.pt"

    def chosen_network(self, seed: int) -> Path:
        """Return the file of a network of the study whose fit chose the winner."""
        return self.folder / f"chosen-{seed}.pt"

    def tensorboard_folder(self, seed: int) -> Path | None:
        """Return the folder of a seed's TensorBoard log, or None for no log."""
        return self.tensorboard and self.tensorboard / self.folder.name / f"seed-{seed}"

    def checkpoint(self, seed: int) -> Path:
        """Return the file of the checkpoint of a seed's unfinished fit."""
        return self.folder / f"seed-{seed}.fit.pt"


def make_plan(request: RetrainConfig) -> RetrainPlan:
    """Return the plan of a retraining. This reads the study, loads the data and chooses the device.

    Raises:
        InputError: study, trial or device does not exist, or the data is not the same as before.
    """
    source = refit_source(request)
    settings = source.settings
    compute = choose_compute(request.device, request.precision, request.compile)
    config = refit_config(
        settings, source.params, request.max_epochs, request.image_size, request.mirrors
    )
    size = config.model.image_size
    dataset = load_data(settings, request.data_root, size, or_glyphs=False)
    if source.data_digest is not None:
        require_digest(dataset.drawings.digest, source.data_digest)
    split = split_data(settings, dataset).to(compute.device)
    require_unseen(settings, split)
    train_on_val = request.train_on == "train+val"
    # Not the seeds of the search, with which the accuracy of its best trial is too high on average.
    seeds = fresh_seeds(settings.seed, request.n_seeds)
    name = folder_name(source.origin, request, compute.precision, seeds)
    return RetrainPlan(
        config=config,
        seeds=seeds,
        train=merge_train_and_val(dataset.drawings, settings.division)
        if train_on_val
        else split.train,
        validation=None if train_on_val else _validation(settings, split),
        split=split,
        compute=compute,
        folder=request.out or default_folder(name, source.identifier),
        tensorboard=request.tensorboard,
        origin=source.origin,
        settings=settings,
        sections=retrain_sections(request, source),
        kept=source.kept,
        start=_start(settings, source),
    )


def _start(settings: StudySettings, source: RefitSource) -> StartWeights | None:
    start = settings.start_from
    return load_start_weights(start, source.start_copy) if start else None


def _validation(settings: StudySettings, split: Split) -> Validation:
    return Validation(split.val, validation_episodes(settings, split.val))


def retrain_sections(request: RetrainConfig, source: RefitSource) -> dict[str, Any]:
    """Return the sections of a settings file that repeats a retraining without its study.

    Args:
        request: settings of the retraining.
        source: what it refits.
    """
    values = {f.name: getattr(request, f.name) for f in fields(RefitSettings)}
    given = {name: value for name, value in values.items() if value is not None}
    given.pop("trial", None)  # the point replaces it
    return study_sections(source.settings, source.params) | {"retrain": given}


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


def _resized(model: Architecture, image_size: int) -> Architecture:
    """Return an architecture for another image size, in pixels."""
    if isinstance(model, ModelConfig):
        return resize_model(model, image_size)
    return replace(model, image_size=image_size)


def refit_config(
    settings: StudySettings,
    params: Mapping[str, Any],
    max_epochs: int | None = None,
    image_size: int | None = None,
    mirrors: bool | None = None,
) -> Config:
    """Return the configuration of a trial, built as in the search.

    Args:
        settings: settings of the study.
        params: searched parameters of the trial.
        max_epochs: maximum number of epochs, or None for the default.
        image_size: size of the images in pixels, or None for the size in the study. Kernels scale
            with it; the number of steps per epoch does not change.
        mirrors: whether mirrored alphabets are added to the training; None for as in the trial if
            the study searched it, otherwise yes with the episode recipe and no with the paper's.
            At 35 pixels, the gain is hardly more than the noise (docs/results.md).

    Raises:
        InputError: the fits start from a network for another image size.
    """
    config = suggest_config(FixedTrial(dict(params)), base_config(settings), settings.space)
    epochs = max_epochs or settings.max_epochs
    choose_image_size(image_size, settings.start_from)  # refuses another size
    if image_size:
        config = replace(config, model=_resized(config.model, image_size))
    if mirrors is None:
        is_searched = "fit.mirrors" in settings.space.parameters
        mirrors = config.fit.mirrors if is_searched else settings.recipe == "episode"
    return replace(config, fit=replace(config.fit, max_epochs=epochs, mirrors=mirrors))
