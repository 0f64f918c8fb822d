"""The list and the comparison of the studies of a storage, as dashboard.py prints them."""

import sys
from collections.abc import Iterator
from contextlib import closing
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import made_studies
import optuna
import pytest
from commands import ROOT, run_in_process
from tiny import url

from data.errors import InputError
from hpo.dashboard.activity import SILENCE_SECONDS, live_trials, study_state
from hpo.dashboard.studies import compare_studies, print_studies
from hpo.report import html_page
from hpo.runtime.requeue import WORKER, host_id, own_id
from hpo.study.budget import N_TRIALS
from hpo.study.open import FOLDER, IDENTITY
from hpo.study.optuna_internals import engine_of, set_trial_attribute
from hpo.study.storage import Storage, open_storage
from hpo.study.trials import FINALISTS


@pytest.fixture
def storage(in_tmp: Path) -> Iterator[Storage]:
    with closing(open_storage(url(in_tmp))) as opened:
        yield opened


def running(study: optuna.Study, worker: Any, age: float = 0.0) -> None:
    """Add a trial that a worker started ``age`` seconds ago."""
    trial = made_studies.trial("RUNNING", [0.1])
    trial.datetime_start = datetime.now() - timedelta(seconds=age)
    study.add_trial(trial)
    set_trial_attribute(study, study.get_trials()[-1], WORKER, worker)


def test_the_list_shows_studies_of_run_study_alone_the_latest_first(
    in_tmp: Path, storage: Storage, capsys: pytest.CaptureFixture[str]
) -> None:
    made_studies.study("new", storage)
    made_studies.study("early", storage).add_trial(made_studies.trial("COMPLETE", [0.5]))
    made_studies.mixed("late", storage).set_user_attr(FOLDER, "f")
    optuna.create_study(storage=storage, study_name="late finalists 0 x1").set_user_attr(
        FOLDER, "f-0"
    )
    optuna.create_study(storage=storage, study_name="by another program")
    print_studies(url(in_tmp))
    lines = capsys.readouterr().out.splitlines()
    assert [line.split()[0] for line in lines] == ["study", "late", "early", "new"]
    assert "80.0% best trial" in lines[1]
    assert "paused" in lines[1]


def test_an_empty_storage_is_one_line(
    in_tmp: Path, storage: Storage, capsys: pytest.CaptureFixture[str]
) -> None:
    print_studies(url(in_tmp))
    assert capsys.readouterr().out == f"{url(in_tmp)} holds no study of run_study.py.\n"


def test_a_missing_storage_is_refused(in_tmp: Path) -> None:
    with pytest.raises(InputError, match="run_study"):
        print_studies("sqlite:///missing.db")


def test_control_characters_of_a_name_do_not_reach_the_terminal(
    in_tmp: Path, storage: Storage, capsys: pytest.CaptureFixture[str]
) -> None:
    for name in ("a\x1b[31m", "b"):
        made_studies.study(name, storage)
    print_studies(url(in_tmp))
    compare_studies(url(in_tmp), ["a\x1b[31m", "b"], None)
    assert "\x1b" not in capsys.readouterr().out


def test_a_trial_runs_while_its_process_is_alive(storage: Storage) -> None:
    study = made_studies.study("s", storage)
    assert study_state(storage, study, []) == "paused"
    running(study, [host_id(), 2**22 + 1, 1.0])
    running(study, ["another host", 1, 1.0], age=2 * SILENCE_SECONDS)
    assert study_state(storage, study, []) == "paused"
    running(study, own_id(), age=2 * SILENCE_SECONDS)
    running(study, ["another host", 1, 1.0])
    assert [trial.number for trial in live_trials(storage, study)] == [2, 3]
    assert study_state(storage, study, []) == "running"
    assert study_state(storage, made_studies.study("t", storage), [study]) == "running"


def test_heartbeats_show_that_another_host_is_alive(storage: Storage) -> None:
    study = made_studies.study("s", storage)
    running(study, ["another host", 1, 1.0], age=2 * SILENCE_SECONDS)
    storage.record_heartbeat(study.get_trials()[0]._trial_id)
    assert len(live_trials(storage, study)) == 1
    with engine_of(storage).begin() as connection:
        connection.exec_driver_sql("UPDATE trial_heartbeats SET heartbeat = '2020-01-01 00:00:00'")
    assert live_trials(storage, study) == []


def test_a_study_is_finished_with_its_trials_and_its_winner(storage: Storage) -> None:
    study = made_studies.study("s", storage)
    study.add_trials([made_studies.trial("COMPLETE", [0.5], seed=i) for i in range(2)])
    study.set_user_attr(N_TRIALS, 3)
    assert study_state(storage, study, []) == "paused"
    study.set_user_attr(N_TRIALS, 2)
    assert study_state(storage, study, []) == "finished"
    finalists = made_studies.study("f", storage)
    assert study_state(storage, study, [finalists]) == "paused"
    study.set_user_attr(FINALISTS, {"accuracies": {"0": [0.5]}, "winner": 0, "first": 0})
    assert study_state(storage, study, [finalists]) == "finished"


def test_studies_are_compared_in_the_terminal_and_as_one_file(
    in_tmp: Path,
    storage: Storage,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.setattr(html_page, "get_plotlyjs", lambda: "")
    first, second = (made_studies.mixed(name, storage) for name in ("a", "b"))
    compare_studies(url(in_tmp), ["a", "b", "a"], None)
    lines = capsys.readouterr().out.splitlines()
    assert [line.split()[0] for line in lines] == ["study", "a", "b"]
    second.set_user_attr(IDENTITY, first.user_attrs[IDENTITY] | {"episodes": "other"})
    compare_studies(url(in_tmp), ["a", "b"], in_tmp / "page.html")
    lines = capsys.readouterr().out.splitlines()
    assert lines[3].startswith("warning  The studies have different validation episodes (a | b)")
    assert "page.html" in lines[4]
    page = (in_tmp / "page.html").read_text()
    assert "different validation episodes (a | b)" in page
    assert "<h2>Best so far against compute</h2>" in page


@pytest.mark.parametrize(
    ("names", "word"), [(["a"], "--list"), (["a", "a"], "--list"), (["a", "x"], "'x'")]
)
def test_a_comparison_needs_two_stored_studies(
    names: list[str], word: str, in_tmp: Path, storage: Storage
) -> None:
    made_studies.study("a", storage)
    with pytest.raises(InputError, match=word):
        compare_studies(url(in_tmp), names, None)


@pytest.mark.parametrize(
    ("flags", "words"),
    [
        (["--list", "--allow-edits"], ["--allow-edits", "--list"]),
        (["--list", "--study-name", "a"], ["--study-name", "--list"]),
        (["--list", "--export", "x.html"], ["--export", "--list", "--compare"]),
        (["--compare", "a", "b", "--port", "1"], ["--port", "--compare"]),
        (["--compare", "a", "b", "--yes"], ["--yes", "--delete"]),
        (["--delete", "a", "--no-browser"], ["--no-browser", "--delete"]),
        (["--status", "--export", "x.html"], ["--export", "--status"]),
        (["--yes"], ["--yes", "live dashboard", "--delete"]),
    ],
)
def test_flags_without_effect_are_refused(
    flags: list[str],
    words: list[str],
    in_tmp: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    end = run_in_process(in_tmp, monkeypatch, "dashboard.py", *flags)
    error = capsys.readouterr().err
    assert end is not None
    assert end.code == 2
    assert error.count("\n") == 1
    assert all(word in error for word in words)


def test_flags_with_effect_are_accepted(
    in_tmp: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    storage_flags = ["--storage", url(in_tmp)]
    with closing(open_storage(url(in_tmp))) as opened:
        for name in ("a", "b"):
            made_studies.study(name, opened)
    for flags in (
        ["--list"],
        ["--compare", "a", "b", "--export", "x.html"],
        ["--status", "--study-name", "a"],
        ["--delete", "a", "--yes"],
    ):
        assert run_in_process(in_tmp, monkeypatch, "dashboard.py", *flags, *storage_flags) is None
    assert (in_tmp / "x.html").exists()
    assert str(ROOT) not in capsys.readouterr().out
    assert sys.argv[0] == "dashboard.py"
