"""The table of ``benchmarks/paper_recipe.py``: ``uv run benchmarks/paper_recipe_table.py``."""

from typing import Any

from paper_recipe import RESULTS
from paper_recipe_rows import read_list

PAPER_FILTERS = 64  # of the first convolution
SEEN = ("different pairs", "pairs seen")
HEAD = ("row", "pixels", "width", *SEEN, "fits", "validation", "official", "hours")


def table(rows: list[dict[str, Any]]) -> list[str]:
    """Return the rows of the results as lines of Markdown, by name and length."""
    ordered = sorted(rows, key=lambda row: (row["name"], row["pairs_seen"]))
    lines = [HEAD, ("---",) * len(HEAD), *map(cells, ordered)]
    return [f"| {' | '.join(line)} |" for line in lines]


def cells(row: dict[str, Any]) -> tuple[str, ...]:
    """Return one row as text; ``±`` is the standard deviation over its fits."""
    return (
        row["name"],
        str(row["image_size"]),
        width(row),
        different_pairs(row),
        f"{row['pairs_seen'] / 1e6:.2f}M",
        str(row["n_seeds"]),
        percent(row["validation_mean"], row["validation_sd"]),
        percent(row["official_mean"], row["official_sd"]),
        f"{row['wall_seconds'] / 3600:.1f}",
    )


def width(row: dict[str, Any]) -> str:
    """Return the share of the paper's filters; not of a network without convolutions."""
    filters = row["model"].get("filters")
    return f"{filters[0] / PAPER_FILTERS:g}" if filters else "–"


def different_pairs(row: dict[str, Any]) -> str:
    """Return how many different pairs the fits of a row have seen; not of the episode recipe."""
    if row["recipe"] == "episode":
        return "–"
    return "all" if "new-pairs" in row["recipe"].split("+") else f"{row['n_pairs']:,}"


def percent(mean: float, sd: float | None) -> str:
    """Return an accuracy in percent with its standard deviation; None for one fit."""
    return f"{mean:.1%}" if sd is None else f"{100 * mean:.1f} ± {100 * sd:.1f} %"


if __name__ == "__main__":
    print("\n".join(table(read_list(RESULTS))))
