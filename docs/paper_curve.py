"""Draw docs/images/paper_curve.webp: accuracy against the pairs seen, by recipe.

``uv run docs/paper_curve.py`` reads the rows of ``benchmarks/paper_recipe.py``. It needs Chromium,
on the PATH or named in CHROMIUM.
"""

import json
import tempfile
from itertools import cycle
from pathlib import Path
from typing import Any

import pandas as pd
import plotly.graph_objects as go
from screenshots import open_browser, take_screenshot

from data import published
from data.paths import PROJECT
from hpo.cli.entry_point import run_command
from hpo.report import style

ROWS = PROJECT / "results/paper/rows.json"
STRICT, EPISODE = "paper", "episode"
PICTURE = PROJECT / "docs/images/paper_curve.webp"
TICKS = [digit * 10**power for power in (4, 5, 6, 7) for digit in (1, 2, 5)]
HEIGHT, MARGIN = 520, 8  # pixels of the plot, and around it
COLOURS = (style.BLUE, style.ORANGE, style.GREEN, style.PURPLE, style.RED, style.SKY)


def curve_frame(rows: list[dict[str, Any]]) -> pd.DataFrame:
    """Return ``row``, ``pairs_seen``, ``official`` and ``validation``, means over the fits.

    Of a fit whose rate follows a cosine, only the end is shown, because a shorter fit would have
    had better accuracies than its earlier milestones.

    Args:
        rows: content of ``rows.json``; those of one name are one curve.
    """
    points = pd.DataFrame(
        {"row": row["name"], "seed": seed, **point}
        for row in rows
        for seed, curve in row["curves"].items()
        for point in (curve[-1:] if has_cosine(row) else curve)
    ).drop_duplicates(["row", "seed", "pairs_seen"])  # a longer row repeats a shorter one
    columns = ["official", "validation"]
    means = points.groupby(["row", "pairs_seen"], sort=False)[columns].mean().reset_index()
    return means.sort_values("pairs_seen", kind="stable")


def shown_rows(rows: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """Return the rows of a readable plot: the best on validation of each kind of recipe.

    The kinds are the paper's recipe, changes of it whose rate falls as in the paper, changes whose
    rate follows a cosine, and the episode recipe. All rows with the name of the best are returned.

    Args:
        rows: content of ``rows.json``.
    """
    ascending = sorted(rows, key=lambda row: float(row["validation_mean"]))
    best = {kind_of(row): row for row in ascending}  # the last one of a kind
    names = {row["name"] for row in best.values()}
    return [row for row in rows if row["name"] in names]


def kind_of(row: dict[str, Any]) -> str:
    """Return the kind of a row: paper, changed, cosine or episode."""
    if row["recipe"] in (STRICT, EPISODE):
        return str(row["recipe"])
    return "cosine" if has_cosine(row) else "changed"


def has_cosine(row: dict[str, Any]) -> bool:
    """Return whether the rate of the fits of a row follows a cosine."""
    return row["recipe"] == EPISODE or "cosine" in row["recipe"].split("+")


def curve_plot(frame: pd.DataFrame) -> go.Figure:
    """Return the accuracies of :func:`curve_frame`: official as lines, validation dotted."""
    figure = go.Figure()
    for (name, curve), colour in zip(frame.groupby("row", sort=False), cycle(COLOURS)):
        for column, dash in (("official", "solid"), ("validation", "dot")):
            figure.add_scatter(
                x=curve["pairs_seen"],
                y=curve[column],
                name=name,
                mode="lines+markers",
                line={"color": colour, "dash": dash},
                showlegend=column == "official",
            )
    figure.add_hline(published.CONVNET, line_dash="dash", annotation_text="paper, official")
    figure.update_xaxes(type="log", tickvals=TICKS, tickformat="~s", title="pairs seen")
    figure.update_yaxes(tickformat=".0%", title="official (solid), validation (dotted)")
    return style.apply_style(figure, height=HEIGHT)


def main() -> None:
    """Draw the picture."""
    figure = curve_plot(curve_frame(shown_rows(json.loads(ROWS.read_text()))))
    with tempfile.TemporaryDirectory() as folder, open_browser() as browser:
        page = Path(folder) / "curve.html"
        figure.write_html(page)
        take_screenshot(browser, page.as_uri(), PICTURE, HEIGHT + 2 * MARGIN)


if __name__ == "__main__":
    run_command(main, "Run the same command again to start over.")
