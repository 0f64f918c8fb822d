"""Figures of a retraining's fits: how each learned, and how it verifies."""

from typing import Any

import numpy as np
import pandas as pd
import plotly.graph_objects as go
from plotly.subplots import make_subplots

from hpo.report import style


def roc_plot(seeds: list[dict[str, Any]]) -> go.Figure:
    """Return each fit's ROC curve on 10,000 test pairs, and where the chosen threshold lies."""
    held_out = [seed for seed in seeds if seed["verification"]]
    if not held_out:
        return style.empty_figure(
            "Trained on the validation alphabets: no threshold could be chosen."
        )
    figure = go.Figure()
    for i, seed in enumerate(held_out):
        found, colour = seed["verification"], (style.BLUE, style.GREEN, style.PURPLE)[i % 3]
        rates = found["roc"]
        figure.add_scatter(
            x=np.array(rates["false"], "float32"),
            y=np.array(rates["true"], "float32"),
            mode="lines",
            line={"color": colour, "width": 1.5},
            name=f"seed {seed['seed']}",
            hovertemplate="called same: %{y:.1%} of the same, %{x:.1%} of the different"
            "<extra></extra>",
        )
        figure.add_scatter(
            x=[found["chosen"]["false"]],
            y=[found["chosen"]["true"]],
            mode="markers",
            marker={"color": style.ORANGE, "size": 10, "symbol": "x"},
            name="threshold chosen on validation",
            showlegend=i == 0,
            hovertemplate=f"threshold {found['threshold']:.2f}: {found['test_accuracy']:.1%} right"
            "<extra></extra>",
        )
    figure = style.apply_style(figure, height=460)
    chosen = [seed["verification"]["chosen"] for seed in held_out]
    right = max(0.5, *(1.05 * point["false"] for point in chosen))
    low = min(0.5, *(0.95 * point["true"] for point in chosen))
    figure.update_xaxes(**style.percent_axis("different pairs called same"), range=[0, right])
    figure.update_yaxes(**style.percent_axis("same pairs called same"), range=[low, 1.005])
    return figure


def training_plot(frame: pd.DataFrame) -> go.Figure:
    """Return loss and validation accuracy of every fit by epoch.

    Args:
        frame: of :func:`hpo.report.retraining.frames.fit_frame`.
    """
    if frame.empty:
        return style.empty_figure("A saved network does not know how it was trained.")
    figure = make_subplots(2, 1, shared_xaxes=True, vertical_spacing=0.08)
    for i, (seed, rows) in enumerate(frame.groupby("seed")):
        colour = (style.BLUE, style.ORANGE, style.GREEN, style.PURPLE, style.SKY)[i % 5]
        for row, (column, form) in enumerate((("loss", ".3f"), ("accuracy", ".1%")), start=1):
            figure.add_scatter(
                x=rows["epoch"],
                y=rows[column],
                mode="lines",
                line={"color": colour},
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
