"""Fails when an upgrade changes what hpo uses of Optuna or optuna-dashboard without a promise."""

from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import numpy as np
import optuna
import pytest
import sqlalchemy
from optuna.storages import RDBStorage
from optuna.trial import TrialState
from optuna_dashboard import get_note, save_note
from tiny import url

from hpo.study.optuna_internals import (
    engine_of,
    enqueued_params,
    has_optuna_tables,
    heartbeat_ages,
    load_trial_notes,
    report_accuracy,
    rung_attributes,
    save_trial_note,
    schema_of,
    schema_revisions,
    set_trial_attribute,
    storage_of,
    study_id_of,
)
from hpo.study.storage import Storage, open_storage


@pytest.fixture
def storage(tmp_path: Path) -> Iterator[Storage]:
    with closing(open_storage(url(tmp_path))) as opened:
        yield opened


@pytest.fixture
def study(storage: Storage) -> optuna.Study:
    return optuna.create_study(storage=storage, study_name="s")


def test_a_study_knows_its_storage_and_its_number(study: optuna.Study, storage: Storage) -> None:
    assert storage_of(study).get_study_name_from_id(study_id_of(study)) == "s"
    assert storage.get_study_id_from_name("s") == study_id_of(study)


def test_an_attribute_of_a_waiting_trial_is_still_there_when_it_runs(study: optuna.Study) -> None:
    study.enqueue_trial({"x": 1})
    set_trial_attribute(study, study.trials[0], "owner", ["host", 1, 2.0])
    assert study.ask().user_attrs == {"owner": ["host", 1, 2.0]}


@pytest.mark.parametrize("directions", [["maximize"], ["maximize", "minimize"]])
def test_the_accuracy_of_an_epoch_is_stored_while_a_trial_of_any_goals_runs(
    storage: Storage, directions: list[str]
) -> None:
    study = optuna.create_study(storage=storage, directions=directions)  # type: ignore[arg-type]
    trial = study.ask()
    for epoch, accuracy in ((1, 0.25), (2, float("nan"))):
        report_accuracy(trial, accuracy, epoch)
    values = study.trials[0].intermediate_values
    assert (study.trials[0].state, values[1]) == (TrialState.RUNNING, 0.25)
    assert np.isnan(values[2])


def test_enqueued_parameters_are_known_before_they_are_suggested(study: optuna.Study) -> None:
    study.enqueue_trial({"x": 1.5})
    assert enqueued_params(study.trials[0]) == {"x": 1.5}
    assert study.ask().suggest_float("x", 0, 2) == 1.5
    assert enqueued_params(study.trials[0]) == {"x": 1.5}
    study.ask()
    assert enqueued_params(study.trials[1]) == {}


def test_successive_halving_stores_its_values_in_the_trial() -> None:
    pruner = optuna.pruners.SuccessiveHalvingPruner(min_resource=1)
    study = optuna.create_study(direction="maximize", pruner=pruner)
    trial = study.ask()
    trial.report(0.5, step=1)
    trial.should_prune()
    assert list(rung_attributes(study.trials[0]).values()) == [0.5]


def test_the_tables_of_optuna_are_recognised(storage: Storage) -> None:
    assert has_optuna_tables(engine_of(storage))
    assert not has_optuna_tables(sqlalchemy.create_engine("sqlite://"))


def test_the_schema_of_a_new_database_is_the_first_revision(storage: Storage) -> None:
    assert schema_of(engine_of(storage)) == (schema_revisions()[0], optuna.__version__)
    assert "v3.0.0.a" in schema_revisions()
    assert schema_of(sqlalchemy.create_engine("sqlite://")) is None


def test_a_storage_has_the_hooks_that_ours_overrides_or_calls() -> None:
    assert callable(RDBStorage.record_heartbeat)
    assert callable(RDBStorage.remove_session)


def test_the_age_of_a_heartbeat_is_known_for_running_trials(
    study: optuna.Study, storage: Storage
) -> None:
    trials = [study.ask() for _ in range(3)]
    for trial in trials[:2]:
        storage.record_heartbeat(trial._trial_id)
    study.tell(trials[0], 0.5)
    ages = heartbeat_ages(storage, study)
    assert list(ages) == [1]
    assert 0 <= ages[1] < 10
    with engine_of(storage).begin() as connection:
        connection.exec_driver_sql("UPDATE trial_heartbeats SET heartbeat = '2020-01-01 00:00:00'")
    assert heartbeat_ages(storage, study)[1] > 1e8


def test_a_note_is_the_one_that_the_dashboard_shows(study: optuna.Study) -> None:
    trial = study.ask()
    study.tell(trial, 0.5)
    assert load_trial_notes(study) == {0: (0, "")}
    save_trial_note(study, study.trials[0], "**complete**" + "x" * 5000, version=1)
    assert load_trial_notes(study) == {0: (1, "**complete**" + "x" * 5000)}
    assert get_note(trial) == "**complete**" + "x" * 5000


def test_an_edit_in_the_dashboard_raises_the_version_of_a_note(study: optuna.Study) -> None:
    trial = study.ask()
    save_trial_note(study, study.trials[0], "of the program", version=1)
    save_note(trial, "of a person")
    assert load_trial_notes(study) == {0: (2, "of a person")}
    assert study.trials[0].state == TrialState.RUNNING
