"""What a study is, and how it is run.

:class:`StudySettings` are the choices of a user that define a study. :func:`study_identity` adds
everything that follows from them; a study is resumed only if its stored identity is equal.
:class:`RunConfig` is what a process needs to work on a study: where it is stored, how long it runs
and on which device.
"""

import hashlib
import json
from dataclasses import asdict, dataclass, replace
from importlib.metadata import version
from pathlib import Path
from typing import Any

from optuna.distributions import distribution_to_json

from data.drawings import Drawings
from data.episodes import Episodes
from data.errors import require
from data.image_folder import parse_dataset_name
from data.paths import VAR
from hpo.space.ranges import GROUPS, paper_model, search_space
from hpo.study.budget import Budget
from hpo.study.sampler import local_arguments, pruner_arguments, sampler_arguments
from model.architecture import LAYERS
from model.config import REFERENCE_COST, Config, FitConfig, LayerRates, StepCost
from model.fit_state import TRAINING_VERSION
from model.schema import SCHEMA, upgrade

# Epochs of a trial. The paper's recipe has 200; early stopping usually ends the fit earlier.
DEFAULT_EPOCHS = {"episode": 8, "paper": 200}

DISTRIBUTION = "siamese-hpo"  # name of this program's package
# Fields of an identity that may differ; hpo.runtime.phases keeps the step costs of a stored study.
NOT_COMPARED = ("version", "settings.step_cost")


@dataclass(frozen=True)
class StudySettings:
    """The choices that define a study; studies with equal settings can be compared.

    Args:
        data: ``"omniglot"``, ``"glyphs"``, or the name of a :class:`data.image_folder.ImageFolder`.
        image_size: height and width of the images in pixels.
        recipe: ``"episode"`` or ``"paper"``.
        max_epochs: maximum number of epochs of a trial.
        steps_per_epoch: optimiser steps per epoch of the base network (episode recipe).
        n_pairs: pairs per epoch (paper recipe).
        search: searched groups, from :data:`hpo.space.ranges.GROUPS`.
        init: ``"scaled"`` or ``"paper"``.
        validation: ``"dense"`` or ``"paper"`` (320 episodes).
        sampler: ``"tpe"``, ``"gp"`` or ``"random"``.
        pruner: ``"median"``, ``"hyperband"`` or ``"none"``.
        seed: seed of the study and of the fits of all trials, so that trials differ only in their
            parameters.
        step_cost: costs by which the number of steps of a trial is chosen (episode recipe).
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
    step_cost: StepCost = REFERENCE_COST

    def __post_init__(self) -> None:
        """Check the settings; building the base configuration checks the rest."""
        require(self.max_epochs >= 1, "max_epochs >= 1", self.max_epochs, "Raise --max-epochs.")
        require(0 <= self.seed < 2**32, "0 <= seed < 2**32", self.seed, "Choose another --seed.")
        base_config(self)

    @classmethod
    def from_dict(cls, values: dict[str, Any]) -> "StudySettings":
        """Return stored settings of any schema."""
        values = upgrade("settings", values)
        values |= {"search": tuple(values["search"]), "step_cost": StepCost(**values["step_cost"])}
        return cls(**values)


@dataclass(frozen=True)
class RunConfig:
    """How a study is run. Holds plain values only, so that it can be sent to other processes.

    Args:
        settings: settings of the study.
        storage: database address.
        study_name: name of the study.
        budget: limits at which the study stops.
        data_root: folder of the data set, or None for the default.
        device: ``"auto"``, ``"cpu"``, ``"cuda"`` …
        precision: ``"auto"``, ``"float32"`` or ``"bfloat16"``.
        workers: number of worker processes.
        heartbeat: seconds between two heartbeats of a running trial.
        epoch_timeout: restart a worker that completes no epoch for this long, in seconds.
        checkpoint_interval: seconds between two checkpoints of a trial.
        max_retries: maximum number of retries of a trial whose process crashed.
        n_finalists: number of best trials that are refitted when the study is finished.
        n_finalist_seeds: number of fits of each finalist.
        n_networks: number of best trials whose networks are kept.
        var: folder of checkpoints, networks and images of the trials.
        tensorboard: folder of the TensorBoard logs, or None for no logs.
        packed: file of the packed data set, or None to load it from ``data_root``.
        measure_cost: whether a new study measures ``settings.step_cost``, and a stored study keeps
            its own.
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
    n_networks: int = 5
    var: Path = VAR
    tensorboard: Path | None = None
    packed: Path | None = None
    measure_cost: bool = False


def base_config(settings: StudySettings) -> Config:
    """Return the configuration that supplies the values of all parameters that are not searched.

    Its architecture is the best architecture of the paper. The paper does not report its learning
    rates; ours were chosen by hand on the validation alphabets.
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
    image_folder = parse_dataset_name(settings.data)
    model = paper_model(settings.image_size, settings.init)
    channels = image_folder.channels if image_folder else 1
    return Config(replace(model, channels=channels), fit, settings.step_cost)


def study_identity(
    settings: StudySettings, train: Drawings, val: Drawings, episodes: Episodes
) -> dict[str, Any]:
    """Return everything that must be equal for a study to be resumed, as JSON values.

    ``training_version`` is the version of the code that trains. ``version``, the version of the
    program, is stored with the identity but not compared.

    Args:
        settings: settings of the study.
        train: training drawings.
        val: validation drawings.
        episodes: validation episodes.
    """
    episode_digest = hashlib.sha256()
    for tensor in (episodes.query_RQ, episodes.support_RS, episodes.target_RQ):
        episode_digest.update(tensor.cpu().numpy().tobytes())
    space = search_space(settings.image_size, settings.search)
    identity = {
        "schema": SCHEMA,
        "settings": asdict(settings),
        "base": base_config(settings).to_dict(),
        "space": {name: json.loads(distribution_to_json(d)) for name, d in space.items()},
        "data_digest": train.digest,
        "train_alphabets": list(train.alphabets),
        "val_alphabets": list(val.alphabets),
        "episodes": episode_digest.hexdigest(),
        "direction": "maximize",
        "sampler": sampler_arguments(settings.sampler),
        "local": local_arguments(settings.sampler),
        "pruner": pruner_arguments(settings.pruner, settings.max_epochs),
        "training_version": TRAINING_VERSION,
        "version": version(DISTRIBUTION),
    }
    return dict(json.loads(json.dumps(identity)))


def identity_differences(
    stored: dict[str, Any], requested: dict[str, Any], prefix: str = ""
) -> list[str]:
    """Return the differences of two identities, as lines ``name: stored → requested``.

    Fields of :data:`NOT_COMPARED` are left out.

    Args:
        stored: identity of a stored study, under the current names.
        requested: identity of the requested settings.
        prefix: prefix of the names, for nested values.
    """
    lines = []
    for name in sorted(stored.keys() | requested.keys()):
        old, new = stored.get(name), requested.get(name)
        if prefix + name in NOT_COMPARED:
            continue
        if isinstance(old, dict) and isinstance(new, dict):
            lines += identity_differences(old, new, f"{prefix}{name}.")
        elif old != new:
            lines.append(f"{prefix}{name}: {old} → {new}")
    return lines


def version_note(identity: dict[str, Any]) -> str:
    """Return a note if another version of the program created a study; otherwise an empty text.

    Args:
        identity: stored identity of the study, of any schema.
    """
    created, current = identity.get("version"), version(DISTRIBUTION)
    if created in (None, current):
        return ""
    return (
        f"this study was created with version {created}; version {current} trains in the same way"
    )
