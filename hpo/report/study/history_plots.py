"""Plots of the trials of a study: values, learning curves and costs.

Each function draws one data frame of :mod:`hpo.report.study.frames`.
"""

from typing import Any

import pandas as pd
import plotly.graph_objects as go

from hpo.report import style
from hpo.report.study.frames import numeric_parameters, parameter_names

VALUE = "validation accuracy"
COST = "FLOP per image"
MAX_EPOCHS_DRAWN = 40
LOG_TICKS = [m * 10.0**k for k in range(-3, 6) for m in (1, 2, 5)]  # MFLOP
NO_TRIALS = "No trial has ended yet."
TOO_FEW = "Too few complete trials."


def trial_hover(frame: pd.DataFrame, state: str = "", with_params: bool = False) -> dict[str, Any]:
    """Return the arguments of a trace that show number, state and accuracy of a trial on hover.

    All values are in one float32 array, so that the file stays small with a thousand trials.

    Args:
        frame: trials of the trace.
        state: state of these trials.
        with_params: whether their parameters are shown too.
    """
    names = numeric_parameters(frame) if with_params else []
    choices = [n for n in parameter_names(frame) if n not in names] if with_params else []
    params = [f"{name} %{{customdata[{i}]:.4~g}}" for i, name in enumerate(names, start=2)]
    lines = [", ".join(params[i : i + 3]) for i in range(0, len(params), 3)]
    rows = frame[choices].to_dict("records")
    texts = [", ".join(f"{name} {row[name]}" for name in choices) for row in rows]
    first = f"<b>trial %{{customdata[0]:d}}</b> {state} · %{{customdata[1]:.1%}}"
    return {
        "customdata": frame[["trial", "value", *names]].to_numpy("float32"),
        "text": texts if choices else None,
        "hovertemplate": "<br>".join([first, *lines, *["%{text}"] * bool(choices)])
        + "<extra></extra>",
    }


def history_plot(
    progress: pd.DataFrame,
    random_searches: pd.DataFrame | None = None,
    against: str = "trial",
    with_params: bool = True,
) -> go.Figure:
    """Return a plot of the value of every ended trial and the best value so far.

    Args:
        progress: frame of :func:`hpo.report.study.frames.progress_frame`.
        random_searches: frame of :func:`hpo.report.study.analysis.best_so_far_frame` for random
            searches in the same space, or None.
        against: horizontal axis: ``"trial"``, or ``"cost"`` for the training time so far.
        with_params: whether a trial's parameters are shown on hover.
    """
    if progress.empty:
        return style.empty_figure(NO_TRIALS)
    figure = go.Figure()
    divisor, unit = (3600, "h") if progress["cost"].max() > 7200 else (60, "min")
    divisor = divisor if against == "cost" else 1
    for state, rows in progress.groupby("state", sort=False):
        figure.add_scatter(
            x=rows[against] / divisor,
            y=rows["value"].astype("float32"),
            mode="markers",
            name=str(state),
            marker=style.state_marker(str(state), 7),
            **trial_hover(rows, str(state), with_params),
        )
    for name, rows in [] if random_searches is None else random_searches.groupby("study"):
        figure.add_scatter(
            x=rows[against] / divisor,
            y=rows["best"],
            mode="lines",
            name=f"random search: {style.escape_markup(str(name))}",
            line={"color": style.GREY, "shape": "hv", "dash": "dot"},
            hovertemplate="random search, best so far %{y:.1%}<extra></extra>",
        )
    figure.add_scatter(
        x=progress[against] / divisor,
        y=progress["best"],
        mode="lines",
        name="best so far",
        line={"color": style.BLUE, "shape": "hv", "width": 2},
        hovertemplate="best so far %{y:.1%}<extra></extra>",
    )
    title = "trial" if against == "trial" else f"training time so far ({unit})"
    return style.apply_style(figure, xaxis_title=title, yaxis=style.percent_axis(VALUE))


def learning_curve_plot(curves: pd.DataFrame) -> go.Figure:
    """Return a plot of every trial's accuracy by epoch; a marker at its end shows its state.

    Args:
        curves: frame of :func:`hpo.report.study.frames.curve_frame`.
    """
    if curves.empty:
        return style.empty_figure("No epoch has been reported yet.")
    figure = go.Figure()
    for state, rows in _thin_epochs(curves).groupby("state", sort=False):
        # One trace for all curves of a state: a missing value after each curve leaves a gap.
        parts = [
            pd.concat([curve, curve.tail(1).assign(accuracy=None)])
            for _, curve in rows.groupby("trial")
        ]
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
    tick_step = max(1, round(curves["epoch"].max() / 10))
    return style.apply_style(
        figure,
        xaxis={"title": {"text": "epoch"}, "dtick": tick_step},
        yaxis=style.percent_axis(VALUE),
    )


def cost_plot(frame: pd.DataFrame) -> go.Figure:
    """Return a bar chart of the training time by state of the trials.

    Args:
        frame: frame of :func:`hpo.report.study.frames.cost_frame`.
    """
    if frame.empty:
        return style.empty_figure(NO_TRIALS)
    shares = frame["seconds"] / max(frame["seconds"].sum(), 1e-9)
    labels = [
        f"{group}<br>{n_fits} fit{'s' * (n_fits > 1)} · {seconds / 60:.1f} min · {share:.1%}"
        for group, n_fits, seconds, share in zip(*(frame[c] for c in frame), shares, strict=True)
    ]
    bars = go.Bar(
        x=frame["seconds"] / 60,
        y=labels,
        orientation="h",
        marker={"color": [style.STATE_COLOURS.get(group, style.SKY) for group in frame["group"]]},
        hovertemplate="%{y}<extra></extra>",
    )
    figure = go.Figure(bars)
    figure.update_yaxes(autorange="reversed")
    return style.apply_style(
        figure, height=120 + 48 * len(frame), xaxis_title="training time (min)"
    )


def pareto_plot(frame: pd.DataFrame) -> go.Figure:
    """Return a plot of accuracy against the cost of embedding one image, with the Pareto front.

    Args:
        frame: frame of :func:`hpo.report.study.frames.pareto_frame`.
    """
    if frame.empty:
        return style.empty_figure(TOO_FEW)
    front = frame[frame["front"]]
    figure = go.Figure()
    figure.add_scatter(
        x=frame["flops"] / 1e6,
        y=frame["value"],
        mode="markers",
        name="complete trials",
        marker={"color": style.BLUE, "size": 7},
        **trial_hover(frame),
    )
    figure.add_scatter(
        x=front["flops"] / 1e6,
        y=front["value"],
        mode="lines+markers",
        name="Pareto front",
        line={"color": style.ORANGE, "shape": "hv"},
        marker={"size": 10, "symbol": "circle-open"},
        **trial_hover(front, with_params=True),
    )
    xaxis = {
        "title": {"text": "cost of embedding an image (MFLOP)"},
        "type": "log",
        "tickvals": LOG_TICKS,
    }
    return style.apply_style(figure, xaxis=xaxis, yaxis=style.percent_axis(VALUE))


def _thin_epochs(curves: pd.DataFrame) -> pd.DataFrame:
    """Return every k-th epoch of the curves and their last epochs, to keep the file small."""
    step = -(-int(curves["epoch"].max()) // MAX_EPOCHS_DRAWN)
    last_epoch = curves.groupby("trial")["epoch"].transform("max")
    return curves[(curves["epoch"] % step == 0) | (curves["epoch"] == last_epoch)]
