"""Print the reproduced tables of the paper as Markdown: ``uv run benchmarks/tables.py``.

Each table has a column for each scale in ``results/``, and the intervals of the longest one.
"""

import json
from pathlib import Path
from typing import Any

from model.intervals import Interval, format_interval
from model.summary import MeanSd, format_mean

RESULTS = Path(__file__).parents[1] / "results"
SCALES = ("reduced", "day")  # folders of results, by length of training

Made = dict[str, Any]  # a table of reproduce.py
WILSON = "95 % Wilson interval over the episodes or pairs of one network"


def table(scales: list[Made]) -> list[str]:
    """Return a table: accuracies of the paper and of each scale, and intervals of the last one.

    Args:
        scales: the same table at each scale.
    """
    last = scales[-1]
    is_old = any(isinstance(row["interval"], list) for row in last["rows"])
    head = [last["title"], "paper", *map(heading, scales), WILSON if is_old else "95 % interval"]
    lines = [head, ["---"] * len(head)]
    for rows in zip(*(made["rows"] for made in scales), strict=True):
        row = rows[-1]
        paper = "–" if row["paper"] is None else f"{row['paper']:.1%}"
        interval = interval_cell(row["interval"])
        lines.append([row["name"], paper, *map(accuracy_cell, rows), interval])
    return [f"| {' | '.join(cells)} |" for cells in lines]


def heading(made: Made) -> str:
    """Return the heading of a column: the number of pairs that a fit sees at most."""
    return f"ours, {made['scale']['visits'] / 1e6:g}M pairs"


def accuracy_cell(row: dict[str, Any]) -> str:
    """Return the mean accuracy of the fits of a row, and their number."""
    if row["mean"] is None:
        return "–"
    return f"{format_mean(MeanSd(row['mean'], row['sd']))} ({len(row['ours'])})"


def interval_cell(interval: dict[str, Any] | list[float] | None) -> str:
    """Return an interval as text; old tables have a list of two bounds, of a Wilson interval."""
    if isinstance(interval, list):
        return "{:.1%}–{:.1%}".format(*interval)
    return format_interval(Interval(**interval)) if interval else "–"


def tables() -> list[list[str]]:
    """Return the three tables."""
    found = []
    for number in (1, 2, 3):
        paths = [RESULTS / scale / f"table-{number}.json" for scale in SCALES]
        found.append(table([json.loads(path.read_text()) for path in paths if path.exists()]))
    return found


if __name__ == "__main__":
    print("\n\n".join("\n".join(lines) for lines in tables()))
