from datetime import timedelta
from typing import Any

import made
import optuna
import pytest

from hpo.dashboard.status import outlook, status_text
from hpo.runtime.requeue import OWNER, _host
from hpo.study.budget import N_TRIALS


def said(study: optuna.Study, url: str = "sqlite:///study.db") -> str:
    storage: Any = study._storage
    return status_text(storage, study, url)


def test_the_status_counts_and_names_the_best() -> None:
    study = made.mixed()
    study.set_user_attr(N_TRIALS, 12)
    text = said(study)
    assert "4 complete · 1 pruned · 1 diverged · 1 interrupted · 1 failed · 1 running" in text
    assert "12 asked for" in text
    assert "running  trial 8 · 1 epochs · 10.0%" in text
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
    text = outlook(made.mixed(), 5, made.START + timedelta(minutes=12))
    assert text == "36 trials an hour · about 8 min for the 5 left"
    assert "left" not in outlook(made.mixed(), 0, made.START + timedelta(minutes=12))


def test_a_trial_whose_process_is_gone_is_named_and_slows_no_rate() -> None:
    study = made.mixed()
    study._storage.set_trial_user_attr(study.trials[8]._trial_id, OWNER, [_host(), 2**22 + 1, "1"])
    assert "trial 8 · 1 epochs · 10.0% · its process is gone" in said(study)
    assert outlook(study, 0, made.START + timedelta(days=1)) == "60 trials an hour"


def test_a_long_runner_does_not_count_for_longer_than_the_latest_ten() -> None:
    study = made.study()
    study.add_trial(made.trial("RUNNING", [0.1]))
    study.add_trials([made.trial("COMPLETE", [0.5], seed=i, minute=i) for i in range(60)])
    assert outlook(study, 0, made.START + timedelta(minutes=60)) == "60 trials an hour"


@pytest.mark.parametrize("n", [0, 1])
def test_a_young_study_has_a_status(n: int) -> None:
    text = said(made.large(n))
    assert ("no trial yet" in text) == (n == 0)
    assert "too few trials" in text


def test_no_password_is_printed() -> None:
    assert "secret" not in said(made.mixed(), "postgresql+psycopg://u:secret@host/db")
