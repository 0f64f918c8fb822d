"""Plots of the parameters of a study: which ones matter, and where the good trials are."""

import math
from typing import Any

import numpy as np
import pandas as pd
import plotly.graph_objects as go
from plotly.subplots import make_subplots

from hpo.report import style
from hpo.report.study import frames
from hpo.report.study.history_plots import TOO_FEW, trial_hover

LAYERS = ("conv1", "conv2", "conv3", "conv4", "fc1", "head")
N_COLUMNS = 3  # of small plots
LOG_AXIS: dict[str, Any] = {"type": "log", "exponentformat": "e"}


def importance_plot(frame: pd.DataFrame, n_trials: int) -> go.Figure:
    """Return a bar chart of the importances, the highest at the top.

    Args:
        frame: frame of :func:`hpo.report.study.analysis.importance_frame`.
        n_trials: number of trials from which the importances were computed.
    """
    if frame.empty:
        return style.empty_figure(f"{TOO_FEW} The importances cannot be estimated.")
    bars = go.Bar(
        x=frame["importance"],
        y=frame["parameter"],
        orientation="h",
        marker={"color": style.BLUE},
        hovertemplate="%{y}: %{x:.1%}<extra></extra>",
    )
    figure = go.Figure(bars)
    figure.update_yaxes(autorange="reversed", title={"text": "parameter"}, dtick=1)
    axis = style.percent_axis(f"importance, {n_trials} trials")
    return style.apply_style(figure, height=120 + 20 * len(frame), xaxis=axis)


def slice_plot(frame: pd.DataFrame, names: list[str], log: set[str]) -> go.Figure:
    """Return one small plot per parameter: the values of the complete trials against it.

    Args:
        frame: frame of :func:`hpo.report.study.frames.trial_frame`.
        names: names of the parameters.
        log: names of the parameters on a log scale.
    """
    complete = frame[frame["state"] == "complete"]
    if complete.empty or not names:
        return style.empty_figure(TOO_FEW)
    numeric = frames.numeric_parameters(complete, names)
    n_rows = math.ceil(len(names) / N_COLUMNS)
    height = 110 + 190 * n_rows
    figure = make_subplots(
        n_rows,
        N_COLUMNS,
        shared_yaxes=True,
        horizontal_spacing=0.03,
        vertical_spacing=min(0.3, 70 / height),
    )
    for i, name in enumerate(names):
        cell = {"row": i // N_COLUMNS + 1, "col": i % N_COLUMNS + 1}
        figure.add_scatter(
            x=complete[name].astype("float32" if name in numeric else str),
            y=complete["value"].astype("float32"),
            customdata=complete["trial"].astype("int32"),
            mode="markers",
            marker={"color": style.BLUE, "size": 5, "opacity": 0.7},
            hovertemplate=f"trial %{{customdata}} · {name} "
            f"%{{x{':.4~g' if name in numeric else ''}}} · %{{y:.1%}}<extra></extra>",
            showlegend=False,
            **cell,
        )
        axis = LOG_AXIS | {"dtick": 1} if name in log else {"type": "linear", "nticks": 5}
        axis = axis if name in numeric else {"type": "category"}
        figure.update_xaxes(title={"text": name, "standoff": 4}, **axis, **cell)
    figure = style.apply_style(figure, height=height)
    figure.update_yaxes(tickformat=".0%")
    figure.update_yaxes(title={"text": "accuracy (%)"}, col=1)
    return figure


def layer_rate_plot(frame: pd.DataFrame) -> go.Figure:
    """Return one small plot per layer: momentum against learning rate, coloured by the value.

    Args:
        frame: frame of :func:`hpo.report.study.frames.layer_rate_frame`.
    """
    if frame.empty:
        return style.empty_figure(
            "No complete trial, or learning rate and momentum were not both searched."
        )
    frame = frame.sort_values("value")  # the best trials are drawn last, on top of the others
    layers = [layer for layer in LAYERS if (frame["layer"] == layer).any()]
    n_rows = math.ceil(len(layers) / N_COLUMNS)
    figure = make_subplots(
        n_rows,
        N_COLUMNS,
        subplot_titles=layers,
        shared_yaxes=True,
        shared_xaxes=True,
        horizontal_spacing=0.03,
        vertical_spacing=0.12,
    )
    value_range = {"cmin": frame["value"].min(), "cmax": frame["value"].max()}
    for i, layer in enumerate(layers):
        rows = frame[frame["layer"] == layer]
        cell = {"row": i // N_COLUMNS + 1, "col": i % N_COLUMNS + 1}
        figure.add_scatter(
            x=rows["lr"].astype("float32"),
            y=rows["momentum"].astype("float32"),
            customdata=rows[["trial", "value"]].to_numpy("float32"),
            mode="markers",
            marker=_value_marker(rows, colour_bar=i == 0) | value_range,
            hovertemplate="trial %{customdata[0]:d} · %{customdata[1]:.1%}<br>lr %{x:.3g} · "
            "momentum %{y:.2f}<extra></extra>",
            showlegend=False,
            **cell,
        )
        if cell["row"] == n_rows:
            figure.update_xaxes(title={"text": "learning rate"}, **cell)
    figure = style.apply_style(figure, height=120 + 230 * n_rows)
    figure.update_xaxes(**LOG_AXIS, dtick=1)
    figure.update_yaxes(range=[-0.05, 1.05])
    figure.update_yaxes(title={"text": "momentum"}, col=1)
    return figure


def contour_plot(
    frame: pd.DataFrame,
    grid: tuple[np.ndarray, np.ndarray, np.ndarray] | None,
    x: str,
    y: str,
    log: set[str],
) -> go.Figure:
    """Return a contour plot of the value over two parameters, with the complete trials.

    Args:
        frame: frame of :func:`hpo.report.study.frames.trial_frame`.
        grid: grid of :func:`hpo.report.study.analysis.interpolate`.
        x: name of the parameter on the horizontal axis.
        y: name of the parameter on the vertical axis.
        log: names of the parameters on a log scale.
    """
    if grid is None:
        return style.empty_figure(TOO_FEW)
    complete = frame[frame["state"] == "complete"]
    xs, ys, values = grid
    contour = go.Contour(
        x=xs,
        y=ys,
        z=values.astype("float32"),
        colorscale=style.COLOUR_SCALE,
        colorbar=style.colour_bar("accuracy") | {"tickformat": ".1%"},
        line={"width": 0.5},
        hovertemplate=f"{x} %{{x:.4~g}} · {y} %{{y:.4~g}} · about %{{z:.1%}}<extra></extra>",
    )
    figure = go.Figure(contour)
    figure.add_scatter(
        x=complete[x],
        y=complete[y],
        mode="markers",
        marker={"color": "white", "size": 6, "line": {"color": "black", "width": 1}},
        **trial_hover(complete),
        showlegend=False,
    )
    xaxis, yaxis = ({"title": {"text": p}, **(LOG_AXIS if p in log else {})} for p in (x, y))
    return style.apply_style(figure, xaxis=xaxis, yaxis=yaxis)


def _value_marker(rows: pd.DataFrame, *, colour_bar: bool) -> dict[str, object]:
    """Return markers coloured by the value of their trial, with or without a colour bar."""
    marker: dict[str, object] = {
        "color": rows["value"].astype("float32"),
        "colorscale": style.COLOUR_SCALE,
        "size": 7,
        "showscale": colour_bar,
        "line": {"width": 0.5, "color": style.GREY},
    }
    return marker | ({"colorbar": style.colour_bar("accuracy")} if colour_bar else {})
