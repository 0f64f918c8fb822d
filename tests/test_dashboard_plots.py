"""Notes and plots of a study in the live dashboard, and when they are saved."""

import json

import made_studies
import optuna
import pytest
from optuna.trial import create_trial
from optuna_dashboard._custom_plot_data import get_plotly_graph_objects

from hpo.dashboard import plots, updates
from hpo.dashboard.plots import save_dashboard, save_notes, trial_note
from hpo.dashboard.updates import DashboardUpdates
from hpo.study.optuna_internals import load_trial_notes, save_trial_note, storage_of, study_id_of
from hpo.study.trials import RETRY_OF, summarize_trials


def notes(study: optuna.Study) -> list[str]:
    return [text for _, text in load_trial_notes(study).values()]


def test_every_ended_trial_has_a_note() -> None:
    study = made_studies.mixed()
    save_notes(study)
    texts = notes(study)
    assert texts[0].startswith("**complete**")
    assert "Best of 2 epochs: 70.0%" in texts[0]
    assert "Cost: 30 s on cpu float32 for 10 training images; 5 weights, 1.0 MFLOP" in texts[0]
    filters = study.trials[0].params["conv1.filters"]
    assert (
        f"| parameter | value |\n|---|---|\n| conv1.lr | {study.trials[0].params['conv1.lr']:.3g}"
        in texts[0]
    )
    assert f"| conv1.filters | {filters} |" in texts[0]
    assert "Best of 1 epoch: " in texts[1]
    assert "pruner" in texts[1]
    assert "(collapsed)" in texts[2]
    assert "Retried as trial 4" in texts[3]
    assert "Retry of trial 3" in texts[4]
    assert "not retried" in texts[5]
    assert "Cost" not in texts[5]
    assert texts[8] == "", "it is running"


def test_an_unchanged_note_is_not_written_again() -> None:
    study = made_studies.mixed()
    save_notes(study)
    before = storage_of(study).get_study_system_attrs(study_id_of(study))
    study.set_user_attr("anything", 1)
    save_notes(study)
    assert storage_of(study).get_study_system_attrs(study_id_of(study)) == before


def test_an_edited_note_stays() -> None:
    study = made_studies.mixed()
    save_notes(study)
    save_trial_note(study, study.trials[0], "mine", plots.NOTE_VERSION + 1)
    save_notes(study)
    assert notes(study)[0] == "mine"


def test_an_incomplete_or_outdated_note_is_replaced() -> None:
    study = made_studies.mixed()
    save_trial_note(study, study.trials[0], "", 1)  # the process was killed while it saved
    study.add_trial(made_studies.trial("FAIL", [0.1]))
    save_notes(study)
    assert notes(study)[0].startswith("**complete**")
    assert "not retried" in notes(study)[9]
    study.enqueue_trial({}, user_attrs={RETRY_OF: 9})
    save_notes(study)
    assert "Retried as trial 10" in notes(study)[9]


def test_a_note_fits_into_one_attribute_of_the_storage() -> None:
    ended = [summary for summary in summarize_trials(made_studies.mixed()) if summary.end]
    assert max(len(trial_note(summary)) for summary in ended) < 2045


def test_the_dashboard_has_three_small_plots_with_titles() -> None:
    study = made_studies.large(300)
    save_dashboard(study)
    save_dashboard(study)  # replaces the same ones
    attributes = storage_of(study).get_study_system_attrs(study_id_of(study))
    figures = get_plotly_graph_objects(attributes)
    assert len(figures) == 3
    assert sum(map(len, figures.values())) < 200_000
    layouts = [json.loads(figure)["layout"] for figure in figures.values()]
    titles = sorted(layout["title"]["text"].split()[0] for layout in layouts)
    assert titles == ["Importance", "Learning", "Progress"]
    assert {layout["height"] for layout in layouts} == {plots.FRAME_HEIGHT}
    assert study.metric_names == ["validation accuracy"]


def test_a_plot_that_would_be_empty_is_left_out() -> None:
    study = made_studies.study()
    study.add_trial(create_trial(value=0.5, params={}, intermediate_values={1: 0.5}))
    assert list(plots.dashboard_figures(study)) == ["Progress against training time"]


def test_a_plot_has_at_most_the_latest_trials(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(plots, "MAX_TRIALS", 3)
    figure = plots.dashboard_figures(made_studies.mixed())["Progress against training time"]
    numbers = [
        int(row[0]) for trace in figure.data if trace.mode == "markers" for row in trace.customdata
    ]
    assert sorted(numbers) == [5, 6, 7]


def test_updates_are_saved_at_once_and_then_once_per_interval(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    saved: list[optuna.Study] = []
    monkeypatch.setattr(plots, "save_dashboard", saved.append)
    dashboard = DashboardUpdates(made_studies.study())
    for _ in range(5):
        dashboard.update(news=True)
    assert len(saved) == 1
    monkeypatch.setattr(updates, "UPDATE_INTERVAL_SECONDS", 0.0)
    dashboard.finish()
    dashboard.update(news=False)
    assert len(saved) == 2
    dashboard.update(news=True)
    assert len(saved) == 3


def test_an_error_in_the_dashboard_is_a_warning(monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(_: optuna.Study) -> None:
        raise ZeroDivisionError("the cause")

    monkeypatch.setattr(plots, "save_dashboard", fail)
    with pytest.warns(UserWarning, match="not saved: the cause"):
        DashboardUpdates(made_studies.study()).finish()
