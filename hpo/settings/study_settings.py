"""The settings of a study, and of a study with its run and its machine.

The fields are those of the sections in :mod:`hpo.settings.sections`.
"""

from dataclasses import dataclass, fields
from pathlib import Path
from typing import Any

from data.division import Division
from data.paths import VAR
from hpo.settings.machine import (
    DataRootSettings,
    DeviceSettings,
    LogSettings,
    MachineSettings,
    StorageSettings,
    WorkerSettings,
)
from hpo.settings.sections import (
    DEFAULT_EPOCHS,
    DEFAULT_SPACE,
    DEFAULT_TRIALS,
    DIRECTIONS,
    DataSettings,
    Direction,
    EvaluationSettings,
    FolderSettings,
    NameSettings,
    RunSettings,
    SearchSettings,
    TrainingSettings,
)
from hpo.settings.start import choose_image_size, require_same_network
from hpo.settings.value_types import parse_start_network
from hpo.space.files import built_in_space
from model.config import REFERENCE_COST, StepCost


@dataclass(frozen=True)
class StudySettings(SearchSettings, EvaluationSettings, TrainingSettings, DataSettings):
    """The settings that define a study; studies with equal settings can be compared."""

    def __post_init__(self) -> None:
        """Choose the defaults that depend on other settings.

        Raises:
            InputError: the settings do not fit the network from which the fits start.
        """
        if self.start_from is not None:
            start = parse_start_network(self.start_from)  # a path if a Python program gives it
            require_same_network(start, self.network, self.init)
            object.__setattr__(self, "start_from", start)
        size = choose_image_size(self.image_size, self.start_from)
        object.__setattr__(self, "image_size", size)
        if self.max_epochs is None:
            object.__setattr__(self, "max_epochs", self._default_epochs())
        if self.space is None:
            object.__setattr__(self, "space", built_in_space(DEFAULT_SPACE[self.recipe]))
        if self.pruner is None:
            has_none = self.sampler == "gp" or len(self.objective) > 1
            object.__setattr__(self, "pruner", "none" if has_none else "halving")

    def _default_epochs(self) -> int | None:
        """Return the default of ``max_epochs``."""
        return DEFAULT_EPOCHS[self.recipe]

    @property
    def cost(self) -> StepCost:
        """Costs of a step by which the number of steps of a trial is chosen."""
        return self.step_cost or REFERENCE_COST

    @property
    def division(self) -> Division | None:
        """Division into train, val and test that the user has chosen, or None."""
        has_division = self.train or self.val or self.test
        return Division(self.train, self.val, self.test) if has_division else None

    @property
    def default_name(self) -> str:
        """Name of a study: data, image size and recipe; network, first weights, goals and space."""
        network = [self.network.replace(":", ".")] if self.network else []
        start = ["from", Path(self.start_from.name).stem] if self.start_from else []
        space = [] if self.space.name == DEFAULT_SPACE[self.recipe] else [self.space.name]
        parts = [
            self.data,
            str(self.image_size),
            self.recipe,
            *network,
            *start,
            *self.objective[1:],
            *space,
        ]
        return "-".join(parts)

    @property
    def has_one_goal(self) -> bool:
        """Whether only the accuracy is maximised."""
        return len(self.objective) == 1

    @property
    def directions(self) -> list[Direction]:
        """Whether each goal is maximised or minimised."""
        return [DIRECTIONS[goal] for goal in self.objective]


@dataclass(frozen=True)
class StudyConfig(MachineSettings, RunSettings, NameSettings, FolderSettings, StudySettings):
    """A study and how it is run: the settings of all sections, each an argument of its own.

    ``max_epochs`` is None if it was not given; :func:`hpo.runtime.step_costs.with_length` chooses
    it when the study begins.

    Args:
        var: folder of checkpoints, networks and images of the trials.
        packed: file of the packed data set, or None to load it from ``data_root``.
        stop_requests: number of stop requests when this run began; one more stops it.
    """

    var: Path = VAR
    packed: Path | None = None
    stop_requests: int = 0

    def __post_init__(self) -> None:
        """Choose the defaults that depend on other settings."""
        super().__post_init__()
        if self.n_trials is None and self.time_budget is None:
            object.__setattr__(self, "n_trials", DEFAULT_TRIALS)

    def _default_epochs(self) -> int | None:
        """Return None: a stored study keeps its length, and a time budget may choose it."""
        return None

    @classmethod
    def from_settings(cls, settings: StudySettings, **values: Any) -> "StudyConfig":
        """Return the configuration with the settings of a study and further values."""
        return cls(**{f.name: getattr(settings, f.name) for f in fields(settings)}, **values)

    @property
    def name(self) -> str:
        """Name of the study."""
        return self.study_name or self.default_name

    @property
    def settings(self) -> StudySettings:
        """The settings that define the study."""
        return StudySettings(**{f.name: getattr(self, f.name) for f in fields(StudySettings)})


# Section of a settings file → the classes whose fields it contains.
SECTIONS: dict[str, tuple[type, ...]] = {
    "data": (DataSettings, FolderSettings),
    "training": (TrainingSettings,),
    "evaluation": (EvaluationSettings,),
    "search": (SearchSettings,),
    "run": (NameSettings, RunSettings),
    "machine": (
        StorageSettings,
        DataRootSettings,
        DeviceSettings,
        WorkerSettings,
        LogSettings,
    ),
}
