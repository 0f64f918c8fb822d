"""Plots of a study's history: values, learning curves and costs.

Each function draws one data frame of :mod:`hpo.report.study.frames` or
:mod:`hpo.report.study.analysis`.
"""

from typing import Any

import pandas as pd
import plotly.graph_objects as go

from hpo.report import style
from hpo.report.study.frames import parameter_names

VALUE = "validation accuracy"

MAX_EPOCHS_DRAWN = 40

NO_TRIALS = "No trial has ended yet."


def format_value(value: object) -> str:
    """Return a parameter's value as people write it; frames make floats of integers."""
    if isinstance(value, float):
        return f"{value:.0f}" if value.is_integer() else f"{value:.3g}"
    return str(value)


def trial_hover(frame: pd.DataFrame, state: str = "", full: bool = False) -> dict[str, Any]:
    """Return what a trace says of a trial: its number, state, accuracy, and parameters if ``full``.

    The values lie in one array of numbers, so that a thousand trials stay small.
    """
    names = parameter_names(frame) if full else []
    said_of = [f"{name} %{{customdata[{i}]:.4~g}}" for i, name in enumerate(names, start=2)]
    lines = [", ".join(said_of[i : i + 3]) for i in range(0, len(said_of), 3)]
    first = f"<b>trial %{{customdata[0]:d}}</b> {state} · %{{customdata[1]:.1%}}"
    return {
        "customdata": frame[["trial", "value", *names]].to_numpy("float32"),
        "hovertemplate": "<br>".join([first, *lines]) + "<extra></extra>",
    }


def history_plot(
    progress: pd.DataFrame,
    peers: pd.DataFrame | None = None,
    against: str = "trial",
    full: bool = True,
) -> go.Figure:
    """Return every ended trial's value and the best so far.

    Args:
        progress: of :func:`hpo.report.study.frames.progress_frame`.
        peers: random search in the same space; a frame of
            :func:`hpo.report.study.analysis.best_so_far_frame`.
        against: ``"trial"``, or ``"cost"`` for the training time spent so far.
        full: whether the hover names the parameters.
    """
    if progress.empty:
        return style.empty_figure(NO_TRIALS)
    figure = go.Figure()
    scale, unit = (3600, "h") if progress["cost"].max() > 7200 else (60, "min")
    scale = scale if against == "cost" else 1
    for state, rows in progress.groupby("state", sort=False):
        figure.add_scatter(
            x=rows[against] / scale,
            y=rows["value"].astype("float32"),
            mode="markers",
            name=str(state),
            marker=style.state_marker(str(state), 7),
            **trial_hover(rows, str(state), full),
        )
    for name, rows in [] if peers is None else peers.groupby("study"):
        figure.add_scatter(
            x=rows[against] / scale,
            y=rows["best"],
            mode="lines",
            name=f"random search: {style.escape_markup(str(name))}",
            line={"color": style.GREY, "shape": "hv", "dash": "dot"},
            hovertemplate="random search, best so far %{y:.1%}<extra></extra>",
        )
    figure.add_scatter(
        x=progress[against] / scale,
        y=progress["best"],
        mode="lines",
        name="best so far",
        line={"color": style.BLUE, "shape": "hv", "width": 2},
        hovertemplate="best so far %{y:.1%}<extra></extra>",
    )
    title = "trial" if against == "trial" else f"training time so far ({unit})"
    return style.apply_style(figure, xaxis_title=title, yaxis=style.percent_axis(VALUE))


def learning_curve_plot(curves: pd.DataFrame) -> go.Figure:
    """Return every trial's accuracy by epoch; its end is marked by what ended it.

    Args:
        curves: of :func:`hpo.report.study.frames.curve_frame`.
    """
    if curves.empty:
        return style.empty_figure("No epoch has been reported yet.")
    figure = go.Figure()
    for state, rows in _coarse(curves).groupby("state", sort=False):
        parts = [
            pd.concat([each, each.tail(1).assign(accuracy=None)])
            for _, each in rows.groupby("trial")
        ]  # a gap between two curves of one trace
        joined = pd.concat(parts)
        figure.add_scatter(
            x=joined["epoch"].astype("int16"),
            y=joined["accuracy"].astype("float32"),
            customdata=joined["trial"].astype("int32"),
            mode="lines",
            line={"color": style.STATE_COLOURS[str(state)], "width": 1},
            opacity=0.6,
            name=str(state),
            legendgroup=str(state),
            hovertemplate="trial %{customdata} · epoch %{x} · %{y:.1%}<extra></extra>",
        )
        ends = rows.groupby("trial").tail(1)
        figure.add_scatter(
            x=ends["epoch"],
            y=ends["accuracy"],
            customdata=ends["trial"],
            mode="markers",
            marker=style.state_marker(str(state), 8),
            name=str(state),
            legendgroup=str(state),
            showlegend=False,
            hovertemplate=f"trial %{{customdata}} {state} after epoch %{{x}} · %{{y:.1%}}"
            "<extra></extra>",
        )
    return style.apply_style(
        figure,
        xaxis={"title": {"text": "epoch"}, "dtick": _tick(curves["epoch"].max())},
        yaxis=style.percent_axis(VALUE),
    )


def _coarse(curves: pd.DataFrame) -> pd.DataFrame:
    """Return of long curves every k-th epoch and the last, so that many of them stay small."""
    every = -(-int(curves["epoch"].max()) // MAX_EPOCHS_DRAWN)
    last = curves.groupby("trial")["epoch"].transform("max")
    return curves[(curves["epoch"] % every == 0) | (curves["epoch"] == last)]


def _tick(n_epochs: int) -> int:
    return max(1, round(n_epochs / 10))


def cost_plot(frame: pd.DataFrame) -> go.Figure:
    """Return where the training time went.

    Args:
        frame: of :func:`hpo.report.study.frames.cost_frame`.
    """
    if frame.empty:
        return style.empty_figure(NO_TRIALS)
    share = frame["seconds"] / max(frame["seconds"].sum(), 1e-9)
    colours = [style.STATE_COLOURS.get(on, style.SKY) for on in frame["on"]]
    labels = [
        f"{on}<br>{n} fits · {seconds / 60:.1f} min · {part:.1%}"
        for on, n, seconds, part in zip(*(frame[c] for c in frame), share, strict=True)
    ]
    bars = go.Bar(
        x=frame["seconds"] / 60,
        y=labels,
        orientation="h",
        marker={"color": colours},
        hovertemplate="%{y}<extra></extra>",
    )
    figure = go.Figure(bars)
    figure.update_yaxes(autorange="reversed")
    return style.apply_style(
        figure, height=120 + 48 * len(frame), xaxis_title="training time (min)"
    )
