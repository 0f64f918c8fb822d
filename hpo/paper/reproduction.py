"""What reproduce.py does: fit what a table needs, print it beside the paper's, keep the figures."""

import json
import time
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from statistics import fmean
from typing import Any

from data.drawings import FULL_SIZE
from data.files import write_atomically
from data.labels import data_caveat
from data.load import load_dataset
from data.splits import split_dataset
from hpo.paper.tables import TABLES, Scale, TableRow
from hpo.refit.result import format_mean, mean_and_sd
from hpo.refit.test_log import log_test_evaluation
from model.device import ComputeConfig
from model.evaluate import wilson_interval
from model.network_cache import NetworkCache
from model.provenance import provenance

MNIST_SIZE = 35  # pixels of Table 3, at every scale

OFFICIAL_TABLE = 2

HEAD = ("", "paper", "ours", "95 % interval", "")


@dataclass(frozen=True)
class ReproductionRequest:
    """What was asked of reproduce.py; see its flags.

    Args:
        scale: how large.
        data_root: folder of the archives, or None.
        compute: where to compute, and how.
        out: folder of the tables, as JSON.
        var: folder of the networks.
    """

    scale: Scale
    data_root: Path | None
    compute: ComputeConfig
    out: Path
    var: Path


def reproduce(asked: ReproductionRequest, number: int) -> None:
    """Make a table: print it row by row, then write it.

    Raises:
        InputError: data is missing, a fit could not learn, or a file cannot be written.
    """
    started = time.monotonic()
    title, rows_of = TABLES[number]
    scale = replace(asked.scale, image_size=MNIST_SIZE) if number == 3 else asked.scale
    packed = load_dataset("omniglot", asked.data_root, scale.image_size)
    parts = split_dataset(packed).to(asked.compute.device)
    full_size = split_dataset(load_dataset(packed.drawings.name, asked.data_root, FULL_SIZE))
    print(f"{title}\n{describe_scale(scale)}")
    if said := data_caveat(packed.drawings.name):
        print(f"note     {said}")
    print(format_line(HEAD), flush=True)
    rows = []
    for row in rows_of(scale, NetworkCache(parts, asked.compute, asked.var), full_size):
        rows.append(row)
        if number == OFFICIAL_TABLE and row.ours:
            log_test_evaluation(f"reproduce.py, scale {scale.name}, {row.name}", row.ours)
        print(format_line(row_cells(row)), flush=True)
    about = {
        "title": title,
        "scale": asdict(scale),
        "data": packed.drawings.name,
        "wall_seconds": round(time.monotonic() - started, 1),
        "provenance": provenance(asked.compute),
        "rows": [row_json(row) for row in rows],
    }
    path = asked.out / f"table-{number}-{scale.name}.json"
    text = json.dumps(about, indent=1, allow_nan=False) + "\n"
    write_atomically(path, lambda temporary: temporary.write_text(text))
    print(f"wrote    {path}\n")


def describe_scale(scale: Scale) -> str:
    """Return a scale in words."""
    length = f"{scale.visits:,} pairs seen" if scale.visits else "at most 200 epochs"
    width = "the paper's filters and units"
    return (
        f"scale {scale.name}: {scale.image_size} pixels, {width} / {scale.narrowed}, {length} "
        f"(episodes: {scale.episode_epochs} × {scale.steps_per_epoch} steps), {scale.n_seeds} seeds"
    )


def row_interval(row: TableRow) -> tuple[float, float] | None:
    """Return the 95 % interval of one network at the mean of ours."""
    return wilson_interval(fmean(row.ours), row.n) if row.ours else None


def row_cells(row: TableRow) -> tuple[str, ...]:
    """Return a row as text."""
    paper = "–" if row.paper is None else f"{row.paper:.1%}"
    ours, found = "not run", row_interval(row)
    if found:
        ours = f"{format_mean(mean_and_sd(row.ours))} ({len(row.ours)})"
    elif row.note == "cited":
        ours = "–"
    return row.name, paper, ours, f"{found[0]:.1%}–{found[1]:.1%}" if found else "", row.note


def format_line(texts: tuple[str, ...]) -> str:
    """Return the cells of a row below those of the others."""
    return "  ".join(t.ljust(w) for t, w in zip(texts, (50, 6, 17, 13, 0), strict=True)).rstrip()


def row_json(row: TableRow) -> dict[str, Any]:
    """Return a row as JSON values."""
    summary = mean_and_sd(row.ours) if row.ours else {"mean": None, "sd": None}
    return {**asdict(row), **summary, "interval": row_interval(row)}
