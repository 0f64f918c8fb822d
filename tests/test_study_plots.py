"""Plots of a study: traces, axis titles and units, also without data."""

from collections.abc import Callable
from typing import Any

import made_studies
import numpy as np
import optuna
import pandas as pd
import plotly.graph_objects as go
import pytest

from hpo.report import style
from hpo.report.study import analysis, frames, history_plots, parallel_plots, parameter_plots


def titles(figure: go.Figure) -> list[str]:
    layout = figure.to_dict()["layout"]
    axes = [layout[name] for name in layout if name[1:].startswith("axis")]
    return sorted(axis["title"]["text"] for axis in axes if axis.get("title", {}).get("text"))


def names(figure: go.Figure) -> list[str]:
    return [trace.name for trace in figure.data if trace.showlegend is not False]


def all_plots(study: optuna.Study) -> dict[str, go.Figure]:
    """All plots of a study's report."""
    frame, log = frames.trial_frame(study), frames.log_scale_parameters(study)
    params = frames.parameter_names(frame)
    x, y = params[:2] if params else ("conv1.lr", "conv1.momentum")
    importances = pd.DataFrame({"parameter": params, "importance": 1 / max(1, len(params))})
    grid = analysis.interpolate(frame, x, y, log) if params else None
    return {
        "history": history_plots.history_plot(frames.progress_frame(frame)),
        "cost": history_plots.history_plot(frames.progress_frame(frame), against="cost"),
        "curves": history_plots.learning_curve_plot(frames.curve_frame(study)),
        "costs": history_plots.cost_plot(frames.cost_frame(frame)),
        "importances": parameter_plots.importance_plot(importances, len(frame)),
        "parallel": parallel_plots.parallel_plot(frame, params[:8], log),
        "slices": parameter_plots.slice_plot(frame, params, log),
        "rates": parameter_plots.layer_rate_plot(frames.layer_rate_frame(frame)),
        "contour": parameter_plots.contour_plot(frame, grid, x, y, log),
        "pareto": history_plots.pareto_plot(frames.pareto_frame(frame)),
    }


@pytest.fixture(scope="module")
def drawn() -> dict[str, go.Figure]:
    return all_plots(made_studies.mixed())


def test_axes_have_titles_with_units(drawn: dict[str, go.Figure]) -> None:
    accuracy = "validation accuracy (%)"
    assert titles(drawn["history"]) == ["trial", accuracy]
    assert titles(drawn["cost"]) == ["training time so far (min)", accuracy]
    assert titles(drawn["curves"]) == ["epoch", accuracy]
    assert titles(drawn["costs"]) == ["training time (min)"]
    assert titles(drawn["importances"]) == ["importance, 9 trials (%)", "parameter"]
    assert titles(drawn["pareto"]) == ["cost of embedding an image (MFLOP)", accuracy]
    assert titles(drawn["contour"]) == ["conv1.lr", "conv2.lr"]
    assert set(titles(drawn["rates"])) == {"learning rate", "momentum"}
    assert set(titles(drawn["slices"])) == {*made_studies.SPACE, "accuracy (%)"}


def test_history_has_a_trace_per_state_and_the_best_so_far(drawn: dict[str, go.Figure]) -> None:
    figure = drawn["history"]
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


def test_the_hover_shows_the_trial_and_its_parameters(drawn: dict[str, go.Figure]) -> None:
    figure = drawn["history"]
    complete, frame = figure.data[0], frames.trial_frame(made_studies.mixed())
    assert complete.hovertemplate.startswith("<b>trial %{customdata[0]:d}</b> complete")
    for i, name in enumerate(made_studies.SPACE, start=2):
        assert f"{name} %{{customdata[{i}]" in complete.hovertemplate
        expected = frame[name][[0, 4, 6, 7]].to_numpy("float32")
        np.testing.assert_array_equal(complete.customdata[:, i], expected)


def test_random_search_has_a_line_of_its_own() -> None:
    peers = pd.DataFrame({"study": "r", "trial": [0, 1], "cost": [60, 120], "best": [0.1, 0.2]})
    figure = history_plots.history_plot(
        frames.progress_frame(frames.trial_frame(made_studies.mixed())), peers, "cost"
    )
    peer = next(trace for trace in figure.data if trace.name == "random search: r")
    assert list(peer.x) == [1, 2]


def test_learning_curves_are_separated_and_their_ends_marked(drawn: dict[str, go.Figure]) -> None:
    figure = drawn["curves"]
    line = next(t for t in figure.data if t.name == "complete" and t.mode == "lines")
    assert np.isnan(line.y).sum() == 4, "a gap after each of the four"
    ends = next(t for t in figure.data if t.name == "pruned" and t.mode == "markers")
    assert (list(ends.x), list(ends.y)) == ([1], [0.2])


def test_states_differ_without_colour_too() -> None:
    assert len(set(style.STATE_SYMBOLS.values())) == len(style.STATE_COLOURS)


@pytest.mark.parametrize(
    "study",
    [
        lambda: made_studies.study(),
        lambda: made_studies.large(1),
        lambda: made_studies.large(1, ("PRUNED",)),
        lambda: made_studies.large(7, ("PRUNED",)),
        lambda: made_studies.large(3, ("FAIL",)),
        lambda: made_studies.large(2, ("RUNNING",)),
        lambda: made_studies.large(1, ("WAITING",)),
        lambda: made_studies.large(2, ("COMPLETE",)),
    ],
    ids=["none", "one", "one pruned", "all pruned", "all failed", "running", "waiting", "two"],
)
def test_a_plot_without_data_says_so(study: Callable[[], Any]) -> None:
    for figure in all_plots(study()).values():
        assert figure.data or figure.layout.annotations[0].text.endswith(".")


def test_learning_curves_are_thinned_and_keep_their_ends() -> None:
    curves = pd.DataFrame({"trial": 0, "epoch": range(1, 204), "accuracy": 0.5, "state": "pruned"})
    line, end = history_plots.learning_curve_plot(curves).data
    assert [int(epoch) for epoch in line.x[:-1]] == [*range(6, 204, 6), 203]
    assert list(end.x) == [203]


def test_the_pareto_front_has_a_line_of_its_own(drawn: dict[str, go.Figure]) -> None:
    points, front = drawn["pareto"].data
    assert list(points.x) == [1, 4, 7, 8]
    assert list(front.y) == [0.7, 0.8]


def test_names_in_plots_are_escaped() -> None:
    peers = pd.DataFrame({"study": "<b>x</b>", "trial": [0], "cost": [6], "best": [0.1]})
    figure = history_plots.history_plot(
        frames.progress_frame(frames.trial_frame(made_studies.mixed())), peers
    )
    assert "random search: &lt;b&gt;x&lt;/b&gt;" in names(figure)


def test_parameters_with_choices_are_drawn_as_texts() -> None:
    study = made_studies.large(6, ("COMPLETE",))
    frame = frames.trial_frame(study)[[*frames.COLUMNS, "conv1.lr"]]
    frame = frame.assign(
        **{"fit.schedule": ["cosine", "constant"] * 3, "fit.turns": [True, False] * 3}
    )
    assert frames.parameter_names(frame) == ["conv1.lr", "fit.schedule", "fit.turns"]
    assert frames.numeric_parameters(frame) == ["conv1.lr"]
    names, log = frames.parameter_names(frame), {"conv1.lr"}
    slices = parameter_plots.slice_plot(frame, names, log)
    assert list(slices.data[1].x) == ["cosine", "constant"] * 3
    assert slices.layout.xaxis2.type == "category"
    assert list(slices.data[2].x) == ["True", "False"] * 3
    axes = parallel_plots.parallel_plot(frame, names, log).data[0].dimensions
    assert [axis.ticktext for axis in axes[1:3]] == [("constant", "cosine"), ("False", "True")]
    history = history_plots.history_plot(frames.progress_frame(frame))
    points = history.data[0]
    assert points.text[0] == "fit.schedule cosine, fit.turns True"
    assert "best" not in points.hovertemplate, "the best value so far is no parameter"
    assert "conv1.lr %{customdata[2]" in points.hovertemplate
