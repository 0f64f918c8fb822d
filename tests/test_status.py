"""The status of a study in the terminal."""

from datetime import timedelta
from typing import Any

import made_studies
import optuna
import pytest

from hpo.dashboard.status import format_rate, status_text
from hpo.runtime.requeue import WORKER, host_id
from hpo.search.finalists import MAX_NUMBER, FinalistFit, open_finalists
from hpo.study.budget import N_TRIALS
from hpo.study.open import FOLDER
from hpo.study.trials import FINALISTS


def status(study: optuna.Study, url: str = "sqlite:///study.db") -> str:
    storage: Any = study._storage
    return status_text(storage, study, url)


def test_the_status_shows_counts_running_trials_and_the_best() -> None:
    study = made_studies.mixed()
    study.set_user_attr(N_TRIALS, 12)
    text = status(study)
    assert "4 complete · 1 pruned · 1 diverged · 1 interrupted · 1 failed · 1 running" in text
    assert "12 requested" in text
    assert "running  trial 8 · epoch 1 · 10.0%" in text
    assert "Best so far: trial 4 with 80.0%" in text
    table = text.splitlines()[-6:]
    assert [line.split()[0] for line in table] == [
        "conv1",
        "conv2",
        "conv3",
        "conv4",
        "fc1",
        "head",
    ]
    assert f"{study.trials[4].params['fc1.units']}" in table[4]


def test_the_time_left_follows_from_the_rate() -> None:
    text = format_rate(made_studies.mixed(), 5, made_studies.START + timedelta(minutes=12))
    assert text == "36 trials an hour · about 8 min for the 5 left"
    assert "left" not in format_rate(
        made_studies.mixed(), 0, made_studies.START + timedelta(minutes=12)
    )


def test_an_orphaned_trial_is_reported_and_does_not_lower_the_rate() -> None:
    study = made_studies.mixed()
    study._storage.set_trial_user_attr(
        study.trials[8]._trial_id, WORKER, [host_id(), 2**22 + 1, "1"]
    )
    assert "trial 8 · epoch 1 · 10.0% · its process is gone" in status(study)
    assert format_rate(study, 0, made_studies.START + timedelta(days=1)) == "60 trials an hour"


def test_a_long_running_trial_counts_only_since_the_start_of_the_latest_ten() -> None:
    study = made_studies.study()
    study.add_trial(made_studies.trial("RUNNING", [0.1]))
    study.add_trials([made_studies.trial("COMPLETE", [0.5], seed=i, minute=i) for i in range(60)])
    assert format_rate(study, 0, made_studies.START + timedelta(minutes=60)) == "60 trials an hour"


@pytest.mark.parametrize("n", [0, 1])
def test_a_study_with_few_trials_has_a_status(n: int) -> None:
    text = status(made_studies.large(n))
    assert ("no trial yet" in text) == (n == 0)
    assert "too few trials" in text


def test_no_password_is_printed() -> None:
    assert "secret" not in status(made_studies.mixed(), "postgresql+psycopg://u:secret@host/db")


def test_the_winner_of_the_finalists_is_shown() -> None:
    study = made_studies.mixed()
    finalists = {"accuracies": {"0": [0.7], "4": [0.6]}, "winner": 0, "first": 4}
    study.set_user_attr(FINALISTS, finalists)
    text = status(study)
    assert "Winner: trial 0 with 70.0%" in text
    assert f"  {study.trials[0].params['fc1.units']}" in text.splitlines()[-2]


def test_the_fits_of_the_finalists_that_run_are_shown() -> None:
    study = made_studies.mixed()
    study.set_user_attr(FOLDER, "folder")
    fits: list[FinalistFit] = [{"trial": 4, "seed": 9}]
    finalists = open_finalists(study._storage, study, fits)  # type: ignore[arg-type]
    fit = finalists.ask()
    fit.suggest_int("trial", 0, MAX_NUMBER)
    fit.report(0.3, step=2)
    assert "running  further fit of trial 4 · epoch 2 · 30.0%" in status(study)


def test_a_trial_that_diverged_has_no_parameter_table() -> None:
    study = made_studies.study()
    study.add_trial(made_studies.trial("COMPLETE", [0.05], diverged="collapsed"))
    assert status(study).splitlines()[-1].startswith("No fit has learned")
