"""Plots of the accuracy of a retraining: by N, alphabet and run, and its confusions.

The frames come from :mod:`hpo.report.retraining.frames`. Tensor suffixes: C characters.
"""

from typing import Any

import numpy as np
import pandas as pd
import plotly.graph_objects as go
from plotly.subplots import make_subplots

from data import published
from hpo.report import style

BAR_HEIGHT, MIN_PLOT_HEIGHT, SUBPLOT_TITLE_HEIGHT = 24, 60, 28  # pixels
BAND_COLOUR = "rgba(0,114,178,0.25)"
PART_STYLES = {
    "test": (style.BLUE, "test"),
    "val": (style.ORANGE, "validation (configuration chosen here)"),
}


def n_way_plot(frame: pd.DataFrame, official: float, n_way: int, is_official: bool) -> go.Figure:
    """Return the N-way curve: accuracy against N, with the range over the fits as a band.

    Args:
        frame: from :func:`hpo.report.retraining.frames.n_way_frame`.
        official: mean accuracy on the official episodes, in [0, 1].
        n_way: number of candidates of an official episode.
        is_official: whether the accuracies of the paper and of humans are comparable, and shown.
    """
    figure = go.Figure()
    _add_band(figure, frame)
    figure.add_scatter(
        x=frame["n_way"],
        y=1 / frame["n_way"],
        line={"color": style.GREY, "dash": "dot"},
        name="chance",
        mode="lines",
        hovertemplate="chance %{y:.1%}<extra></extra>",
    )
    if is_official:
        _add_marker(figure, n_way, "humans, official", published.HUMAN, style.GREEN, "star")
        _add_marker(figure, n_way, "paper, official", published.CONVNET, style.ORANGE, "square")
    name = f"ours, {'official' if is_official else 'test'}"
    _add_marker(figure, n_way, name, official, style.BLUE, "diamond-open")
    axis = {"title": {"text": "N, candidates per episode"}, "dtick": 2}
    return style.apply_style(
        figure, height=480, xaxis=axis, yaxis=style.percent_axis("one-shot accuracy")
    )


def alphabet_plot(frame: pd.DataFrame) -> go.Figure:
    """Return one bar per alphabet, in one subplot per N.

    Args:
        frame: from :func:`hpo.report.retraining.frames.alphabet_frame`.
    """
    labels = style.axis_labels(frame["alphabet"].unique())
    frame = frame.assign(alphabet=frame["alphabet"].map(labels))
    all_n = sorted(frame["n_way"].unique())
    largest_n = frame[frame["n_way"] == all_n[-1]]
    order = largest_n.sort_values(["part", "mean"])["alphabet"].tolist()
    figure = make_subplots(
        1,
        len(all_n),
        shared_yaxes=True,
        horizontal_spacing=0.015,
        subplot_titles=[f"{n}-way" for n in all_n],
    )
    for i, n in enumerate(all_n):
        for part, (colour, name) in PART_STYLES.items():
            rows = frame[(frame["n_way"] == n) & (frame["part"] == part)]
            alphabets = [alphabet for alphabet in order if alphabet in set(rows["alphabet"])]
            rows = rows.set_index("alphabet").reindex(alphabets)
            figure.add_bar(
                x=rows["mean"],
                y=rows.index,
                orientation="h",
                marker={"color": colour},
                name=name,
                legendgroup=part,
                showlegend=i == 0 and len(rows) > 0,
                error_x=_error_bars(rows),
                customdata=rows[["mean", "lowest", "highest"]],
                hovertemplate=_hover_text("%{y}<br>"),
                row=1,
                col=i + 1,
            )
    plot_height = max(MIN_PLOT_HEIGHT, BAR_HEIGHT * len(order))
    top, bottom = 90, 56
    figure = style.apply_style(figure, height=top + plot_height + bottom)
    # Above the titles of the subplots, whatever the number of alphabets.
    figure.update_layout(margin={"t": top, "b": bottom})
    figure.update_layout(legend={"y": 1 + SUBPLOT_TITLE_HEIGHT / plot_height})
    figure.update_xaxes(range=[0, 1], tickformat=".0%", tickvals=[0.25, 0.5, 0.75])
    figure.update_xaxes(title={"text": "accuracy (%)"}, col=(len(all_n) + 1) // 2)
    figure.update_yaxes(categoryorder="array", categoryarray=order, dtick=1)
    return figure


def lake_run_plot(frame: pd.DataFrame) -> go.Figure:
    """Return one bar per run of official episodes.

    Args:
        frame: from :func:`hpo.report.retraining.frames.lake_run_frame`.
    """
    figure = go.Figure(
        go.Bar(
            x=frame["lake_run"],
            y=frame["mean"],
            marker={"color": style.BLUE},
            error_y=_error_bars(frame),
            customdata=frame[["mean", "lowest", "highest"]],
            hovertemplate=_hover_text("%{x}: "),
        )
    )
    axis = style.percent_axis("accuracy") | {"range": [0, 1.05]}
    return style.apply_style(figure, height=360, xaxis_title="block of episodes", yaxis=axis)


def confusion_plot(matrices: dict[str, np.ndarray], character: str) -> go.Figure:
    """Return the confusion matrix of one alphabet at a time, which the reader chooses from a menu.

    Args:
        matrices: float32 (C, C), from :func:`hpo.report.retraining.frames.confusion_matrices`.
        character: word for a character of the data set.
    """
    if not matrices:
        return style.empty_figure("There were no episodes.")
    figure = go.Figure()
    for i, matrix_CC in enumerate(matrices.values()):
        number = np.arange(1, len(matrix_CC) + 1, dtype="int16")
        figure.add_heatmap(
            x=number,
            y=number,
            z=matrix_CC,
            zmin=0,
            zmax=1,
            colorscale=style.COLOUR_SCALE,
            colorbar=style.colour_bar("episodes"),
            visible=i == 0,
            hovertemplate=f"{character} %{{y}} answered as %{{x}}: %{{z:.1%}}<extra></extra>",
        )
    figure = style.apply_style(figure, height=560, updatemenus=[_menu(list(matrices))])
    figure.update_layout(margin={"t": 80})
    figure.update_xaxes(title={"text": f"answer ({character} number)"}, constrain="domain")
    figure.update_yaxes(
        title={"text": f"query ({character} number)"},
        autorange="reversed",
        scaleanchor="x",
        constrain="domain",
    )
    return figure


def _add_band(figure: go.Figure, frame: pd.DataFrame) -> None:
    """Add the mean over the fits, and the band between the lowest and the highest fit."""
    x = frame["n_way"]
    edge: dict[str, Any] = {"mode": "lines", "line": {"width": 0}, "hoverinfo": "skip"}
    figure.add_scatter(x=x, y=frame["highest"], showlegend=False, **edge)
    fill = {"fill": "tonexty", "fillcolor": BAND_COLOUR}
    figure.add_scatter(x=x, y=frame["lowest"], name="lowest to highest fit", **edge, **fill)
    figure.add_scatter(
        x=x,
        y=frame["mean"],
        mode="lines+markers",
        line={"color": style.BLUE},
        name="random episodes, mean",
        customdata=frame[["mean", "lowest", "highest"]],
        hovertemplate=_hover_text("%{x}-way: "),
    )


def _add_marker(
    figure: go.Figure, n_way: int, name: str, accuracy: float, colour: str, symbol: str
) -> None:
    """Add an accuracy that is known for one number of candidates only."""
    figure.add_scatter(
        x=[n_way],
        y=[accuracy],
        mode="markers",
        marker={"color": colour, "symbol": symbol, "size": 12, "line": {"width": 2}},
        name=name,
        hovertemplate=f"{name}: %{{y:.1%}}<extra></extra>",
    )


def _error_bars(rows: pd.DataFrame) -> dict[str, Any]:
    """Return thin bars from the lowest to the highest fit."""
    return {
        "array": rows["highest"] - rows["mean"],
        "arrayminus": rows["mean"] - rows["lowest"],
        "thickness": 1,
        "color": style.GREY,
    }


def _hover_text(prefix: str) -> str:
    """Return a hover template for the mean with the lowest and the highest fit."""
    values = "%{customdata[0]:.1%} (%{customdata[1]:.1%}–%{customdata[2]:.1%})"
    return f"{prefix}{values}<extra></extra>"


def _menu(names: list[str]) -> dict[str, Any]:
    """Return a menu that shows one trace of a figure and hides the others."""
    labels = style.axis_labels(names)
    buttons = [
        {
            "label": labels[name],
            "method": "update",
            "args": [{"visible": [name == other for other in names]}],
        }
        for name in names
    ]
    return {"buttons": buttons, "x": 0, "xanchor": "left", "y": 1.14, "yanchor": "top"}
