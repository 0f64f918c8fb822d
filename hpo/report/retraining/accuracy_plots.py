"""Figures of a retraining, drawn from the frames of :mod:`hpo.report.retraining.frames`."""

from typing import Any

import numpy as np
import pandas as pd
import plotly.graph_objects as go
from plotly.subplots import make_subplots

from hpo.refit import published
from hpo.report import style


def _hover(before: str) -> str:
    return (
        before + "%{customdata[0]:.1%} (%{customdata[1]:.1%}–%{customdata[2]:.1%})<extra></extra>"
    )


def n_way_plot(frame: pd.DataFrame, official: float, at: int, omniglot: bool) -> go.Figure:
    """Return accuracy against N with its band over the fits.

    Args:
        frame: of :func:`hpo.report.retraining.frames.n_way_frame`.
        official: mean accuracy on the official episodes.
        at: their number of candidates.
        omniglot: whether the paper's and people's figures may stand beside it.
    """
    figure = go.Figure()
    _band(figure, frame)
    figure.add_scatter(
        x=frame["n_way"],
        y=1 / frame["n_way"],
        line={"color": style.GREY, "dash": "dot"},
        name="chance",
        mode="lines",
        hovertemplate="chance %{y:.1%}<extra></extra>",
    )
    if omniglot:
        _mark(figure, at, "people, official", published.HUMAN, style.GREEN, "star")
        _mark(figure, at, "paper, official", published.CONVNET, style.ORANGE, "square")
    whose = "official" if omniglot else "test"
    _mark(figure, at, f"ours, {whose}", official, style.BLUE, "diamond-open")
    axis = {"title": {"text": "N, candidates per episode"}, "dtick": 2}
    return style.apply_style(
        figure, height=480, xaxis=axis, yaxis=style.percent_axis("one-shot accuracy")
    )


def _band(figure: go.Figure, frame: pd.DataFrame) -> None:
    """Draw the mean over the fits, and what lies between the least and the most of them."""
    x = frame["n_way"]
    edge: dict[str, Any] = {"mode": "lines", "line": {"width": 0}, "hoverinfo": "skip"}
    figure.add_scatter(x=x, y=frame["most"], showlegend=False, **edge)
    filled = {"fill": "tonexty", "fillcolor": "rgba(0,114,178,0.25)"}
    figure.add_scatter(x=x, y=frame["least"], name="least to most over the fits", **edge, **filled)
    figure.add_scatter(
        x=x,
        y=frame["mean"],
        mode="lines+markers",
        line={"color": style.BLUE},
        name="random within-alphabet episodes, mean",
        customdata=frame[["mean", "least", "most"]],
        hovertemplate=_hover("%{x}-way: "),
    )


def _mark(figure: go.Figure, x: int, name: str, y: float, colour: str, symbol: str) -> None:
    """Draw one figure that is known of one number of candidates alone."""
    figure.add_scatter(
        x=[x],
        y=[y],
        mode="markers",
        marker={"color": colour, "symbol": symbol, "size": 12, "line": {"width": 2}},
        name=name,
        hovertemplate=f"{name}: %{{y:.1%}}<extra></extra>",
    )


def _error_bars(rows: pd.DataFrame) -> dict[str, Any]:
    """Return fine bars from the least to the most of the fits."""
    return {
        "array": rows["most"] - rows["mean"],
        "arrayminus": rows["mean"] - rows["least"],
        "thickness": 1,
        "color": style.GREY,
    }


def alphabet_plot(frame: pd.DataFrame) -> go.Figure:
    """Return bars per alphabet, one small figure for each N.

    Args:
        frame: of :func:`hpo.report.retraining.frames.alphabet_frame`.
    """
    frame = frame.assign(alphabet=frame["alphabet"].map(style.escape_markup))
    all_n = sorted(frame["n_way"].unique())
    order = frame[frame["n_way"] == all_n[-1]].sort_values(["part", "mean"])["alphabet"].tolist()
    figure = make_subplots(
        1,
        len(all_n),
        shared_yaxes=True,
        horizontal_spacing=0.015,
        subplot_titles=[f"{n}-way" for n in all_n],
    )
    looks = {
        "test": (style.BLUE, "test"),
        "val": (style.ORANGE, "validation: chose the configuration"),
    }
    for i, n in enumerate(all_n):
        for part, (colour, name) in looks.items():
            rows = frame[(frame["n_way"] == n) & (frame["part"] == part)]
            rows = rows.set_index("alphabet").reindex(
                [a for a in order if a in set(rows["alphabet"])]
            )
            figure.add_bar(
                x=rows["mean"],
                y=rows.index,
                orientation="h",
                marker={"color": colour},
                name=name,
                legendgroup=part,
                showlegend=i == 0 and len(rows) > 0,
                error_x=_error_bars(rows),
                customdata=rows[["mean", "least", "most"]],
                hovertemplate=_hover("%{y}<br>"),
                row=1,
                col=i + 1,
            )
    figure = style.apply_style(figure, height=160 + 24 * len(order))
    figure.update_layout(margin={"t": 90}, legend={"y": 1.06})
    figure.update_xaxes(range=[0, 1], tickformat=".0%", tickvals=[0.25, 0.5, 0.75])
    figure.update_xaxes(title={"text": "accuracy (%)"}, col=(len(all_n) + 1) // 2)
    figure.update_yaxes(categoryorder="array", categoryarray=order, dtick=1)
    return figure


def lake_run_plot(frame: pd.DataFrame) -> go.Figure:
    """Return a bar per official run.

    Args:
        frame: of :func:`hpo.report.retraining.frames.lake_run_frame`.
    """
    figure = go.Figure(
        go.Bar(
            x=frame["lake_run"],
            y=frame["mean"],
            marker={"color": style.BLUE},
            error_y=_error_bars(frame),
            customdata=frame[["mean", "least", "most"]],
            hovertemplate=_hover("%{x}: "),
        )
    )
    axis = style.percent_axis("accuracy") | {"range": [0, 1.05]}
    return style.apply_style(figure, height=360, xaxis_title="block of episodes", yaxis=axis)


def confusion_plot(shares: dict[str, np.ndarray]) -> go.Figure:
    """Return the confusion matrix of one alphabet at a time, chosen from a list.

    Args:
        shares: of :func:`hpo.report.retraining.frames.confusion_shares`.
    """
    if not shares:
        return style.empty_figure("Nothing was asked of any alphabet.")
    figure = go.Figure()
    for name, shares_CC in shares.items():
        number = np.arange(1, len(shares_CC) + 1, dtype="int16")
        figure.add_heatmap(
            x=number,
            y=number,
            z=shares_CC,
            zmin=0,
            zmax=1,
            colorscale=style.SCALE,
            colorbar=style.colour_bar("share"),
            visible=name == next(iter(shares)),
            hovertemplate="character %{y} taken for %{x}: %{z:.1%}<extra></extra>",
        )
    figure = style.apply_style(figure, height=560, updatemenus=[_one_of(list(shares))])
    figure.update_layout(margin={"t": 80})
    figure.update_xaxes(title={"text": "answer (number of the character)"}, constrain="domain")
    figure.update_yaxes(
        title={"text": "asked (number of the character)"},
        autorange="reversed",
        scaleanchor="x",
        constrain="domain",
    )
    return figure


def _one_of(names: list[str]) -> dict[str, Any]:
    """Return the list from which one of a figure's traces is chosen."""
    buttons = [
        {
            "label": style.escape_markup(name),
            "method": "update",
            "args": [{"visible": [name == n for n in names]}],
        }
        for name in names
    ]
    return {"buttons": buttons, "x": 0, "xanchor": "left", "y": 1.14, "yanchor": "top"}
