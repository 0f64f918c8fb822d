"""The data of a study: loaded, divided and measured as its settings say."""

from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

from data.drawings import Drawings
from data.episodes import VALIDATION_EPISODES, Dataset, Episodes
from data.load import load_dataset, resolve_dataset_name
from data.splits import Split, split_dataset
from hpo.settings.study_settings import StudyConfig, StudySettings

# Settings that say what is measured on what.
TASK = ("train", "val", "test", "n_way", "n_shot", "validation")


def resolve_data(config: StudyConfig) -> StudyConfig:
    """Return a configuration with the name of the data set in place of the options of a folder.

    Raises:
        InputError: the data cannot be found, or options of a folder are given for other data.
    """
    name = resolve_dataset_name(
        config.data, config.data_root, config.split_by, config.colour, config.drop_duplicates
    )
    return replace(config, data=name, split_by=None, colour=False, drop_duplicates=False)


def load_data(
    settings: StudySettings,
    data_root: Path | None,
    image_size: int | None = None,
    *,
    or_glyphs: bool = True,
) -> Dataset:
    """Return the data set of a study.

    Args:
        settings: settings of the study.
        data_root: folder of the data, or None for the default.
        image_size: height and width in pixels; None for the size in the settings.
        or_glyphs: see :func:`data.load.load_dataset`.

    Raises:
        InputError: the data cannot be loaded.
    """
    size = image_size or settings.image_size
    division = settings.division
    return load_dataset(settings.data, data_root, size, or_glyphs=or_glyphs, division=division)


def split_data(settings: StudySettings, dataset: Dataset) -> Split:
    """Return the parts of a data set, and the test episodes that the settings ask for.

    Raises:
        InputError: the division does not fit the data, or there are too few images.
    """
    n_way, n_shot = settings.n_way, settings.n_shot
    return split_dataset(dataset, division=settings.division, n_way=n_way, n_shot=n_shot)


def validation_episodes(settings: StudySettings, val: Drawings, seed: int = 0) -> Episodes:
    """Return the validation episodes of a study.

    Args:
        settings: settings of the study.
        val: validation drawings.
        seed: seed of the random choices; the episodes of the search have seed 0.

    Raises:
        InputError: there are too few images for ``n_shot``.
    """
    make_episodes = VALIDATION_EPISODES[settings.validation]
    return make_episodes(val, seed=seed, n_way=settings.n_way, n_shot=settings.n_shot)


def task_metadata(settings: StudySettings) -> dict[str, Any]:
    """Return what the file of a network stores about its task, as JSON values."""
    values = {name: getattr(settings, name) for name in TASK}
    return {"task": {n: list(v) if isinstance(v, tuple) else v for n, v in values.items()}}


def task_settings(metadata: Mapping[str, Any]) -> StudySettings:
    """Return the settings of data and episodes from the metadata of a network.

    Args:
        metadata: metadata of the file; older files have no task.
    """
    task: dict[str, Any] = {
        name: tuple(value) if isinstance(value, list) else value
        for name, value in metadata.get("task", {}).items()
        if name in TASK
    }
    return StudySettings(data=metadata["data"], **task)
