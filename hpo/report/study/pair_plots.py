"""Maps of two quantities at a time: rate and momentum, two parameters, cost and accuracy."""

import numpy as np
import pandas as pd
import plotly.graph_objects as go
from plotly.subplots import make_subplots

from hpo.report import style
from hpo.report.study.history_plots import VALUE, trial_hover
from hpo.report.study.parameter_plots import TOO_FEW


def _markers(rows: pd.DataFrame, show: bool) -> dict[str, object]:
    """Return points coloured by their value, best on top where rows are sorted by it."""
    marker: dict[str, object] = {
        "color": rows["value"].astype("float32"),
        "colorscale": style.SCALE,
        "size": 7,
        "showscale": show,
        "line": {"width": 0.5, "color": style.GREY},
    }
    return marker | ({"colorbar": style.colour_bar("accuracy")} if show else {})


def layer_rate_plot(frame: pd.DataFrame, n_columns: int = 3) -> go.Figure:
    """Return each layer's learning rate against its momentum, coloured by the trial's value.

    Args:
        frame: of :func:`hpo.report.study.frames.layer_rate_frame`.
        n_columns: of the small figures.
    """
    if frame.empty:
        return style.empty_figure(
            "Learning rates and momenta were not both searched, or no trial is complete."
        )
    frame = frame.sort_values("value")  # the best drawn last, on top
    layers = [
        x
        for x in ("conv1", "conv2", "conv3", "conv4", "fc1", "head")
        if (frame["layer"] == x).any()
    ]
    n_rows = -(-len(layers) // n_columns)
    figure = make_subplots(
        n_rows,
        n_columns,
        subplot_titles=layers,
        shared_yaxes=True,
        shared_xaxes=True,
        horizontal_spacing=0.03,
        vertical_spacing=0.12,
    )
    low, high = frame["value"].min(), frame["value"].max()
    for i, layer in enumerate(layers):
        rows = frame[frame["layer"] == layer]
        row, column = divmod(i, n_columns)
        figure.add_scatter(
            x=rows["lr"].astype("float32"),
            y=rows["momentum"].astype("float32"),
            customdata=rows[["trial", "value"]].to_numpy("float32"),
            mode="markers",
            marker=_markers(rows, show=i == 0) | {"cmin": low, "cmax": high},
            hovertemplate="trial %{customdata[0]:d} · %{customdata[1]:.1%}<br>lr %{x:.3g} · "
            "momentum %{y:.2f}<extra></extra>",
            showlegend=False,
            row=row + 1,
            col=column + 1,
        )
        if row == n_rows - 1:
            figure.update_xaxes(title={"text": "learning rate"}, row=row + 1, col=column + 1)
    figure = style.apply_style(figure, height=120 + 230 * n_rows)
    figure.update_xaxes(type="log", dtick=1, exponentformat="e")
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
    """Return the value over two parameters, interpolated between the complete trials.

    Args:
        frame: of :func:`hpo.report.study.frames.trial_frame`.
        grid: of :func:`hpo.report.study.analysis.interpolate`.
        x: name of a parameter.
        y: name of another.
        log: those of the two on a log scale.
    """
    if grid is None:
        return style.empty_figure(TOO_FEW)
    done = frame[frame["state"] == "complete"]
    xs, ys, values = grid
    figure = go.Figure(
        go.Contour(
            x=xs,
            y=ys,
            z=values.astype("float32"),
            colorscale=style.SCALE,
            colorbar=style.colour_bar("accuracy"),
            line={"width": 0.5},
            hovertemplate=f"{x} %{{x:.4~g}} · {y} %{{y:.4~g}} · about %{{z:.1%}}<extra></extra>",
        )
    )
    figure.add_scatter(
        x=done[x],
        y=done[y],
        mode="markers",
        marker={"color": "white", "size": 6, "line": {"color": "black", "width": 1}},
        **trial_hover(done),
        showlegend=False,
    )
    kinds = {True: {"type": "log", "exponentformat": "e"}, False: {}}
    return style.apply_style(
        figure,
        xaxis={"title": {"text": x}, **kinds[x in log]},
        yaxis={"title": {"text": y}, **kinds[y in log]},
    )


def pareto_plot(frame: pd.DataFrame) -> go.Figure:
    """Return accuracy against the FLOPs of embedding an image, and the front of the best.

    Args:
        frame: of :func:`hpo.report.study.frames.pareto_frame`.
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
        **trial_hover(front),
    )
    axis = {"title": {"text": "cost of embedding an image (MFLOP)"}, "type": "log", "dtick": "D2"}
    return style.apply_style(figure, xaxis=axis, yaxis=style.percent_axis(VALUE))
