"""The plot that compares studies. It draws a data frame of :mod:`hpo.report.studies.frames`."""

import pandas as pd
import plotly.graph_objects as go

from hpo.report import style

COLOURS = (style.BLUE, style.ORANGE, style.GREEN, style.RED, style.SKY, style.PURPLE)
DASHES = ("solid", "dash", "dot", "dashdot")  # of the first six groups, the next six, …
BAND_OPACITY = 0.2


def compute_plot(bands: pd.DataFrame) -> go.Figure:
    """Return a plot of the best value so far against compute, with a line per group of studies.

    A group of several studies also has a band from the lowest to the highest of them.

    Args:
        bands: frame of :func:`hpo.report.studies.frames.band_frame`.
    """
    if bands.empty:
        return style.empty_figure("No trial is complete yet.")
    figure = go.Figure()
    labels = style.axis_labels(bands["group"].unique())
    for number, (group, rows) in enumerate(bands.groupby("group", sort=False)):
        colour, dash = COLOURS[number % len(COLOURS)], DASHES[number // len(COLOURS) % len(DASHES)]
        label = labels[str(group)]
        if rows["n"].max() > 1:
            _add_band(figure, rows, label, colour)
        figure.add_scatter(
            x=rows["images"],
            y=rows["mean"],
            mode="lines" if len(rows) > 1 else "markers",  # a line of one point is invisible
            name=label,
            legendgroup=label,
            line={"color": colour, "shape": "hv", "width": 2, "dash": dash},
            customdata=rows[["lowest", "highest"]],
            hovertemplate=_hover(label, has_band=rows["n"].max() > 1),
        )
    return style.apply_style(
        figure,
        xaxis={"title": {"text": "embedded images in the search"}, "tickformat": "~s"},
        yaxis=style.percent_axis("best validation accuracy so far"),
    )


def _add_band(figure: go.Figure, rows: pd.DataFrame, label: str, colour: str) -> None:
    """Add the area between the lowest and the highest study of a group."""
    red, green, blue = (int(colour[i : i + 2], 16) for i in (1, 3, 5))
    for column, fill in (("lowest", None), ("highest", "tonexty")):
        figure.add_scatter(
            x=rows["images"],
            y=rows[column],
            mode="lines",
            name=label,
            legendgroup=label,
            showlegend=False,
            line={"color": colour, "shape": "hv", "width": 0},
            fill=fill,
            fillcolor=f"rgba({red},{green},{blue},{BAND_OPACITY})",
            hoverinfo="skip",
        )


def _hover(label: str, *, has_band: bool) -> str:
    band = " (%{customdata[0]:.1%} to %{customdata[1]:.1%})" if has_band else ""
    text = label.replace("%{", "% {")  # plotly would replace a name that contains a placeholder
    return f"{text}<br>%{{x:.3~s}} images · %{{y:.1%}}{band}<extra></extra>"
