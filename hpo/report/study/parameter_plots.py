"""Figures of a study's parameters: which matter, and where the good trials lie in each.

Maps of two quantities at a time are drawn in :mod:`hpo.report.study.pair_plots`.
"""

import math

import numpy as np
import pandas as pd
import plotly.graph_objects as go
from plotly.subplots import make_subplots

from hpo.report import style

TOO_FEW = "Too few complete trials."


def importance_plot(frame: pd.DataFrame, n_trials: int) -> go.Figure:
    """Return bars, the greatest at the top.

    Args:
        frame: of :func:`hpo.report.study.analysis.importance_frame`.
        n_trials: complete trials that it rests on.
    """
    if frame.empty:
        return style.empty_figure(f"{TOO_FEW} An importance would say nothing.")
    figure = go.Figure(
        go.Bar(
            x=frame["importance"],
            y=frame["parameter"],
            orientation="h",
            marker={"color": style.BLUE},
            hovertemplate="%{y}: %{x:.1%}<extra></extra>",
        )
    )
    figure.update_yaxes(autorange="reversed", title={"text": "parameter"}, dtick=1)
    axis = style.percent_axis(f"importance, {n_trials} trials")
    return style.apply_style(figure, height=120 + 20 * len(frame), xaxis=axis)


def parallel_plot(frame: pd.DataFrame, names: list[str], log: set[str]) -> go.Figure:
    """Return the complete trials as lines through some of their parameters.

    Args:
        frame: of :func:`hpo.report.study.frames.trial_frame`.
        names: of the parameters, from left to right.
        log: those on a log scale.
    """
    done = frame[frame["state"] == "complete"].sort_values("value")
    if len(done) < 2 or not names:
        return style.empty_figure(TOO_FEW)
    dimensions = [_dimension(done[name], name, name in log) for name in names]
    last = {"label": "accuracy (%)", "values": (100 * done["value"]).astype("float32").to_numpy()}
    line = {"color": done["value"].to_numpy(), "colorscale": style.SCALE, "showscale": False}
    figure = go.Figure(go.Parcoords(dimensions=[*dimensions, last], line=line, labelangle=-20))
    figure = style.apply_style(figure)
    return figure.update_layout(margin={"l": 60, "r": 60, "t": 90, "b": 30})


def _dimension(values: "pd.Series[float]", name: str, log: bool) -> dict[str, object]:
    """Return an axis; plotly has no logarithmic one, so it bears the ticks itself."""
    if not log:
        return {"label": name, "values": values.astype("float32").to_numpy()}
    powers = np.log10(values.astype(float))
    ticks = list(range(math.floor(powers.min()), math.ceil(powers.max()) + 1))
    return {
        "label": name,
        "values": powers.astype("float32").to_numpy(),
        "tickvals": ticks,
        "ticktext": [f"1e{tick}" for tick in ticks],
    }


def slice_plot(
    frame: pd.DataFrame, names: list[str], log: set[str], n_columns: int = 3
) -> go.Figure:
    """Return the complete trials' value against each parameter.

    Args:
        frame: of :func:`hpo.report.study.frames.trial_frame`.
        names: of the parameters.
        log: those on a log scale.
        n_columns: of the small figures.
    """
    done = frame[frame["state"] == "complete"]
    if done.empty or not names:
        return style.empty_figure(TOO_FEW)
    n_rows = -(-len(names) // n_columns)
    height = 110 + 190 * n_rows
    figure = make_subplots(
        n_rows,
        n_columns,
        shared_yaxes=True,
        horizontal_spacing=0.03,
        vertical_spacing=min(0.3, 70 / height),
    )
    for i, name in enumerate(names):
        row, column = divmod(i, n_columns)
        figure.add_scatter(
            x=done[name].astype("float32"),
            y=done["value"].astype("float32"),
            customdata=done["trial"].astype("int32"),
            mode="markers",
            marker={"color": style.BLUE, "size": 5, "opacity": 0.7},
            hovertemplate=f"trial %{{customdata}} · {name} %{{x:.4~g}} · %{{y:.1%}}<extra></extra>",
            showlegend=False,
            row=row + 1,
            col=column + 1,
        )
        kind = "log" if name in log else "linear"
        ticks = {"dtick": 1, "exponentformat": "e"} if kind == "log" else {"nticks": 5}
        title = {"text": name, "standoff": 4}
        figure.update_xaxes(title=title, type=kind, row=row + 1, col=column + 1, **ticks)
    figure = style.apply_style(figure, height=height)
    figure.update_yaxes(tickformat=".0%")
    figure.update_yaxes(title={"text": "accuracy (%)"}, col=1)
    return figure
