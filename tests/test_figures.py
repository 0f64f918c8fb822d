"""Figures have the traces, axis titles and units that they should; also where there is nothing."""

from collections.abc import Callable
from typing import Any

import made
import numpy as np
import optuna
import pandas as pd
import plotly.graph_objects as go
import pytest

from hpo.report import style
from hpo.report.study import analysis, frames, history_plots, pair_plots, parameter_plots
from hpo.report.study.analysis import interpolate


def titles(figure: go.Figure) -> list[str]:
    layout = figure.to_dict()["layout"]
    axes = [layout[name] for name in layout if name[1:].startswith("axis")]
    return sorted(axis["title"]["text"] for axis in axes if axis.get("title", {}).get("text"))


def names(figure: go.Figure) -> list[str]:
    return [trace.name for trace in figure.data if trace.showlegend is not False]


def every(study: optuna.Study) -> dict[str, go.Figure]:
    """All figures of a study's report."""
    frame, log = frames.trial_frame(study), frames.log_scale_parameters(study)
    params = frames.parameter_names(frame)
    x, y = params[:2] if params else ("conv1.lr", "conv1.momentum")
    grid = interpolate(frame, x, y, log) if params else None
    return {
        "history": history_plots.history_plot(frames.progress_frame(frame)),
        "cost": history_plots.history_plot(frames.progress_frame(frame), against="cost"),
        "curves": history_plots.learning_curve_plot(frames.curve_frame(study)),
        "spending": history_plots.cost_plot(frames.cost_frame(frame)),
        "importances": parameter_plots.importance_plot(
            analysis.importance_frame(study), len(frame)
        ),
        "parallel": parameter_plots.parallel_plot(frame, params[:8], log),
        "slices": parameter_plots.slice_plot(frame, params, log),
        "rates": pair_plots.layer_rate_plot(frames.layer_rate_frame(frame)),
        "contour": pair_plots.contour_plot(frame, grid, x, y, log),
        "pareto": pair_plots.pareto_plot(frames.pareto_frame(frame)),
    }


def test_a_study_s_figures_name_their_axes_with_units() -> None:
    drawn = every(made.mixed())
    share = "validation accuracy (%)"
    assert titles(drawn["history"]) == ["trial", share]
    assert titles(drawn["cost"]) == ["training time so far (min)", share]
    assert titles(drawn["curves"]) == ["epoch", share]
    assert titles(drawn["spending"]) == ["training time (min)"]
    assert titles(drawn["importances"]) == ["importance, 9 trials (%)", "parameter"]
    assert titles(drawn["pareto"]) == ["cost of embedding an image (MFLOP)", share]
    assert titles(drawn["contour"]) == ["conv1.lr", "conv2.lr"]
    assert set(titles(drawn["rates"])) == {"learning rate", "momentum"}
    assert set(titles(drawn["slices"])) == {*made.SPACE, "accuracy (%)"}


def test_history_has_a_trace_per_state_and_the_best_so_far() -> None:
    figure = every(made.mixed())["history"]
    assert names(figure) == [
        "complete",
        "pruned",
        "diverged",
        "interrupted",
        "failed",
        "best so far",
    ]
    best = figure.data[-1]
    assert list(best.y) == [0.7] * 4 + [0.8] * 4
    assert best.line.shape == "hv"


def test_hovering_names_the_trial_and_its_parameters() -> None:
    figure = every(made.mixed())["history"]
    complete, frame = figure.data[0], frames.trial_frame(made.mixed())
    assert complete.hovertemplate.startswith("<b>trial %{customdata[0]:d}</b> complete")
    for i, name in enumerate(made.SPACE, start=2):
        assert f"{name} %{{customdata[{i}]" in complete.hovertemplate
        expected = frame[name][[0, 4, 6, 7]].to_numpy("float32")
        np.testing.assert_array_equal(complete.customdata[:, i], expected)


def test_random_search_is_drawn_beside_it() -> None:
    peers = pd.DataFrame({"study": "r", "trial": [0, 1], "cost": [60, 120], "best": [0.1, 0.2]})
    figure = history_plots.history_plot(
        frames.progress_frame(frames.trial_frame(made.mixed())), peers, "cost"
    )
    peer = next(trace for trace in figure.data if trace.name == "random search: r")
    assert list(peer.x) == [1, 2]


def test_two_learning_curves_are_not_joined() -> None:
    figure = every(made.mixed())["curves"]
    line = next(t for t in figure.data if t.name == "complete" and t.mode == "lines")
    assert np.isnan(line.y).sum() == 4  # a gap after each of the four
    ends = next(t for t in figure.data if t.name == "pruned" and t.mode == "markers")
    assert (list(ends.x), list(ends.y)) == ([1], [0.2])


def test_states_are_told_apart_without_colours() -> None:
    assert len(set(style.STATE_SYMBOLS.values())) == len(style.STATE_COLOURS)


@pytest.mark.parametrize(
    "study",
    [
        lambda: made.study(),
        lambda: made.large(1),
        lambda: made.large(1, ("PRUNED",)),
        lambda: made.large(7, ("PRUNED",)),
        lambda: made.large(3, ("FAIL",)),
        lambda: made.large(2, ("RUNNING",)),
        lambda: made.large(1, ("WAITING",)),
        lambda: made.large(2, ("COMPLETE",)),
    ],
    ids=["none", "one", "one pruned", "all pruned", "all failed", "running", "waiting", "two"],
)
def test_a_study_with_little_to_show_shows_that(study: Callable[[], Any]) -> None:
    for figure in every(study()).values():
        assert figure.data or figure.layout.annotations[0].text.endswith(".")


def test_names_in_figures_are_data_too() -> None:
    peers = pd.DataFrame({"study": "<b>x</b>", "trial": [0], "cost": [6], "best": [0.1]})
    figure = history_plots.history_plot(
        frames.progress_frame(frames.trial_frame(made.mixed())), peers
    )
    assert "random search: &lt;b&gt;x&lt;/b&gt;" in names(figure)
