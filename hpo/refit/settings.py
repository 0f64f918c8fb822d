"""The settings of a retraining, described once, as those of a study are."""

from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from data.paths import VAR
from hpo.settings.machine import DataRootSettings, DeviceSettings, LogSettings, StorageSettings
from hpo.settings.sections import NameSettings
from hpo.settings.study_settings import StudyConfig
from hpo.settings.value_types import FolderPath, NonNegativeInt, Pixels, PositiveInt
from hpo.space.space import Point


@dataclass(frozen=True)
class RefitSettings:
    """What is refitted, and how.

    Args:
        trial: number of the trial (default: winner of the study, otherwise the best trial).
        image_size: size of the images in pixels; kernels scale with it (default: as in the study).
        n_seeds: number of fits.
        max_epochs: maximum number of epochs of a fit (default: as in the study).
        train_on: train+val also trains on the validation alphabets, and always for the maximum
            number of epochs.
        mirrors: add mirrored alphabets to the training alphabets (default: as in the trial if the
            study searched it; otherwise yes with the episode recipe, no with the paper's).
        test: evaluate the networks on the test; otherwise on validation only.
    """

    trial: NonNegativeInt | None = None
    image_size: Pixels | None = None
    n_seeds: PositiveInt = 3
    max_epochs: PositiveInt | None = None
    train_on: Literal["train", "train+val"] = "train"
    mirrors: bool | None = None
    test: bool = True


@dataclass(frozen=True)
class OutputSettings:
    """Where the results are written, and how the networks are computed.

    Args:
        out: folder of the results (default: in var/retrain/, named after study and flags).
        compile: compile the networks with torch.compile, with CUDA graphs on a GPU.
    """

    out: FolderPath | None = None
    compile: bool = False


@dataclass(frozen=True)
class RetrainConfig(
    OutputSettings,
    LogSettings,
    DeviceSettings,
    DataRootSettings,
    NameSettings,
    StorageSettings,
    RefitSettings,
):
    """A retraining: the settings of all sections, each an argument of its own.

    Args:
        point: values of the configuration that is refitted, by parameter name, in place of a trial.
        study: settings of the study to which the point belongs; needed with ``point``.
        again: whether to repeat the fits and evaluations whose results are already in the folder.
        var: folder in which the study has kept networks.
    """

    point: Point | None = None
    study: StudyConfig | None = None
    again: bool = False
    var: Path = VAR


RETRAIN_SECTIONS: dict[str, tuple[type, ...]] = {
    "retrain": (RefitSettings,),
    "run": (NameSettings,),
    "machine": (
        StorageSettings,
        DataRootSettings,
        DeviceSettings,
        OutputSettings,
        LogSettings,
    ),
}
