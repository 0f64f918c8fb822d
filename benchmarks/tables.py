"""Print the reproduced tables of the paper as Markdown, from ``results/reduced/``."""

import json
from pathlib import Path
from typing import Any

from model.intervals import Interval, format_interval
from model.summary import MeanSd, format_mean

FOLDER = Path(__file__).parents[1] / "results" / "reduced"


WILSON = "95 % Wilson interval over the episodes or pairs of one network"


def table(made: dict[str, Any]) -> list[str]:
    """Return a table: accuracy of the paper, our accuracy and its interval."""
    is_old = any(isinstance(row["interval"], list) for row in made["rows"])
    lines = [f"| {made['title']} | paper | ours | {WILSON if is_old else '95 % interval'} |"]
    lines.append("|---|---|---|---|")
    for row in made["rows"]:
        paper = "–" if row["paper"] is None else f"{row['paper']:.1%}"
        ours = interval = "–"
        if row["mean"] is not None:
            ours = f"{format_mean(MeanSd(row['mean'], row['sd']))} ({len(row['ours'])})"
            interval = interval_cell(row["interval"])
        lines.append(f"| {row['name']} | {paper} | {ours} | {interval} |")
    return lines


def interval_cell(interval: dict[str, Any] | list[float] | None) -> str:
    """Return an interval as text; old tables have a list of two bounds, of a Wilson interval."""
    if isinstance(interval, list):
        return "{:.1%}–{:.1%}".format(*interval)
    return format_interval(Interval(**interval) if interval else None)


def tables() -> list[list[str]]:
    """Return the three tables."""
    return [table(json.loads(path.read_text())) for path in sorted(FOLDER.glob("table-*.json"))]


if __name__ == "__main__":
    print("\n\n".join("\n".join(lines) for lines in tables()))
