"""The rows of ``benchmarks/paper_recipe.py``: their configurations and their results."""

import argparse
import json
from collections.abc import Callable
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from statistics import fmean
from typing import Any

from data.errors import InputError
from data.files import make_folder, write_atomically
from hpo.paper.tables import MAX_EPOCHS, without_convolutions
from hpo.refit.settings import RETRAIN_SECTIONS
from hpo.runtime.plan_log import counted
from hpo.settings.base_config import base_config
from hpo.settings.config_file import make_config, read_config_file
from hpo.settings.study_settings import SECTIONS, StudyConfig, StudySettings
from hpo.space.configuration import build_config
from hpo.space.space import Point
from model.config import Config
from model.device import ComputeConfig
from model.losses import images_per_epoch
from model.provenance import provenance
from model.summary import mean_and_sd

STRICT, EPISODE = "paper", "episode"


@dataclass(frozen=True)
class Row:
    """A recipe, whose fits have one row of the results.

    Args:
        recipe: ``"paper"``, ``"paper+NAME"`` or ``"episode"``.
        label: name of the row.
        config: configuration of the fits. Those whose rate falls by 1 % per epoch have at most 200
            epochs, as in the paper, so that a longer fit continues a shorter one.
        n_epochs: number of epochs of this row.
    """

    recipe: str
    label: str
    config: Config
    n_epochs: int


def _fit(**changes: Any) -> Callable[[Config], Config]:
    return lambda config: replace(config, fit=replace(config.fit, **changes))


def _model(**changes: Any) -> Callable[[Config], Config]:
    return lambda config: replace(config, model=replace(config.conv, **changes))


# What is not in the recipe of the paper; each is a row, so that one sees what it is worth.
CHANGES: dict[str, Callable[[Config], Config]] = {
    "nesterov": _fit(nesterov=True),
    "cosine": _fit(schedule="cosine"),
    "averaging": _fit(ema=0.999),
    "new-pairs": _fit(new_pairs=True),
    "all-drawers": _fit(n_drawers=20),
    "turns": _fit(turns=True),
    "batch-norm": _model(conv_norm="batch"),
}


def row_of(recipe: str, args: argparse.Namespace) -> Row:
    """Return a row.

    Args:
        recipe: ``"paper"``, or ``"paper"`` and keys of :data:`CHANGES`, joined by ``+``; or
            ``"episode"``, the default of the episode recipe for as many drawings.
        args: flags.

    Raises:
        InputError: there is no such row, a flag has no effect on it, the file of ``--winner``
            cannot be used, or a fit has more epochs than the paper allows.
    """
    if recipe == EPISODE and (args.dense or args.winner):
        raise InputError(f"--dense and --winner are of the rows {STRICT}[+NAME]. Leave them out.")
    config = episode_config(args.image_size) if recipe == EPISODE else paper_config(recipe, args)
    n_epochs = max(1, round(2 * args.pairs / images_per_epoch(config.fit)))
    if config.fit.schedule != "exponential":
        config = _fit(max_epochs=n_epochs)(config)
    elif n_epochs > config.fit.max_epochs:
        raise InputError(
            f"--pairs must be at most {config.fit.max_epochs} epochs of {config.fit.n_pairs} "
            f"pairs, but is {args.pairs:.0f}. Lower it, or raise --n-pairs."
        )
    return Row(recipe, args.label or recipe, config, n_epochs)


def paper_config(recipe: str, args: argparse.Namespace) -> Config:
    """Return the configuration of ``paper``, or of changes of it; see :func:`row_of`."""
    first, *changes = recipe.split("+")
    if first != STRICT or not set(changes) <= CHANGES.keys():
        raise InputError(
            f"--rows must be {EPISODE}, {STRICT}, or {STRICT}+NAME with names of "
            f"{', '.join(CHANGES)}, but is {recipe}. Correct it."
        )
    settings = StudySettings(
        image_size=args.image_size, recipe="paper", n_pairs=args.n_pairs, init=args.init
    )
    point = {name: getattr(args, name) for name in ("lr", "momentum", "l2")}
    if args.winner:
        point = winner_of(args.winner)
    point |= {"width": args.width}
    config = _fit(max_epochs=MAX_EPOCHS)(build_config(base_config(settings), point))
    if args.dense:
        config = without_convolutions(config, config.conv.units)
    for change in changes:
        config = CHANGES[change](config)
    return config


def episode_config(image_size: int) -> Config:
    """Return the default of the episode recipe."""
    settings = StudySettings(image_size=image_size)
    space = settings.space
    default = space.resolve(space.starting_points(settings.image_size)[0])
    return build_config(base_config(settings), default)


def winner_of(path: Path) -> Point:
    """Return the values of the winner of a study with the paper's recipe.

    Args:
        path: file of ``dashboard.py --export-config``.

    Raises:
        InputError: the file cannot be read, has no point, or is of another recipe.
    """
    file = read_config_file(path, SECTIONS, RETRAIN_SECTIONS)
    settings: StudySettings = make_config(StudyConfig, file).settings
    if file.point is None or settings.recipe != "paper":
        raise InputError(
            f"{path} must have a [point] table of a study with --recipe paper, but has "
            f"{'none' if file.point is None else f'recipe {settings.recipe}'}. Write it with "
            "dashboard.py --export-config."
        )
    point = settings.space.require_point(file.point, settings.image_size, "point")
    return settings.space.resolve(point)


def row_entry(
    row: Row, curves: dict[int, list[dict[str, float]]], compute: ComputeConfig
) -> dict[str, Any]:
    """Return the results of a row.

    Args:
        row: its names and configuration.
        curves: milestones of the fit of each seed.
        compute: device and precision.
    """
    ends = [curve[-1] for curve in curves.values()]
    official = mean_and_sd([end["official"] for end in ends])
    validation = mean_and_sd([end["validation"] for end in ends])
    about, config = provenance(compute), row.config
    return {
        "name": row.label,
        "recipe": row.recipe,
        "image_size": config.model.image_size,
        "model": _plain(asdict(config.model)),
        "n_pairs": config.fit.n_pairs,
        "pairs_seen": round(fmean(end["pairs_seen"] for end in ends)),
        "n_seeds": len(ends),
        "official_mean": official.mean,
        "official_sd": official.sd,
        "validation_mean": validation.mean,
        "validation_sd": validation.sd,
        "wall_seconds": fmean(end["seconds"] for end in ends),
        "device": f"{about['cpu']}, {counted(about['n_threads'], 'thread')}, {about['precision']}",
        "rates": [vars(rates) for rates in config.fit.rates],
        "curves": {str(seed): curve for seed, curve in curves.items()},
        "provenance": about,
    }


def store_row(path: Path, entry: dict[str, Any]) -> None:
    """Add a row to the results, in the place of the same one."""
    make_folder(path.parent)
    rows = read_list(path)
    same = ("name", "image_size", "model", "n_pairs", "pairs_seen", "rates")
    others = [row for row in rows if any(row[key] != entry[key] for key in same)]
    write_list(path, [*others, entry])


def read_list(path: Path) -> list[dict[str, Any]]:
    """Return the list of a JSON file; empty if the file does not exist."""
    return list(json.loads(path.read_text())) if path.exists() else []


def write_list(path: Path, items: list[dict[str, Any]]) -> None:
    """Write a list to a JSON file."""
    text = json.dumps(items, indent=1) + "\n"
    write_atomically(path, lambda temporary: temporary.write_text(text))


def _plain(value: dict[str, Any]) -> Any:
    """Return a dictionary as JSON reads it, with lists in place of tuples."""
    return json.loads(json.dumps(value))
