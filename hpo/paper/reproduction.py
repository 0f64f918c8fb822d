"""The actions of reproduce.py: fit the networks of a table, print each row, and write the table.

Tensor suffixes: C clusters of episodes.
"""

import json
import time
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

from data.drawings import FULL_SIZE
from data.files import write_atomically
from data.labels import data_caveat
from data.load import load_dataset
from data.splits import split_dataset
from hpo.paper.scales import Scale
from hpo.paper.tables import TABLES, TableRow
from hpo.refit.progress import show_epochs
from hpo.refit.retrain import log_test_evaluation
from model.device import ComputeConfig
from model.intervals import Interval, accuracy_interval, format_interval
from model.network_cache import NetworkCache
from model.provenance import provenance
from model.summary import format_mean, mean_and_sd

OFFICIAL_TABLE = 2
MNIST_TABLE, MNIST_SIZE = 3, 35  # pixels of Table 3 at every scale
# Rows are printed while the fits run, so the widths of the columns are fixed.
HEAD = ("", "paper", "ours", "95 % interval", "")
WIDTHS = (50, 6, 17, 42, 0)


@dataclass(frozen=True)
class ReproductionRequest:
    """The flags of reproduce.py.

    Args:
        scale: size of the networks and length of their training.
        data_root: folder of the archives, or None for the default.
        compute: device and number format.
        out: folder of the tables, as JSON files.
        networks: folder of the trained networks, which later runs reuse.
    """

    scale: Scale
    data_root: Path | None
    compute: ComputeConfig
    out: Path
    networks: Path


def reproduce(request: ReproductionRequest, number: int) -> None:
    """Reproduce one table: print it row by row, then write it to a file.

    Args:
        request: scale, data, device and folders.
        number: number of the table, 1 to 3.

    Raises:
        InputError: data is missing, a fit has diverged, or a file cannot be written.
    """
    started = time.monotonic()
    title, rows_of_table = TABLES[number]
    scale = request.scale
    if number == MNIST_TABLE:
        scale = replace(scale, image_size=MNIST_SIZE)
    dataset = load_dataset("omniglot", request.data_root, scale.image_size)
    name = dataset.drawings.name
    split = split_dataset(dataset).to(request.compute.device)
    full_size = split_dataset(load_dataset(name, request.data_root, FULL_SIZE))
    print(f"{title}\n{describe_scale(scale)}")
    if caveat := data_caveat(name):
        print(f"note     {caveat}")
    print(format_line(HEAD), flush=True)
    networks = NetworkCache(split, request.compute, request.networks, show_epochs)
    rows = []
    for row in rows_of_table(scale, networks, full_size):
        rows.append(row)
        if number == OFFICIAL_TABLE and row.ours:
            log_test_evaluation(f"reproduce.py, scale {scale.name}, {row.name}", row.ours)
        print(format_line(row_cells(row)), flush=True)
    table = {
        "title": title,
        "scale": asdict(scale),
        "data": name,
        "wall_seconds": round(time.monotonic() - started, 1),
        "provenance": provenance(request.compute),
        "rows": [row_dict(row) for row in rows],
    }
    path = request.out / f"table-{number}-{scale.name}.json"
    text = json.dumps(table, indent=1, allow_nan=False) + "\n"
    write_atomically(path, lambda temporary: temporary.write_text(text))
    print(f"wrote    {path}\n")


def describe_scale(scale: Scale) -> str:
    """Return a scale as one line of text."""
    length = f"{scale.visits:,} pairs" if scale.visits else "at most 200 epochs"
    width = "filters and units of the paper"
    if scale.narrowed > 1:
        width += f" divided by {scale.narrowed}"
    seeds = f"{scale.n_seeds} seed{'s' * (scale.n_seeds > 1)}"
    epochs = f"{scale.episode_epochs} epoch{'s' * (scale.episode_epochs > 1)}"
    return (
        f"scale {scale.name}: {scale.image_size} pixels, {width}, {length} per fit (episode "
        f"recipe: {epochs} of {scale.steps_per_epoch} steps), {seeds}"
    )


def row_interval(row: TableRow) -> Interval | None:
    """Return the 95 % interval of our mean accuracy; None if nothing was measured."""
    return accuracy_interval(row.clusters) if row.clusters else None


def row_cells(row: TableRow) -> tuple[str, ...]:
    """Return the cells of a row as text."""
    paper = "–" if row.paper is None else f"{row.paper:.1%}"
    ours, interval = "–" if row.note == "cited" else "not run", ""
    if row.ours:
        ours = f"{format_mean(mean_and_sd(row.ours))} ({len(row.ours)})"
        interval = format_interval(row_interval(row))
    return row.name, paper, ours, interval, row.note


def format_line(cells: tuple[str, ...]) -> str:
    """Return cells as one line, in columns of fixed width."""
    padded = (cell.ljust(width) for cell, width in zip(cells, WIDTHS, strict=True))
    return "  ".join(padded).rstrip()


def row_dict(row: TableRow) -> dict[str, Any]:
    """Return a row as JSON values."""
    mean_sd = asdict(mean_and_sd(row.ours)) if row.ours else {"mean": None, "sd": None}
    interval = row_interval(row)
    n = sum(row.clusters.n_episodes_C) if row.clusters else 0
    return {**asdict(row), **mean_sd, "n": n, "interval": interval and asdict(interval)}
