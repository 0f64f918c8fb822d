"""What a person asks of a study, and the identity that follows from it.

What a process needs to take part in a study."""

import hashlib
import json
from dataclasses import asdict, dataclass, replace
from importlib.metadata import version
from pathlib import Path
from typing import Any

from optuna.distributions import distribution_to_json

from data.drawings import Drawings
from data.episodes import Episodes
from data.image_folder import parse_dataset_name
from data.paths import VAR
from hpo.space.ranges import GROUPS, paper_model, search_space
from hpo.study.budget import Budget
from hpo.study.sampler import local_arguments, pruner_arguments, sampler_arguments
from model.architecture import LAYERS, require
from model.config import Config, FitConfig, LayerRates
from model.schema import SCHEMA, upgrade

# Epochs of one trial. The paper's own recipe has 200; its patience usually ends it earlier.
DEFAULT_EPOCHS = {"episode": 8, "paper": 200}


@dataclass(frozen=True)
class StudySettings:
    """The choices that make two studies comparable or not.

    Args:
        data: ``"omniglot"``, ``"glyphs"``, or the name of a :class:`data.image_folder.ImageFolder`.
        image_size: pixels.
        recipe: ``"episode"`` or ``"paper"``.
        max_epochs: epochs of a trial at most.
        steps_per_epoch: optimiser steps per epoch of the base network (episode recipe).
        n_pairs: pairs per epoch (paper recipe).
        search: searched groups of the space.
        init: ``"scaled"`` or ``"paper"``.
        validation: ``"dense"`` or ``"paper"`` (320 episodes).
        sampler: ``"tpe"``, ``"gp"`` or ``"random"``.
        pruner: ``"median"``, ``"hyperband"`` or ``"none"``.
        seed: of the study and of every trial's fit, so that trials differ by parameters alone.
    """

    data: str = "omniglot"
    image_size: int = 35
    recipe: str = "episode"
    max_epochs: int = DEFAULT_EPOCHS["episode"]
    steps_per_epoch: int = 50
    n_pairs: int = 30_000
    search: tuple[str, ...] = GROUPS
    init: str = "scaled"
    validation: str = "dense"
    sampler: str = "tpe"
    pruner: str = "median"
    seed: int = 0

    def __post_init__(self) -> None:
        """Refuse lengths that are none, and build the base once to refuse impossible ones."""
        require(self.max_epochs >= 1, "max_epochs >= 1", self.max_epochs, "Raise --max-epochs.")
        require(0 <= self.seed < 2**32, "0 <= seed < 2**32", self.seed, "Choose another --seed.")
        base_config(self)

    @classmethod
    def from_dict(cls, values: dict[str, Any]) -> "StudySettings":
        """Return the settings that ``asdict`` described, of any schema."""
        values = upgrade("settings", values)
        return cls(**{**values, "search": tuple(values["search"])})


def base_config(settings: StudySettings) -> Config:
    """Return the configuration whose values hold wherever nothing is searched.

    Its architecture is the paper's best; its rates were found by hand on validation, for the paper
    does not report its own.
    """
    fit = FitConfig(
        recipe=settings.recipe,
        rates=(LayerRates(lr=0.03, momentum=0.9, l2_penalty=0.0),) * len(LAYERS),
        max_epochs=settings.max_epochs,
        steps_per_epoch=settings.steps_per_epoch,
        n_pairs=settings.n_pairs,
    )
    if settings.recipe == "paper":
        fit = replace(
            fit, schedule="exponential", ramp_epochs=10, nesterov=False, turns=False, ema=0.0
        )
    tree = parse_dataset_name(settings.data)
    model = paper_model(settings.image_size, settings.init)
    return Config(replace(model, channels=tree.channels if tree else 1), fit)


def study_identity(
    settings: StudySettings, train: Drawings, val: Drawings, episodes: Episodes
) -> dict[str, Any]:
    """Return all that must be equal for a study to be resumed, as JSON values."""
    asked = hashlib.sha256()
    for tensor in (episodes.query_RQ, episodes.support_RS, episodes.target_RQ):
        asked.update(tensor.cpu().numpy().tobytes())
    space = search_space(settings.image_size, settings.search)
    content = {
        "schema": SCHEMA,
        "settings": asdict(settings),
        "base": base_config(settings).to_dict(),
        "space": {name: json.loads(distribution_to_json(d)) for name, d in space.items()},
        "data_digest": train.digest,
        "train_alphabets": list(train.alphabets),
        "val_alphabets": list(val.alphabets),
        "episodes": asked.hexdigest(),
        "direction": "maximize",
        "sampler": sampler_arguments(settings.sampler),
        "local": local_arguments(settings.sampler),
        "pruner": pruner_arguments(settings.pruner, settings.max_epochs),
        "version": version("siamese-hpo"),
    }
    return dict(json.loads(json.dumps(content)))


def identity_differences(
    stored: dict[str, Any], asked: dict[str, Any], prefix: str = ""
) -> list[str]:
    """Return one line ``name: stored → asked`` for every leaf in which two identities differ."""
    lines = []
    for name in sorted(stored.keys() | asked.keys()):
        ours, theirs = stored.get(name), asked.get(name)
        if isinstance(ours, dict) and isinstance(theirs, dict):
            lines += identity_differences(ours, theirs, f"{prefix}{name}.")
        elif ours != theirs:
            lines.append(f"{prefix}{name}: {ours} → {theirs}")
    return lines


@dataclass(frozen=True)
class RunConfig:
    """Plain values, so that they can be sent to another process or host.

    Args:
        settings: of the study.
        storage: database address.
        study_name: of the study.
        budget: what ends the study.
        data_root: folder of the archives, or None.
        device: ``"auto"``, ``"cpu"``, ``"cuda"`` …
        precision: ``"auto"``, ``"float32"`` or ``"bfloat16"``.
        workers: number of training processes.
        heartbeat: seconds between two signs of life of a trial.
        epoch_timeout: seconds without a finished epoch after which a trial is taken to hang.
        checkpoint_interval: time between two checkpoints of a trial under way.
        max_retries: how often an interrupted trial is taken up again.
        n_finalists: trials that are fitted again when the study is finished; also the number of
            trials whose networks are kept.
        n_finalist_seeds: fits of each.
        var: folder of the files that are kept of the trials.
        tensorboard: folder of the fits' courses, or None.
        packed: file of the packed data set, or None for what ``data_root`` holds.
    """

    settings: StudySettings
    storage: str
    study_name: str
    budget: Budget
    data_root: Path | None = None
    device: str = "auto"
    precision: str = "auto"
    workers: int = 1
    heartbeat: int = 60
    epoch_timeout: float = 3600.0
    checkpoint_interval: float = 10.0
    max_retries: int = 2
    n_finalists: int = 5
    n_finalist_seeds: int = 2
    var: Path = VAR
    tensorboard: Path | None = None
    packed: Path | None = None
