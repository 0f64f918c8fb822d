"""One file, offline, in which text is never markup."""

import json
import re
import time
from pathlib import Path

import made
import numpy as np
import optuna
import pytest

from data.episodes import VALIDATION_EPISODES
from data.splits import Split
from data.text import redact_command
from hpo.report import html_page
from hpo.report.html_page import Page, Picture, Section, render_page
from hpo.report.study import frames
from hpo.report.study.page import study_page
from hpo.report.study.text import EPISODES, best_table, n_episodes_of, study_facts, study_headline
from hpo.study.open import N_EPISODES
from hpo.study.trials import FINALISTS

EVIL = "</script><script>alert(1)</script><img src=x onerror=alert(2)>"


def rendered(study: optuna.Study, url: str = "sqlite:///study.db") -> str:
    """A study's report without plotly's program."""
    page = study_page(study._storage, study, url)  # type: ignore[arg-type]
    return render_page(page)


@pytest.fixture
def no_program(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(html_page, "get_plotlyjs", lambda: "")


@pytest.mark.usefixtures("no_program")
def test_text_is_shown_and_never_run() -> None:
    study = made.mixed(EVIL)
    text = rendered(study)
    assert "&lt;script&gt;alert(1)" in text
    assert "<script>alert" not in text
    assert "onerror=alert(2)>" not in text.replace("&gt;", "")
    study.set_user_attr("provenance", {"cpu": EVIL, "versions": {EVIL: EVIL}, "commit": EVIL})
    assert "<img src=x" not in rendered(study)


def test_text_in_tables_pictures_and_captions_is_data() -> None:
    section = Section(EVIL, EVIL, {EVIL: EVIL}, [[EVIL]], [], False, [Picture([(EVIL, b"")], EVIL)])
    assert "<img src=x" not in render_page(Page(EVIL, EVIL, [EVIL], [section]))


def test_the_page_forbids_the_network_and_names_no_folder() -> None:
    text = rendered(made.mixed(), "sqlite:////home/someone/secret/study.db")
    head = text[: text.index("<style>")]
    assert "default-src 'none'" in head
    own = re.sub(r"<script>.*?</script>", "", text, flags=re.DOTALL)
    assert not re.search(r"(src|href)=\"(?!data:|#)", own)
    assert "someone" not in text
    assert "sqlite:///study.db" in text


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
def test_paths_lose_their_folders(word: str, shown: str) -> None:
    assert redact_command(["retrain_best.py", word]) == f"retrain_best.py {shown}"


def test_passwords_are_not_in_a_report() -> None:
    assert "secret" not in rendered(made.mixed(), "postgresql+psycopg://u:secret@host/db")


@pytest.mark.parametrize("states", [("COMPLETE", "PRUNED", "PRUNED"), ("COMPLETE",)])
def test_a_thousand_trials_are_exported_in_time_and_stay_small(states: tuple[str, ...]) -> None:
    study = made.large(1000, states)
    started = time.perf_counter()
    text = rendered(study)
    assert time.perf_counter() - started < 15
    assert len(text.encode()) < 6e6


def test_long_curves_of_many_trials_stay_small() -> None:
    study = made.study()
    rng = np.random.default_rng(0)
    for i in range(1000):
        n_epochs = 50 if i % 3 else 200  # as the paper's recipe has them
        study.add_trial(made.trial("COMPLETE", list(rng.uniform(0, 1, n_epochs)), seed=i, minute=i))
    assert len(rendered(study).encode()) < 6e6


@pytest.mark.usefixtures("no_program")
def test_a_waiting_trial_makes_no_other_s_integers_round() -> None:
    study = made.mixed()
    units = study.trials[4].params["fc1.units"]
    study.enqueue_trial({})
    assert f"<td>{units}</td>" in rendered(study)


@pytest.mark.usefixtures("no_program")
def test_the_headline_is_the_winner_s_mean_once_there_is_one() -> None:
    study = made.mixed()
    assert "Best so far: trial 4 with 80.0%" in rendered(study)
    found = {"accuracies": {"0": [0.6, 0.8], "4": [0.5, 0.6]}, "winner": 0, "first": 4}
    study.set_user_attr(FINALISTS, found)
    text = rendered(study)
    assert "Winner: trial 0 with 70.0%" in text
    assert "mean of 2 fits from 60.0% to 80.0%" in text
    assert "70.0% (60.0%–80.0%)" in text  # in the table of the best


@pytest.mark.usefixtures("no_program")
@pytest.mark.parametrize("n", [0, 1, 4])
def test_a_young_study_has_a_page(n: int) -> None:
    study = made.large(n)
    for title in ("What was run", "Optimisation history", "Slices", "The best"):
        assert title in rendered(study)


def test_the_interval_rests_on_as_many_episodes_as_there_are(parts: Split) -> None:
    for kind, validation in VALIDATION_EPISODES.items():
        assert len(validation(parts.val)) == EPISODES[kind] * len(parts.val.alphabets)


def test_a_study_says_itself_how_many_episodes_its_trials_were_asked() -> None:
    study = made.mixed()
    before = n_episodes_of(study)
    study.set_user_attr(N_EPISODES, 777)
    assert n_episodes_of(study) == 777 != before


def test_the_devices_are_those_of_the_trials() -> None:
    study = made.mixed()
    study.set_user_attr("provenance", {"cpu": "the last one's"})
    shown = study_facts(study, frames.trial_frame(study), 0.0, "sqlite:///study.db")
    assert shown["trained on"] == "cpu float32 (6 trials)"
    assert "the last one's" in shown["machine of the last run"]


def test_a_study_in_which_nothing_learned_says_so() -> None:
    study = made.study()
    study.add_trial(made.trial("COMPLETE", [0.05], diverged="collapsed"))
    assert study_headline(study).startswith("No fit has learned")
    assert best_table(study, frames.trial_frame(study)) == []


def test_a_report_is_written_whole(tmp_path: Path) -> None:
    html_page.write_page(tmp_path / "a/b.html", Page("t", "", [], []))
    assert (tmp_path / "a/b.html").read_text().endswith("</html>")
    assert [p.name for p in (tmp_path / "a").iterdir()] == ["b.html"]


def test_figures_hold_their_numbers(no_program: None) -> None:
    text = rendered(made.mixed())
    drawn = re.findall(r"Plotly\.newPlot\(\s*\"figure-\d+\",\s*(\[.*?\]),\s*\{", text, re.DOTALL)
    assert len(drawn) >= 9
    assert any("best so far" in each for each in drawn)
    json.loads(drawn[0])
