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

Table = dict[str, Any]  # content of a file of reproduce.py
WILSON = "95 % Wilson interval over the episodes or pairs of one network"


def markdown(versions: list[Table]) -> list[str]:
    """Return a table: accuracies of the paper and of each scale, and intervals of the last one.

    Args:
        versions: the same table at each scale.
    """
    last = versions[-1]
    is_old = any(isinstance(row["interval"], list) for row in last["rows"])
    interval_head = WILSON if is_old else "95 % interval"
    head = [last["title"], "paper", *map(heading, versions), interval_head]
    lines = [head, ["---"] * len(head)]
    for rows in zip(*(version["rows"] for version in versions), strict=True):
        row = rows[-1]
        assert {each["name"] for each in rows} == {row["name"]}
        paper = "–" if row["paper"] is None else f"{row['paper']:.1%}"
        interval = "–" if row["mean"] is None else interval_cell(row["interval"])
        lines.append([row["name"], paper, *map(accuracy_cell, rows), interval])
    return [f"| {' | '.join(cells)} |" for cells in lines]


def heading(version: Table) -> str:
    """Return the heading of a column: the number of pairs that a fit sees at most."""
    return f"ours, {version['scale']['visits'] / 1e6:g}M pairs"


def accuracy_cell(row: dict[str, Any]) -> str:
    """Return the mean accuracy of the fits of a row, and their number."""
    if row["mean"] is None:
        return "–"
    return f"{format_mean(MeanSd(row['mean'], row['sd']))} ({len(row['ours'])})"


def interval_cell(interval: dict[str, Any] | list[float] | None) -> str:
    """Return an interval as text; old tables have a list of two bounds, of a Wilson interval."""
    if isinstance(interval, list):
        return "{:.1%}–{:.1%}".format(*interval)
    return format_interval(Interval(**interval) if interval else None)


def tables() -> list[list[str]]:
    """Return the lines of each of the three tables."""
    return [markdown(versions_of(number)) for number in (1, 2, 3)]


def versions_of(number: int) -> list[Table]:
    """Return a table at each scale at which it was made."""
    paths = [RESULTS / scale / f"table-{number}.json" for scale in SCALES]
    return [json.loads(path.read_text()) for path in paths if path.exists()]


if __name__ == "__main__":
    print("\n\n".join("\n".join(lines) for lines in tables()))
