"""Print the reproduced tables of the paper as Markdown, from ``results/reduced/``."""

import json
from pathlib import Path
from typing import Any

from model.summary import MeanSd, format_mean

FOLDER = Path(__file__).parents[1] / "results" / "reduced"


def table(made: dict[str, Any]) -> list[str]:
    """Return a table: figure of the paper, our figure and its interval."""
    lines = [f"| {made['title']} | paper | ours | 95 % interval |", "|---|---|---|---|"]
    for row in made["rows"]:
        paper = "–" if row["paper"] is None else f"{row['paper']:.1%}"
        ours = interval = "–"
        if row["mean"] is not None:
            ours = f"{format_mean(MeanSd(row['mean'], row['sd']))} ({len(row['ours'])})"
            interval = "{:.1%}–{:.1%}".format(*row["interval"])
        lines.append(f"| {row['name']} | {paper} | {ours} | {interval} |")
    return lines


def tables() -> list[list[str]]:
    """Return the three tables."""
    return [table(json.loads(path.read_text())) for path in sorted(FOLDER.glob("table-*.json"))]


if __name__ == "__main__":
    print("\n\n".join("\n".join(lines) for lines in tables()))
