"""The settings of a study by section: what it is, how long it runs, and on which machine.

Each setting is a field of one of these classes and described once, in the docstring of its class:
command line, settings file, help, reference page and validation are made from it.
"""

from dataclasses import dataclass, field
from typing import Literal

from data.paths import DEFAULT_STORAGE
from hpo.space.files import built_in_space
from hpo.study.setting_types import (
    Duration,
    FolderPath,
    NonNegativeFloat,
    NonNegativeInt,
    Pixels,
    PositiveDuration,
    PositiveInt,
    Seed,
    SpaceSetting,
    StepCostSetting,
    StorageAddress,
    StudyName,
    WholeSeconds,
)

Recipe = Literal["episode", "paper"]
Goal = Literal["accuracy", "flops"]
# Epochs of a trial. The paper's recipe has 200; early stopping usually ends the fit earlier.
DEFAULT_EPOCHS = {"episode": 8, "paper": 200}


@dataclass(frozen=True)
class DataSettings:
    """The images, and which of them train, validate and test.

    Args:
        data: data set: omniglot, glyphs (built in, no download), or the name of an image folder as
            a study prints it. With omniglot, a data root that contains other images is read as an
            image folder.
        image_size: height and width of the input in pixels; 105 in the paper.
        train: names of the groups (alphabets) that train. Default: the division of the data set.
        val: names of the groups that validate; needed with train.
        test: names of the groups that test; needed with train.
    """

    data: str = "omniglot"
    image_size: Pixels = 35
    train: tuple[str, ...] = ()
    val: tuple[str, ...] = ()
    test: tuple[str, ...] = ()


@dataclass(frozen=True)
class FolderSettings:
    """How a folder of your own images is read.

    Args:
        split_by: what is divided among train, val and test, in folders group/class or class
            (default: group if there are at least three groups, otherwise class). With class,
            classes of the same name in several groups are one class.
        drop_duplicates: if several images are equal, read only one of them.
        colour: keep the colours of the images.
    """

    split_by: Literal["group", "class"] | None = None
    drop_duplicates: bool = False
    colour: bool = False


@dataclass(frozen=True)
class TrainingSettings:
    """How a trial trains.

    Args:
        recipe: episode trains on the one-shot task itself, paper trains on independent pairs.
        max_epochs: maximum number of epochs of a trial (default: 8 for episode, 200 for paper).
        steps_per_epoch: steps per epoch of the episode recipe for the default network; a slower
            network takes fewer steps.
        n_pairs: pairs per epoch of the paper recipe.
        init: distribution of the initial weights.
        step_cost: costs of a step, by which a slower network takes fewer steps: reference, or five
            numbers as printed by a new study (default: a new study measures them).
    """

    recipe: Recipe = "episode"
    max_epochs: PositiveInt = None  # type: ignore[assignment]  # StudySettings chooses it
    steps_per_epoch: PositiveInt = 50
    n_pairs: PositiveInt = 30_000
    init: Literal["scaled", "paper"] = "scaled"
    step_cost: StepCostSetting | None = None


@dataclass(frozen=True)
class EvaluationSettings:
    """The episodes that the objective and the test measure.

    Args:
        validation: validation episodes: paper uses 320, as in the paper, dense uses many more.
        n_way: number of candidates of an episode; fewer if a group has fewer classes.
        n_shot: number of images of each candidate.
    """

    validation: Literal["dense", "paper"] = "dense"
    n_way: PositiveInt = 20
    n_shot: PositiveInt = 1


@dataclass(frozen=True)
class SearchSettings:
    """What is searched, and how.

    Args:
        space: search space: paper (27 parameters), recipe (those and the training recipe's), or a
            TOML file; see docs/spaces.md.
        objective: goals of the search. accuracy flops searches a Pareto front, without pruning.
        sampler: method that chooses the parameters of a new trial.
        pruner: rule that stops trials early (default: median; none for gp, which cannot use pruned
            trials, and for two goals).
        seed: seed of the study and of the fits of all trials, so that trials differ only in their
            parameters.
    """

    space: SpaceSetting = field(default_factory=lambda: built_in_space("paper"))
    objective: tuple[Goal, ...] = ("accuracy",)
    sampler: Literal["tpe", "gp", "random"] = "tpe"
    pruner: Literal["median", "hyperband", "none"] = None  # type: ignore[assignment]
    seed: Seed = 0


@dataclass(frozen=True)
class NameSettings:
    """Which study.

    Args:
        study_name: name of the study (default: made from data, image size, recipe and space).
    """

    study_name: StudyName | None = None


@dataclass(frozen=True)
class RunSettings:
    """How long a study runs, and how its winner is chosen.

    Args:
        n_trials: number of trials of the study, over all runs and hosts.
        time_budget: training time of the trials and the finalists, over all runs and hosts, for
            example 90s, 15m or 2h (default: no limit).
        patience_trials: end the search when this many trials in a row have not improved the best
            value (default: never).
        n_finalists: when all trials have finished, refit this many of the best with new seeds to
            choose the winner; 0 or 1 refits none.
        n_finalist_seeds: number of fits of each finalist.
    """

    n_trials: PositiveInt = 30
    time_budget: PositiveDuration | None = None
    patience_trials: PositiveInt | None = None
    n_finalists: NonNegativeInt = 5
    n_finalist_seeds: PositiveInt = 2


@dataclass(frozen=True)
class StorageSettings:
    """Where studies are stored.

    Args:
        storage: address of the database that contains the study.
    """

    storage: StorageAddress = DEFAULT_STORAGE


@dataclass(frozen=True)
class DataRootSettings:
    """Where the images are.

    Args:
        data_root: folder of Omniglot, or of your own images (default: $OMNIGLOT_ROOT if it is set,
            otherwise ./var).
    """

    data_root: FolderPath | None = None


@dataclass(frozen=True)
class DeviceSettings:
    """What computes.

    Args:
        device: device to compute on: auto (a GPU if there is one), cpu, cuda, cuda:1, ….
        precision: number format; auto uses bfloat16 where it is fast.
    """

    device: str = "auto"
    precision: Literal["auto", "float32", "bfloat16"] = "auto"


@dataclass(frozen=True)
class LogSettings:
    """What is logged.

    Args:
        tensorboard: write TensorBoard logs of all fits to this folder (default: no log).
    """

    tensorboard: FolderPath | None = None


@dataclass(frozen=True)
class WorkerSettings:
    """The processes that train, and the files that they keep.

    Args:
        workers: number of training processes, which share the CPU cores.
        ray: run the workers on the Ray cluster at this address; without an address, on the cluster
            of this host (default: no Ray).
        gpus_per_worker: number of GPUs of each worker on a Ray cluster; a fraction shares a GPU, 0
            uses CPUs.
        epoch_timeout: restart a worker that completes no epoch for this long (default: 1h).
        max_retries: maximum number of retries of a trial whose worker crashed; then it counts as
            failed.
        checkpoint_interval: minimum time between two checkpoints of a running trial (default: 10s).
        heartbeat: time between two heartbeats of a running trial; after five missed heartbeats,
            another host retries the trial (default: 60s).
        n_networks: number of best trials whose networks are kept on disk.
    """

    workers: PositiveInt = 1
    ray: str | None = None
    gpus_per_worker: NonNegativeFloat = 0.0
    epoch_timeout: PositiveDuration = 3600.0
    max_retries: NonNegativeInt = 2
    checkpoint_interval: Duration = 10.0
    heartbeat: WholeSeconds = 60
    n_networks: NonNegativeInt = 5


@dataclass(frozen=True)
class MachineSettings(
    LogSettings, WorkerSettings, DeviceSettings, DataRootSettings, StorageSettings
):
    """What belongs to the machine; reports and results do not contain it."""
