"""The report of a study: its text, its tables, and what it must not contain."""

import time

import made_studies
import numpy as np
import optuna
import pytest

from data.text import redact_command
from hpo.report import html_page
from hpo.report.html_page import Page, render_page
from hpo.report.study import frames, parameter_sections
from hpo.report.study.changes import change_table
from hpo.report.study.page import study_page
from hpo.report.study.text import (
    best_table,
    format_value,
    study_facts,
    study_headline,
)
from hpo.search.finalists import SPACE as FINALIST_SPACE
from hpo.search.winner import WINNER_ACCURACY
from hpo.study.open import FOLDER, N_EPISODES
from hpo.study.trials import FINALISTS

EVIL = "</script><script>alert(1)</script><img src=x onerror=alert(2)>"
URL = "sqlite:////home/someone/secret/study.db"


@pytest.fixture(autouse=True)
def _without_plotly(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(html_page, "get_plotlyjs", lambda: "")


def page_of(study: optuna.Study, url: str = URL) -> Page:
    return study_page(study._storage, study, url)  # type: ignore[arg-type]


def facts_of(study: optuna.Study, url: str = URL) -> dict[str, str]:
    return study_facts(study, frames.trial_frame(study), 3600.0, url)


@pytest.fixture(scope="module")
def mixed() -> Page:
    return page_of(made_studies.mixed())


def test_a_report_has_all_sections(mixed: Page) -> None:
    assert mixed.title == "Study made"
    assert [section.title for section in mixed.sections] == [
        "What was run",
        "Optimisation history",
        "Pruning",
        "Training time",
        "Changes of the default",
        "Parallel coordinates",
        "Slices",
        "Learning rate and momentum of each layer",
        "Accuracy against cost",
        "The best 10 trials",
        "Settings file",
    ]
    assert sum(len(section.figures) for section in mixed.sections) == 8


def test_a_report_of_more_trials_shows_the_most_important_parameters() -> None:
    titles = [section.title for section in page_of(made_studies.large(30)).sections]
    at = titles.index("Importance of the parameters")
    assert titles[at + 1] == "Parallel coordinates"
    assert "The two most important numeric parameters" in titles


def test_the_importance_counts_the_trials_of_a_study_with_few_complete_ones() -> None:
    study = made_studies.large(30, ("COMPLETE", *["PRUNED"] * 14))
    sections = {section.title: section for section in page_of(study).sections}
    assert "all 30 trials" in sections["Importance of the parameters"].note
    assert "Slices" not in sections


def test_names_of_studies_and_machines_are_escaped() -> None:
    study = made_studies.mixed(EVIL)
    study.set_user_attr("provenance", {"cpu": EVIL, "versions": {EVIL: EVIL}, "commit": EVIL})
    text = render_page(page_of(study))
    assert "&lt;script&gt;alert(1)" in text
    assert "<script>alert" not in text
    assert "<img src=x" not in text


@pytest.mark.parametrize(
    ("url", "storage"),
    [
        (URL, "sqlite:///study.db"),
        ("postgresql+psycopg://u:secret@host/db", "postgresql+psycopg://u:***@host/db"),
    ],
)
def test_no_folder_and_no_password_is_in_a_report(url: str, storage: str) -> None:
    text = render_page(page_of(made_studies.study(), url))
    assert f"<dd>{storage}</dd>" in text
    assert "secret" not in text


@pytest.mark.parametrize(
    ("word", "shown"),
    [
        ("sqlite:////home/a/study.db", "sqlite:///study.db"),
        ("sqlite:////home/John Smith/a,b/study.db", "sqlite:///study.db"),
        ("sqlite:///some/where/study.db", "sqlite:///study.db"),
        ("sqlite:////study.db", "sqlite:///study.db"),
        ("--storage=sqlite:////home/a/study.db", "--storage=sqlite:///study.db"),
        ("postgresql://u:secret@host/tuning?sslkey=/a/b", "postgresql://u:***@host/tuning"),
        ("/home/a/b", "b"),
        ("../../home/John Smith", "John Smith"),
        ("--data-root=/data", "--data-root=data"),
        ("--seed", "--seed"),
        ("1", "1"),
    ],
)
def test_folders_are_removed_from_a_command(word: str, shown: str) -> None:
    assert redact_command(["retrain_best.py", word]) == f"retrain_best.py {shown}"


@pytest.mark.slow
@pytest.mark.parametrize(
    ("states", "n_epochs"),
    [(("COMPLETE", "PRUNED", "PRUNED"), [8, 3, 3]), (("COMPLETE",), [200, 50, 50])],
    ids=["mixed", "complete, long"],
)
def test_the_report_of_a_thousand_trials_is_fast_and_small(
    states: tuple[str, ...], n_epochs: list[int], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.undo()  # plotly counts
    study, rng = made_studies.study(), np.random.default_rng(0)
    for i in range(1000):
        accuracies = list(rng.uniform(0.05, 0.9, n_epochs[i % 3]))
        study.add_trial(made_studies.trial(states[i % len(states)], accuracies, seed=i, minute=i))
    start = time.perf_counter()
    text = render_page(page_of(study))
    assert time.perf_counter() - start < 15
    assert 4e6 < len(text.encode()) < 6e6


def test_small_plots_show_an_even_selection_of_many_trials(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(parameter_sections, "MAX_SMALL_PLOT_TRIALS", 4)
    slices = page_of(made_studies.large(10, ("COMPLETE",))).sections[7]
    assert "(4 of 10, at regular intervals)" in slices.note
    assert [int(number) for number in slices.figures[0].data[0].customdata] == [0, 3, 6, 9]


def test_integers_stay_integers_next_to_a_waiting_trial() -> None:
    study = made_studies.mixed()
    study.enqueue_trial({})
    table = best_table(study, frames.trial_frame(study))
    assert table[0] == ["trial", "4", "0", "7", "6"]
    units = next(row for row in table if row[0] == "fc1.units")
    assert units[1:] == [str(study.trials[number].params["fc1.units"]) for number in (4, 0, 7, 6)]
    assert [format_value(v) for v in (3.0, 0.00012345, "x")] == ["3", "0.000123", "x"]


def test_the_headline_is_the_winners_mean_once_there_is_one() -> None:
    study = made_studies.mixed()
    assert "Best so far: trial 4 with 80.0%" in study_headline(study)
    assert "too high on average" in study_headline(study)
    finalists = {"accuracies": {"0": [0.6, 0.8], "4": [0.6]}, "winner": 0, "first": 4}
    study.set_user_attr(FINALISTS, finalists)
    headline = study_headline(study)
    assert "Winner: trial 0 with 70.0%" in headline
    assert "too high on average" in headline
    clusters = {"cluster": "alphabet", "accuracy_FC": [[0.5, 0.7]], "n_episodes_C": [20, 20]}
    study.set_user_attr(WINNER_ACCURACY, {"winner": 0, "clusters": clusters})
    headline = study_headline(study)
    assert "Winner: trial 0 with 60.0%" in headline
    assert "40 episodes" in headline
    assert "too high" not in headline
    table = best_table(study, frames.trial_frame(study))
    diverged = finalists | {"diverged": [0]}
    study.set_user_attr(FINALISTS, diverged)
    cells = best_table(study, frames.trial_frame(study))[2]
    assert cells[:3] == ["as a finalist", "60.0% (60.0%–60.0%)", "1 of 2 fits diverged"]
    assert table[2] == ["as a finalist", "60.0% (60.0%–60.0%)", "70.0% (60.0%–80.0%)", "–", "–"]
    study.set_user_attr(FINALISTS, finalists | {"winner": 4})
    assert "one fit" in study_headline(study)


def test_the_fits_of_the_finalists_are_counted_in_the_training_time() -> None:
    study = made_studies.mixed()
    fits = optuna.create_study(
        study_name="made finalists 0-4 x1", storage=study._storage, direction="maximize"
    )
    study.set_user_attr(FOLDER, "folder")
    fits.set_user_attr(FOLDER, "folder-0-4")
    fit = made_studies.trial("COMPLETE", [0.5])
    fit.params, fit.distributions = {"trial": 4, "seed": 1000}, FINALIST_SPACE
    fits.add_trial(fit)
    sections = {section.title: section for section in page_of(study).sections}
    assert "0.06 h of training" in sections["What was run"].facts["cost"], "7 fits of 30 s"
    assert "finalists<br>1 fit · 0.5 min" in sections["Training time"].figures[0].data[0].y[-1]


def test_a_random_search_in_the_same_space_is_shown() -> None:
    study = made_studies.mixed()
    made_studies.study("random", study._storage, sampler="random").add_trial(
        made_studies.trial("COMPLETE", [0.4])
    )
    history = page_of(study).sections[1]
    assert "random search" in history.note
    assert all("random search: random" in [t.name for t in f.data] for f in history.figures)


def test_plots_of_the_parameters_need_four_complete_trials() -> None:
    for n in (3, 4):
        study = made_studies.large(n, ("COMPLETE",))
        titles = [section.title for section in page_of(study).sections]
        assert ("Slices" in titles) == (n == 4)
        assert "Changes of the default" in titles


def test_the_changes_of_the_default_are_listed() -> None:
    study = made_studies.study()
    default = made_studies.trial("COMPLETE", [0.5, 0.7, 0.6])
    changed = made_studies.trial("PRUNED", [0.2, 0.4])
    changed.params |= {"conv1.lr": 0.05, "fc1.units": 128}
    default.params |= {"conv1.lr": 0.1, "fc1.units": 256}
    failed = made_studies.trial("FAIL", [0.4, 0.5, 0.6])
    study.add_trials([default, made_studies.trial("PRUNED", [0.1], seed=1), changed, failed])
    header, first, second = change_table(study)
    assert header[-1] == "changes"
    assert first[:5] == ["2", "pruned", "2", "40.0%", "70.0%"]
    assert first[5] == "conv1.lr 0.1 → 0.05, fc1.units 256 → 128"
    assert second[:5] == ["1", "pruned", "1", "10.0%", "50.0%"]
    assert second[5].endswith(" more")


def test_a_complete_trial_is_compared_with_the_best_epoch_of_the_default() -> None:
    study = made_studies.study()
    study.add_trial(made_studies.trial("COMPLETE", [0.5, 0.7, 0.6]))
    assert change_table(study) == [], "only the default has ended"
    study.add_trial(made_studies.trial("COMPLETE", [0.5, 0.65, 0.6]))
    assert change_table(study)[1] == ["1", "complete", "3", "65.0%", "70.0%", "none"]


@pytest.mark.parametrize("n", [0, 1])
def test_a_study_with_few_trials_has_a_report(n: int) -> None:
    report = page_of(made_studies.large(n))
    assert len(report.sections) == 7, "no plots of parameters"
    assert report.headline.startswith("Best so far" if n else "No trial is complete")
    assert report.sections[0].facts["trials"] == ("1 complete" if n else "none")


def test_a_data_set_other_than_omniglot_is_named() -> None:
    assert "glyphs" in page_of(made_studies.study(data="glyphs")).lead[1]


def test_the_number_of_different_episodes_is_shown() -> None:
    study = made_studies.mixed()
    assert facts_of(study)["validation"] == "? different episodes", "of an earlier version"
    study.set_user_attr(N_EPISODES, 777)
    assert facts_of(study)["validation"] == "777 different episodes"


def test_devices_are_those_of_the_trials() -> None:
    study = made_studies.mixed()
    study.set_user_attr("provenance", {"cpu": "the last CPU", "dirty": True, "commit": "abc"})
    facts = facts_of(study)
    assert facts["trained on"] == "cpu float32 (6 trials)"
    assert facts["machine of the last run"] == "the last CPU · ? · ? · ? cores"
    assert facts["commit of the last run"] == "abc with uncommitted changes"
    assert facts["cost"] == "1.00 h of training, 0.13 h from the first trial to the last"
    assert facts["settings"].startswith("data omniglot · image_size 35")


def test_a_study_in_which_every_fit_diverged_has_no_best_trial() -> None:
    study = made_studies.study()
    study.add_trial(made_studies.trial("COMPLETE", [0.05], diverged="collapsed"))
    assert study_headline(study).startswith("No fit has learned")
    assert best_table(study, frames.trial_frame(study)) == []
