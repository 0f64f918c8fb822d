"""Parallel coordinates: every trial as a line through its parameters."""

import math
from typing import Any

import numpy as np
import pandas as pd
import plotly.graph_objects as go

from hpo.report import style
from hpo.report.study import frames
from hpo.report.study.history_plots import TOO_FEW


def parallel_plot(frame: pd.DataFrame, names: list[str], log: set[str]) -> go.Figure:
    """Return parallel coordinates: each complete trial is a line through its parameters.

    Args:
        frame: frame of :func:`hpo.report.study.frames.trial_frame`.
        names: names of the parameters, from left to right.
        log: names of the parameters on a log scale.
    """
    complete = frame[frame["state"] == "complete"].sort_values("value")
    if len(complete) < 2 or not names:
        return style.empty_figure(TOO_FEW)
    numeric = frames.numeric_parameters(complete, names)
    dimensions = [
        _parallel_axis(complete[name], name, log=name in log, is_choice=name not in numeric)
        for name in names
    ]
    percent = (100 * complete["value"]).astype("float32").to_numpy()
    dimensions.append({"label": "accuracy (%)", "values": percent})
    line = {
        "color": complete["value"].to_numpy(),
        "colorscale": style.COLOUR_SCALE,
        "showscale": False,
    }
    figure = go.Figure(go.Parcoords(dimensions=dimensions, line=line, labelangle=-20))
    figure = style.apply_style(figure)
    return figure.update_layout(margin={"l": 60, "r": 60, "t": 90, "b": 30})


def _parallel_axis(
    values: "pd.Series[Any]", name: str, *, log: bool, is_choice: bool
) -> dict[str, object]:
    """Return an axis of parallel coordinates; plotly has no log axis here, so we set its ticks."""
    if is_choice:
        codes, choices = pd.factorize(values.astype(str), sort=True)
        return {
            "label": name,
            "values": codes,
            "tickvals": list(range(len(choices))),
            "ticktext": [*choices],
        }
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
