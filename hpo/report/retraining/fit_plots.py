"""Plots of the fits of a retraining: how each was trained, and its ROC curve."""

import numpy as np
import pandas as pd
import plotly.graph_objects as go
from plotly.subplots import make_subplots

from hpo.report import style
from model.verification import VerificationMetrics

ROC_COLOURS = (style.BLUE, style.GREEN, style.PURPLE)
FIT_COLOURS = (style.BLUE, style.ORANGE, style.GREEN, style.PURPLE, style.SKY)


def roc_plot(verification_by_seed: dict[int, VerificationMetrics]) -> go.Figure:
    """Return the ROC curve of each fit on the test pairs, with a marker at its threshold."""
    if not verification_by_seed:
        return style.empty_figure(
            "The validation alphabets are training data, so no threshold could be chosen."
        )
    figure = go.Figure()
    for i, (seed, metrics) in enumerate(verification_by_seed.items()):
        figure.add_scatter(
            x=np.array(metrics.roc.false, "float32"),
            y=np.array(metrics.roc.true, "float32"),
            mode="lines",
            line={"color": ROC_COLOURS[i % len(ROC_COLOURS)], "width": 1.5},
            name=f"seed {seed}",
            hovertemplate="classified as same: %{y:.1%} of the same pairs, %{x:.1%} of the "
            "different pairs<extra></extra>",
        )
        accuracy = f"{metrics.test_accuracy:.1%} of the pairs correct"
        figure.add_scatter(
            x=[metrics.chosen.false],
            y=[metrics.chosen.true],
            mode="markers",
            marker={"color": style.ORANGE, "size": 10, "symbol": "x"},
            name="threshold chosen on validation",
            showlegend=i == 0,
            hovertemplate=f"threshold {metrics.threshold:.2f}: {accuracy}<extra></extra>",
        )
    figure = style.apply_style(figure, height=460)
    points = [metrics.chosen for metrics in verification_by_seed.values()]
    right = max(0.5, *(1.05 * point.false for point in points))
    bottom = min(0.5, *(0.95 * point.true for point in points))
    figure.update_xaxes(
        **style.percent_axis("different pairs classified as same"), range=[0, right]
    )
    figure.update_yaxes(
        **style.percent_axis("same pairs classified as same"), range=[bottom, 1.005]
    )
    return figure


def training_plot(frame: pd.DataFrame) -> go.Figure:
    """Return a plot of the loss and the validation accuracy of every fit by epoch.

    Args:
        frame: from :func:`hpo.report.retraining.frames.fit_frame`.
    """
    if frame.empty:
        return style.empty_figure("A saved network does not contain its training history.")
    figure = make_subplots(2, 1, shared_xaxes=True, vertical_spacing=0.08)
    for i, (seed, rows) in enumerate(frame.groupby("seed")):
        for row, (column, form) in enumerate((("loss", ".3f"), ("accuracy", ".1%")), start=1):
            figure.add_scatter(
                x=rows["epoch"],
                y=rows[column],
                mode="lines",
                line={"color": FIT_COLOURS[i % len(FIT_COLOURS)]},
                name=f"seed {seed}",
                legendgroup=str(seed),
                showlegend=row == 1,
                hovertemplate=f"seed {seed} · epoch %{{x}} · {column} %{{y:{form}}}<extra></extra>",
                row=row,
                col=1,
            )
    figure = style.apply_style(figure, height=520)
    figure.update_yaxes(title={"text": "training loss (nats)"}, row=1, col=1)
    figure.update_yaxes(**style.percent_axis("validation accuracy"), row=2, col=1)
    figure.update_xaxes(title={"text": "epoch"}, row=2, col=1)
    return figure
