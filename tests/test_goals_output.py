"""What terminal, report and dashboard show of a study with two goals, and its commands."""

import json
import threading
import urllib.request
from contextlib import closing
from dataclasses import replace
from pathlib import Path
from typing import Any

import made_studies
import optuna
import pandas as pd
import pytest
from commands import STUDY, run_in_process, trials
from optuna.trial import TrialState
from tiny import TINY_20, url

from data import glyphs
from data.episodes import Dataset
from hpo.cli.study_output import print_summary
from hpo.dashboard.plots import save_dashboard
from hpo.dashboard.server import make_dashboard_server
from hpo.dashboard.status import status_text
from hpo.dashboard.studies import compare_studies, print_studies
from hpo.report import html_page
from hpo.report.html_page import render_page
from hpo.report.study import analysis, frames
from hpo.report.study.page import study_page
from hpo.report.study.text import best_table, study_headline
from hpo.runtime.plan_log import describe_finalists
from hpo.runtime.progress import HangDetector, Progress
from hpo.search.objective import Objective
from hpo.settings.study_settings import StudyConfig
from hpo.study.goals import pareto_front
from hpo.study.open import FOLDER
from hpo.study.optuna_internals import load_trial_notes
from hpo.study.storage import open_storage

GOALS = ["--objective", "accuracy", "flops"]
FRONT = [["1", "60.0%", "2.00"], ["0", "70.0%", "4.00"], ["4", "80.0%", "6.00"]]
TINY_TWO: Any = replace(TINY_20, objective=("accuracy", "flops"), pruner="none")


@pytest.fixture
def study() -> optuna.Study:
    return made_studies.two_goals()


@pytest.fixture(autouse=True)
def _without_plotly(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(html_page, "get_plotlyjs", lambda: "")


def cells(lines: list[str]) -> list[list[str]]:
    return [line.split() for line in lines]


@pytest.mark.usefixtures("console")
def test_progress_shows_cost_and_the_most_accurate_trial(
    capsys: pytest.CaptureFixture[str],
) -> None:
    study = made_studies.study(objective=["accuracy", "flops"])
    progress = Progress(study, 12, 8)
    study.add_trials(made_studies.two_goals().trials)
    assert progress.update()
    lines = capsys.readouterr().out.splitlines()
    assert len(lines) == 7
    assert lines[0].startswith("trial   0 ·  70.0% validation · 2 epochs in 30 s · 4.00 MFLOP")
    assert " · most accurate 80.0% (trial 4)" in lines[0]
    assert "– diverged" in lines[2]


def test_a_trial_of_two_goals_hangs_when_it_reports_no_epoch(study: optuna.Study) -> None:
    running = study.get_trials(states=(TrialState.RUNNING,))
    detector = HangDetector(-1.0)
    assert [len(trial.intermediate_values) for trial in running] == [1]
    assert len(detector.hanging(running)) == 1


def test_the_summary_shows_the_front_and_how_to_refit_a_point(
    study: optuna.Study, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    study.set_user_attr(FOLDER, "folder")
    run = StudyConfig.from_settings(TINY_TWO, study_name="s", n_trials=6, var=tmp_path)
    print_summary(study, run, 60.0)
    lines = capsys.readouterr().out.splitlines()
    assert lines[0].startswith("finished: 6 of 6 trials (5 complete, 1 diverged")
    assert lines[1].startswith("Pareto front")
    assert cells(lines[3:6]) == FRONT
    assert "--trial N" in lines[6]
    assert "finalist" not in "".join(lines), "there is no winner to wait for"
    assert "--n-trials" in lines[-2]
    assert describe_finalists(run, evaluate_winner=True) == ""


def test_a_study_without_a_front_has_a_summary_and_a_status(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    study = made_studies.study(objective=["accuracy", "flops"])
    study.set_user_attr(FOLDER, "folder")
    diverged = made_studies.trial("COMPLETE", [0.05], n_goals=2, diverged="collapsed")
    for expected in ("No trial is complete", "No fit has learned"):
        print_summary(study, StudyConfig.from_settings(TINY_TWO, var=tmp_path), 60.0)
        assert "Pareto" not in capsys.readouterr().out
        text = status_text(study._storage, study, "sqlite:///x.db")  # type: ignore[arg-type]
        assert text.splitlines()[-1].startswith(expected)
        study.add_trial(diverged)


def test_the_frame_of_the_front_is_the_front(study: optuna.Study) -> None:
    frame = frames.pareto_frame(frames.trial_frame(study)).reset_index(drop=True)
    expected = pd.DataFrame(
        {
            "trial": [1, 0, 6, 5, 4],
            "value": [0.6, 0.7, 0.7, 0.65, 0.8],
            "flops": [2e6, 4e6, 4e6, 5e6, 6e6],
            "front": [True, True, False, False, True],
        }
    )
    pd.testing.assert_frame_equal(frame[["trial", "value", "flops", "front"]], expected)
    on_front = frame["trial"][frame["front"]].tolist()
    assert on_front == [trial.number for trial in pareto_front(study)]


def test_importances_of_two_goals_are_those_for_the_accuracy() -> None:
    one, two = made_studies.study("one"), made_studies.study(objective=["accuracy", "flops"])
    for i in range(30):
        accuracy = 0.1 + 0.8 * made_studies.trial("COMPLETE", [0.1], i).params["conv2.momentum"]
        one.add_trial(made_studies.trial("COMPLETE", [accuracy], i))
        two.add_trial(made_studies.trial("COMPLETE", [accuracy], i, n_goals=2))
    frame = analysis.importance_frame(two)
    pd.testing.assert_frame_equal(frame, analysis.importance_frame(one))
    assert frame["parameter"][0] == "conv2.momentum"


def test_the_report_has_the_front_in_place_of_finalists(study: optuna.Study) -> None:
    page = study_page(study._storage, study, "sqlite:///x.db")  # type: ignore[arg-type]
    titles = [section.title for section in page.sections]
    assert titles[-3:] == ["Pareto front", "The 10 most accurate trials", "Settings file"]
    assert "Pruning" not in titles
    front = page.sections[-3]
    assert front.table[1:] == FRONT
    assert len(front.figures) == 1
    assert page.headline.startswith("The study has two goals. Its Pareto front so far has 3 trials")
    assert "trial 1 with 60.0% at 2.00 MFLOP to trial 4 with 80.0% at 6.00 MFLOP" in page.headline
    assert [row[0] for row in best_table(study, frames.trial_frame(study))[:3]] == [
        "trial",
        "value",
        "epochs",
    ]
    assert "Finalists" not in render_page(page)


def test_a_front_of_one_trial_has_a_headline() -> None:
    study = made_studies.study(objective=["accuracy", "flops"])
    study.add_trial(made_studies.trial("COMPLETE", [0.5], n_goals=2))
    assert "front so far is trial 0 with 50.0% at 1.00 MFLOP per image" in study_headline(study)


def test_the_status_shows_the_front(study: optuna.Study) -> None:
    text = status_text(study._storage, study, "sqlite:///x.db")  # type: ignore[arg-type]
    assert "running  trial 7 · epoch 1 · 10.0%" in text
    assert cells(text.splitlines()[-3:]) == FRONT


def test_studies_of_one_and_two_goals_are_listed_and_compared(
    in_tmp: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    with closing(open_storage(url(in_tmp))) as storage:
        made_studies.mixed("one", storage)
        made_studies.two_goals("two", storage)
    print_studies(url(in_tmp))
    assert "80.0% best trial" in capsys.readouterr().out.splitlines()[2]
    compare_studies(url(in_tmp), ["one", "two"], in_tmp / "page.html")
    rows = cells(capsys.readouterr().out.splitlines()[1:3])
    assert [row[0] for row in rows] == ["one", "two"]
    assert "Best so far against compute" in (in_tmp / "page.html").read_text()


def test_the_live_dashboard_serves_two_goals_with_notes_and_learning_curves(
    tmp_path: Path,
) -> None:
    storage = open_storage(url(tmp_path))
    study = made_studies.two_goals(storage=storage)
    save_dashboard(study)
    assert study.metric_names == ["validation accuracy", "FLOP per image"]
    assert load_trial_notes(study)[0][1].startswith("**complete**")
    server = make_dashboard_server(storage, 0, tmp_path)
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    try:
        address = f"http://127.0.0.1:{server.server_port}/api/studies/1"
        with urllib.request.urlopen(address) as response:
            served = json.load(response)
        with urllib.request.urlopen(f"{address}/param_importances") as response:
            assert len(json.load(response)["param_importances"]) == 2
    finally:
        server.shutdown()
        thread.join()
        server.server_close()
    assert served["directions"] == ["maximize", "minimize"]
    assert served["trials"][0]["values"] == [0.7, 4e6]
    assert [v["value"] for v in served["trials"][0]["intermediate_values"]] == [0.5, 0.7]
    assert sorted(trial["number"] for trial in served["best_trials"]) == [0, 1, 2, 4, 6]


@pytest.fixture
def home(in_tmp: Path, packed_105: Dataset, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty folder in which the glyphs are few."""
    monkeypatch.setattr(glyphs, "make_glyphs", lambda: packed_105)
    return in_tmp


def test_a_study_of_two_goals_is_stopped_resumed_and_refitted(
    home: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    flags, calls = [*STUDY, *GOALS, "--n-trials", "2", "--n-finalists", "2"], []
    objective = Objective.__call__

    def interrupt_once(self: Objective, trial: optuna.Trial) -> Any:
        values = objective(self, trial)
        calls.append(trial.number)
        if len(calls) == 1:
            raise KeyboardInterrupt
        return values

    monkeypatch.setattr(Objective, "__call__", interrupt_once)
    end = run_in_process(home, monkeypatch, "run_study.py", *flags)
    assert end is not None
    assert end.code == 130
    assert run_in_process(home, monkeypatch, "run_study.py", *flags) is None
    first, retry, last = trials(home, "glyphs-20-episode-flops")
    assert [first.state, retry.state, last.state] == [
        TrialState.FAIL,
        TrialState.COMPLETE,
        TrialState.COMPLETE,
    ]
    assert retry.user_attrs["retry_of"] == 0
    assert retry.params == first.params
    assert retry.intermediate_values == first.intermediate_values
    assert retry.values == [
        max(retry.intermediate_values.values()),
        retry.user_attrs["flops_per_image"],
    ]
    output = capsys.readouterr().out
    assert "Pareto front" in output
    assert "finalist" not in output
    assert run_in_process(home, monkeypatch, "run_study.py", "--stop") is None
    assert "finalists" not in capsys.readouterr().out
    refit = ["--n-seeds", "1", "--max-epochs", "1", "--precision", "float32", "--no-test"]
    assert run_in_process(home, monkeypatch, "retrain_best.py", *refit) is None
    output = capsys.readouterr().out
    best = max(retry, last, key=lambda trial: trial.values[0])
    assert "most accurate trial is refitted" in output
    assert f"\ntrial    {best.number}, {best.values[0]:.1%} at " in output
    assert run_in_process(home, monkeypatch, "retrain_best.py", *refit, "--trial", "2") is None
    output = capsys.readouterr().out
    assert "most accurate trial is refitted" not in output
    assert "\ntrial    2, " in f"\n{output}"
    end = run_in_process(home, monkeypatch, "retrain_best.py", *refit, "--trial", "0")
    error = capsys.readouterr().err
    assert end is not None
    assert end.code == 2
    assert "--trial" in error
    assert len(error.splitlines()) == 1


def test_a_pruner_is_refused_for_two_goals(
    home: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    flags = [*STUDY, *GOALS, "--pruner", "median"]
    end = run_in_process(home, monkeypatch, "run_study.py", *flags)
    assert end is not None
    assert end.code == 2
    assert "--pruner must be none with two goals" in capsys.readouterr().err
