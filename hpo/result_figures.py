"""Figures of a retraining, drawn from the frames of :mod:`hpo.result_records`."""

from typing import Any

import numpy as np
import pandas as pd
import plotly.graph_objects as go
from plotly.subplots import make_subplots

from hpo import paper, theme


def _hover(before: str) -> str:
    return (
        before + "%{customdata[0]:.1%} (%{customdata[1]:.1%}–%{customdata[2]:.1%})<extra></extra>"
    )


def n_way(frame: pd.DataFrame, official: float, at: int, omniglot: bool) -> go.Figure:
    """Return accuracy against N with its band over the fits.

    Args:
        frame: of :func:`hpo.result_records.ways`.
        official: mean accuracy on the official episodes.
        at: their number of candidates.
        omniglot: whether the paper's and people's figures may stand beside it.
    """
    x = frame["n_way"]
    figure = go.Figure()
    edge: dict[str, Any] = {"mode": "lines", "line": {"width": 0}, "hoverinfo": "skip"}
    figure.add_scatter(x=x, y=frame["most"], showlegend=False, **edge)
    figure.add_scatter(
        x=x,
        y=frame["least"],
        fill="tonexty",
        fillcolor="rgba(0,114,178,0.25)",
        name="least to most over the fits",
        **edge,
    )
    figure.add_scatter(
        x=x,
        y=frame["mean"],
        mode="lines+markers",
        line={"color": theme.BLUE},
        name="random within-alphabet episodes, mean",
        customdata=frame[["mean", "least", "most"]],
        hovertemplate=_hover("%{x}-way: "),
    )
    figure.add_scatter(
        x=x,
        y=1 / x,
        line={"color": theme.GREY, "dash": "dot"},
        name="chance",
        mode="lines",
        hovertemplate="chance %{y:.1%}<extra></extra>",
    )
    whose = "official" if omniglot else "test"
    points = [(f"ours, {whose}", official, theme.BLUE, "diamond-open")]
    if omniglot:
        points.insert(0, ("paper, official", paper.CONVNET, theme.ORANGE, "square"))
        points.insert(0, ("people, official", paper.HUMAN, theme.GREEN, "star"))
    for name, y, colour, symbol in points:
        figure.add_scatter(
            x=[at],
            y=[y],
            mode="markers",
            marker={"color": colour, "symbol": symbol, "size": 12, "line": {"width": 2}},
            name=name,
            hovertemplate=f"{name}: %{{y:.1%}}<extra></extra>",
        )
    axis = {"title": {"text": "N, candidates per episode"}, "dtick": 2}
    return theme.styled(
        figure, height=480, xaxis=axis, yaxis=theme.percent_axis("one-shot accuracy")
    )


def alphabets(frame: pd.DataFrame) -> go.Figure:
    """Return bars per alphabet, one small figure for each N.

    Args:
        frame: of :func:`hpo.result_records.alphabets`.
    """
    frame = frame.assign(alphabet=frame["alphabet"].map(theme.plain))
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
        "test": (theme.BLUE, "test"),
        "val": (theme.ORANGE, "validation: chose the configuration"),
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
                error_x={
                    "array": rows["most"] - rows["mean"],
                    "arrayminus": rows["mean"] - rows["least"],
                    "thickness": 1,
                    "color": theme.GREY,
                },
                customdata=rows[["mean", "least", "most"]],
                hovertemplate=_hover("%{y}<br>"),
                row=1,
                col=i + 1,
            )
    figure = theme.styled(figure, height=160 + 24 * len(order))
    figure.update_layout(margin={"t": 90}, legend={"y": 1.06})
    figure.update_xaxes(range=[0, 1], tickformat=".0%", tickvals=[0.25, 0.5, 0.75])
    figure.update_xaxes(title={"text": "accuracy (%)"}, col=(len(all_n) + 1) // 2)
    figure.update_yaxes(categoryorder="array", categoryarray=order, dtick=1)
    return figure


def lake_runs(frame: pd.DataFrame) -> go.Figure:
    """Return a bar per official run.

    Args:
        frame: of :func:`hpo.result_records.lake_runs`.
    """
    figure = go.Figure(
        go.Bar(
            x=frame["lake_run"],
            y=frame["mean"],
            marker={"color": theme.BLUE},
            error_y={
                "array": frame["most"] - frame["mean"],
                "arrayminus": frame["mean"] - frame["least"],
                "thickness": 1,
                "color": theme.GREY,
            },
            customdata=frame[["mean", "least", "most"]],
            hovertemplate=_hover("%{x}: "),
        )
    )
    axis = theme.percent_axis("accuracy") | {"range": [0, 1.05]}
    return theme.styled(figure, height=360, xaxis_title="block of episodes", yaxis=axis)


def confusion(confusions: pd.DataFrame) -> go.Figure:
    """Return the confusion matrix of one alphabet at a time, chosen from a list.

    Args:
        confusions: ``alphabet``, ``character``, ``answer``, ``count``.
    """
    if confusions.empty:
        return theme.empty("No alphabet has twenty characters.")
    names = sorted(confusions["alphabet"].unique())
    figure = go.Figure()
    for i, name in enumerate(names):
        rows = confusions[confusions["alphabet"] == name]
        n = int(rows[["character", "answer"]].to_numpy().max()) + 1
        counts = np.zeros((n, n), "float32")
        np.add.at(counts, (rows["character"], rows["answer"]), rows["count"])
        shares = counts / np.maximum(counts.sum(1, keepdims=True), 1)
        figure.add_heatmap(
            x=np.arange(1, n + 1, dtype="int16"),
            y=np.arange(1, n + 1, dtype="int16"),
            z=shares.astype("float32"),
            zmin=0,
            zmax=1,
            colorscale=theme.SCALE,
            colorbar=theme.colour_bar("share"),
            visible=i == 0,
            hovertemplate="character %{y} taken for %{x}: %{z:.1%}<extra></extra>",
        )
    buttons = [
        {
            "label": theme.plain(name),
            "method": "update",
            "args": [{"visible": [name == n for n in names]}],
        }
        for name in names
    ]
    menu = {"buttons": buttons, "x": 0, "xanchor": "left", "y": 1.14, "yanchor": "top"}
    figure = theme.styled(figure, height=560, updatemenus=[menu])
    figure.update_layout(margin={"t": 80})
    figure.update_xaxes(title={"text": "answer (number of the character)"}, constrain="domain")
    figure.update_yaxes(
        title={"text": "asked (number of the character)"},
        autorange="reversed",
        scaleanchor="x",
        constrain="domain",
    )
    return figure
