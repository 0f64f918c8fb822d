"""The settings of a study by section: what it is, how long it runs, and on which machine.

Each setting is a field of one of these classes and described once, in the docstring of its class:
command line, settings file, help, reference page and validation are made from it.
"""

from dataclasses import dataclass
from typing import Literal

from hpo.settings.value_types import (
    NetworkName,
    NonNegativeInt,
    Pixels,
    PositiveDuration,
    PositiveInt,
    Seed,
    SpaceSetting,
    StartNetworkSetting,
    StepCostSetting,
    StudyName,
)

Recipe = Literal["episode", "paper"]
Goal = Literal["accuracy", "flops"]
Direction = Literal["maximize", "minimize"]
DIRECTIONS: dict[Goal, Direction] = {"accuracy": "maximize", "flops": "minimize"}
# Epochs of a fit. The paper's recipe has 200; early stopping usually ends the fit earlier.
DEFAULT_EPOCHS = {"episode": 54, "paper": 200}
DEFAULT_SPACE = {"episode": "standard", "paper": "paper"}
DEFAULT_TRIALS = 20  # of a study without a time budget; see docs/search.md


@dataclass(frozen=True)
class DataSettings:
    """The images, and which of them train, validate and test.

    Args:
        data: data set: omniglot, glyphs (built in, no download), or the name of an image folder as
            a study prints it. With omniglot, a data root that contains other images is read as an
            image folder.
        image_size: height and width of the input in pixels; 105 in the paper (default: 35, or the
            size of the network of start_from).
        train: groups (alphabets) for training (default: as the data set divides them).
        val: groups for validation; required with train.
        test: groups for the test; required with train.
    """

    data: str = "omniglot"
    image_size: Pixels = None  # type: ignore[assignment]  # StudySettings chooses it
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
        max_epochs: maximum number of epochs of a fit, in the search and in a refit (default: 54 for
            episode, 200 for paper; with a time budget and no number of trials, more or fewer).
        steps_per_epoch: steps per epoch of the episode recipe for the paper's network at the
            reference costs; a slower network gets fewer, a faster one more.
        n_pairs: pairs per epoch of the paper recipe.
        network: network of your own in place of the built-in one, as module:function, for example
            my_net:make; see docs/networks.md.
        init: distribution of the initial weights of the built-in network.
        start_from: network whose weights all fits start from, in place of random ones: a file of
            retrain_best.py or of the kept networks of a study, or pretrained, the network that
            comes with the program. Its architecture is not searched; see docs/study.md.
        step_cost: costs from which the number of steps of each network is computed: reference, or
            the five numbers (ns) that a new study prints (default: a new study measures them).
            Every trial of a network of your own measures its cost.
    """

    recipe: Recipe = "episode"
    max_epochs: PositiveInt = None  # type: ignore[assignment]  # StudySettings chooses it
    steps_per_epoch: PositiveInt = 50
    n_pairs: PositiveInt = 30_000
    network: NetworkName | None = None
    init: Literal["scaled", "paper"] = "scaled"
    start_from: StartNetworkSetting | None = None
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
        space: search space: standard (rates shared by the layers, and factors of each layer), paper
            (27 parameters), recipe (17 more, of training and network), or a TOML file; see
            docs/spaces.md (default: standard for the episode recipe, paper for the paper recipe).
        objective: goals of the search: accuracy, or accuracy flops for the Pareto front of accuracy
            and floating-point operations of an embedding, without pruning and without a winner.
        sampler: method that chooses the parameters of a new trial.
        pruner: rule that stops trials early (default: halving; none for gp, which cannot use pruned
            trials, and for two goals). halving compares trials at up to three rungs (of 54
            epochs: after 3, 9 and 27) and continues about one in three at each.
        seed: seed of the study.
        trial_seeds: seeds of the fits of the trials: own, so that no configuration is chosen for
            the luck of one seed, or shared, the seed of the study.
    """

    space: SpaceSetting = None  # type: ignore[assignment]  # StudySettings chooses it
    objective: tuple[Goal, ...] = ("accuracy",)
    sampler: Literal["tpe", "gp", "random"] = "tpe"
    pruner: Literal["halving", "median", "hyperband", "none"] = None  # type: ignore[assignment]
    seed: Seed = 0
    trial_seeds: Literal["own", "shared"] = "own"


@dataclass(frozen=True)
class NameSettings:
    """The name of a study.

    Args:
        study_name: name of the study (default: made from data, image size, recipe, goals and
            space).
    """

    study_name: StudyName | None = None


@dataclass(frozen=True)
class RunSettings:
    """How long a study runs, and how its winner is chosen.

    Args:
        n_trials: number of trials of the study, over all runs and hosts (default: 20, or as many
            as the time budget allows).
        time_budget: training time of the trials and the finalists, over all runs and hosts, for
            example 90s, 15m or 2h (default: no limit). The study measures how long an epoch takes
            when it begins, and chooses from that how long a fit is (max_epochs) and how many trials
            to expect; from then on epochs are counted.
        patience_trials: end the search when this many trials in a row have not improved the best
            accuracy (default: never).
        n_finalists: maximum number of finalists: the default, and the best trials that are better.
            They are refitted with new seeds to choose the winner. If no trial is better, the
            default wins. 0 or 1: no finalists. A study of two goals has none.
        n_finalist_seeds: number of further fits of each finalist, and of the winner.
    """

    n_trials: PositiveInt = None  # type: ignore[assignment]  # StudyConfig chooses it
    time_budget: PositiveDuration | None = None
    patience_trials: PositiveInt | None = None
    n_finalists: NonNegativeInt = 2
    n_finalist_seeds: PositiveInt = 1
