"""The style of all plots: colours for colour-blind readers, percent axes, no decoration."""

import html
from collections.abc import Iterable
from typing import Any

import plotly.graph_objects as go

# Okabe & Ito (2008): distinguishable with every common form of colour blindness.
BLUE, ORANGE, GREEN, RED, SKY, PURPLE = (
    "#0072B2",
    "#E69F00",
    "#009E73",
    "#D55E00",
    "#56B4E9",
    "#CC79A7",
)
GREY = "#8A8A8A"
GRID_COLOUR = "rgba(128,128,128,0.25)"
COLOUR_SCALE = "Cividis"
MAX_LABEL_LENGTH = 40  # characters of the name of an alphabet
DEFAULT_HEIGHT = 420  # pixels
STATE_COLOURS = {
    "complete": BLUE,
    "pruned": ORANGE,
    "diverged": RED,
    "interrupted": PURPLE,
    "failed": "#444444",
    "running": GREEN,
    "waiting": SKY,
}
STATE_SYMBOLS = {
    "complete": "circle",
    "pruned": "line-ns",
    "diverged": "x",
    "interrupted": "triangle-up",
    "failed": "cross",
    "running": "circle-open",
    "waiting": "square-open",
}


def state_marker(state: str, size: int) -> dict[str, Any]:
    """Return the plotly marker of a trial in a state, ``size`` pixels wide."""
    colour = STATE_COLOURS[state]
    line = {"color": colour, "width": 2 if state == "pruned" else 0}
    return {"color": colour, "symbol": STATE_SYMBOLS[state], "size": size, "line": line}


def empty_figure(text: str) -> go.Figure:
    """Return a figure without data that shows the reason why there is nothing to plot."""
    figure = go.Figure()
    figure.add_annotation(text=text, showarrow=False, x=0.5, y=0.5, xref="paper", yref="paper")
    figure.update_xaxes(visible=False)
    figure.update_yaxes(visible=False)
    return apply_style(figure, height=160)


def apply_style(figure: go.Figure, height: int = DEFAULT_HEIGHT, **layout: Any) -> go.Figure:
    """Apply the style to a figure and return it.

    The background is transparent, for light and dark pages.

    Args:
        figure: figure that is changed.
        height: in pixels.
        layout: further arguments of plotly's ``update_layout``.
    """
    figure.update_layout(
        template="none",
        height=height,
        margin={"l": 64, "r": 20, "t": 44, "b": 56},
        paper_bgcolor="rgba(0,0,0,0)",
        plot_bgcolor="rgba(0,0,0,0)",
        font={"family": "system-ui, sans-serif", "size": 13, "color": "#666"},
        legend={"orientation": "h", "y": 1.02, "yanchor": "bottom", "x": 0},
        hoverlabel={"align": "left"},
        colorway=[BLUE, ORANGE, GREEN, RED, SKY, PURPLE],
        **layout,
    )
    figure.update_xaxes(gridcolor=GRID_COLOUR, zeroline=False, automargin=True)
    figure.update_yaxes(gridcolor=GRID_COLOUR, zeroline=False, automargin=True)
    return figure


def escape_markup(text: str) -> str:
    """Return a text that plotly shows as it is; plotly interprets tags such as ``<b>``."""
    return html.escape(text, quote=False)


def axis_labels(names: Iterable[str]) -> dict[str, str]:
    """Return a short and unique label for each name; long names would leave no space to a plot.

    Args:
        names: different names of any length.
    """
    labels: dict[str, str] = {}
    for name in names:
        half = MAX_LABEL_LENGTH // 2
        short = name if len(name) <= MAX_LABEL_LENGTH else f"{name[:half]}…{name[-half:]}"
        label, n = escape_markup(short), 1
        while label in labels.values():
            n += 1
            label = f"{escape_markup(short)} ({n})"
        labels[name] = label
    return labels


def percent_axis(title: str) -> dict[str, Any]:
    """Return an axis for fractions in [0, 1], shown as percent."""
    return {"title": {"text": f"{title} (%)"}, "tickformat": ".0%"}


def colour_bar(title: str) -> dict[str, Any]:
    """Return a colour bar for fractions in [0, 1], shown as percent."""
    return {"title": {"text": f"{title} (%)"}, "tickformat": ".0%", "thickness": 12}
