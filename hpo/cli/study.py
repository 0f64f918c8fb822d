"""The actions of run_study.py: its settings from flags and file, and what it does without a run."""

import argparse
from dataclasses import fields, replace
from pathlib import Path

from data.drawings import Drawings
from data.errors import InputError
from data.text import text_table
from hpo.refit.settings import RETRAIN_SECTIONS
from hpo.runtime.launcher import Launcher, ProcessLauncher
from hpo.runtime.start import StudyStart
from hpo.search.winner import winning_trial
from hpo.settings.base_config import check_settings
from hpo.settings.config_file import ConfigFile, make_config, read_config_file
from hpo.settings.config_text import format_config, study_sections
from hpo.settings.start_space import resolve_start
from hpo.settings.study_settings import SECTIONS, StudyConfig
from hpo.space.space import Point, Space
from hpo.study.budget import request_stop
from hpo.study.dataset import load_data, resolve_data, split_data
from hpo.study.leaks import require_unseen
from hpo.study.open import open_stored_study


def study_config(args: argparse.Namespace) -> StudyConfig:
    """Return the settings of the file of ``--config``, overridden by the flags.

    Raises:
        InputError: the file, a flag, or the folder of the images cannot be used.
    """
    file = ConfigFile("The command line")
    if args.config:
        file = read_config_file(args.config, SECTIONS, RETRAIN_SECTIONS)
    names = {f.name for f in fields(StudyConfig)}
    flags = {name: value for name, value in vars(args).items() if name in names}
    if args.same_name_is_same_class:
        if flags.get("split_by") == "group":
            raise InputError(
                "--same-name-is-same-class means --split-by class. Leave out --split-by group."
            )
        flags["split_by"] = "class"
    config: StudyConfig = make_config(StudyConfig, file, flags)
    check_settings(config.settings)
    return config


def load_study_data(config: StudyConfig) -> tuple[StudyConfig, Drawings]:
    """Return the drawings of the data set, and the configuration with its name.

    Glyphs replace Omniglot if it is neither on disk nor can be downloaded.

    Raises:
        InputError: the data cannot be loaded, or the network of --start-from does not fit it.
    """
    config = resolve_start(resolve_data(config))
    dataset = load_data(config.settings, config.data_root)
    config = replace(config, data=dataset.drawings.name)
    if config.start_from is not None:
        require_unseen(config.settings, split_data(config.settings, dataset))
    return config, dataset.drawings


def print_study_config(config: StudyConfig) -> None:
    """Print the settings of all sections as a TOML file."""
    if config.time_budget is None:  # which may choose it
        config = replace(config, max_epochs=config.settings.max_epochs)
    print(format_config(study_sections(config, machine=True)), end="")


def space_table(space: Space, image_size: int) -> str:
    """Return a space as text: range, default and confidence of every parameter.

    Args:
        space: search space.
        image_size: height and width of the images in pixels.
    """
    rows = [["parameter", "values", "default", "confidence"]]
    for name, p in space.parameters.items():
        start = p.start(image_size)
        default = f"{start:g}" if isinstance(start, float) else str(start)
        rows.append([name, p.describe_range(image_size), default, p.confidence or "–"])
    n_starts = len(space.starting_points(image_size))
    n_searched, s = len(space.searched), "s" * (n_starts > 1)
    title = f"space '{space.name}': {n_searched} parameters, {n_starts} starting point{s}"
    return f"{title}, at {image_size} pixels\n{text_table(rows)}"


def make_launcher(config: StudyConfig) -> Launcher:
    """Return the launcher of the workers.

    Raises:
        InputError: Ray is chosen, but the storage is a local file or Ray cannot be used; or Ray is
            not chosen, but GPUs of its workers are.
    """
    if config.ray is None and config.gpus_per_worker:
        raise InputError(
            f"--gpus-per-worker {config.gpus_per_worker:g} has no effect without Ray. Remove it, "
            "or add --ray."
        )
    if config.ray is None:
        return ProcessLauncher()
    if config.storage.startswith("sqlite"):
        raise InputError(
            "--ray needs a storage that every node can reach, but --storage is a SQLite file. Use "
            "a PostgreSQL database: --storage postgresql+psycopg://…"
        )
    from hpo.runtime.ray_launcher import RayLauncher

    return RayLauncher(config.ray, config.gpus_per_worker)


def stop_study(config: StudyConfig) -> None:
    """Ask every process of a study to finish its trial and exit.

    Args:
        config: names the study; without a name, the latest study is stopped.

    Raises:
        InputError: there is no such study.
    """
    with open_stored_study(config.storage, config.study_name, read_only=False) as (
        _,
        study,
        stored,
    ):
        request_stop(study)
        print(f"Every process of study '{study.study_name}' will exit after its current trial.")
        if stored.has_one_goal and winning_trial(study) is None:
            print(
                "Its finalists are not fitted. To choose a winner, run the command without --stop."
            )


def study_start(args: argparse.Namespace, config: StudyConfig) -> StudyStart:
    """Return the points and studies that the flags name, with which a study begins.

    Raises:
        InputError: a file has no point, or its point is not in the space of the study.
    """
    points = [_read_point(path, config) for path in args.enqueue]
    return StudyStart(points, args.warm_start, args.widen)


def _read_point(path: Path, config: StudyConfig) -> Point:
    """Return the point of a settings file, with values for the whole space of a study."""
    file = read_config_file(path, SECTIONS, RETRAIN_SECTIONS)
    if file.point is None:
        raise InputError(
            f"{path} must have a [point] table with the values of a configuration. Write one with "
            "dashboard.py --export-config."
        )
    return config.space.require_point(file.point, config.image_size, str(path))
