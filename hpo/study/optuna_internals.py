"""Every private or undocumented API of Optuna and optuna-dashboard that this program uses.

An upgrade of either library may change them without notice. ``tests/test_optuna_internals.py``
calls each of these functions, so that a failing test shows such a change. Fix it in this module.
"""

from functools import cache
from pathlib import Path
from typing import Any, NamedTuple

import optuna.storages._rdb
import sqlalchemy
from alembic.runtime.migration import MigrationContext
from alembic.script import ScriptDirectory
from optuna.storages import BaseStorage, RDBStorage
from optuna.storages._rdb import models
from optuna.study import Study
from optuna.trial import FrozenTrial, Trial, TrialState

VERSION_TABLE = "version_info"  # table that Optuna creates in every database
RUNG_PREFIX = "completed_rung_"  # of the system attributes of successive halving
FIXED_PARAMS = "fixed_params"  # system attribute in which Optuna stores enqueued parameters


def storage_of(study: Study) -> BaseStorage:
    """Return the storage of a study."""
    return study._storage


def study_id_of(study: Study) -> int:
    """Return the number of a study in its storage, which is also part of the dashboard's URLs."""
    return study._study_id


def all_trials(study: Study) -> list[FrozenTrial]:
    """Return every trial of a study.

    ``study.get_trials`` does not, where Optuna's ``HyperbandPruner`` calls a sampler: it then
    returns the trials of one bracket.
    """
    return storage_of(study).get_all_trials(study_id_of(study), deepcopy=False)


def set_trial_attribute(study: Study, trial: FrozenTrial, name: str, value: Any) -> None:
    """Set a user attribute of a waiting or running trial of a study.

    Optuna's public API offers this only to the process that runs the trial.
    """
    storage_of(study).set_trial_user_attr(trial._trial_id, name, value)


def report_accuracy(trial: Trial, accuracy: float, epoch: int) -> None:
    """Store the accuracy of an epoch of a running trial.

    Optuna's public API, ``Trial.report``, refuses trials of two goals.

    Args:
        trial: running trial.
        accuracy: accuracy of the epoch.
        epoch: number of the epoch, from 1.
    """
    if len(trial.study.directions) == 1:
        trial.report(accuracy, step=epoch)
    else:
        storage_of(trial.study).set_trial_intermediate_value(trial._trial_id, epoch, accuracy)


def enqueued_params(trial: FrozenTrial) -> dict[str, Any]:
    """Return the parameters with which a trial was enqueued; empty if it was not enqueued."""
    return dict(trial.system_attrs.get(FIXED_PARAMS, {}))


def rung_attributes(trial: FrozenTrial) -> dict[str, Any]:
    """Return what Optuna's successive halving has stored in a trial: its values at the rungs."""
    attributes = trial.system_attrs.items()
    return {name: value for name, value in attributes if name.startswith(RUNG_PREFIX)}


def engine_of(storage: RDBStorage) -> sqlalchemy.Engine:
    """Return the SQLAlchemy engine of a storage."""
    return storage.engine


def has_optuna_tables(engine: sqlalchemy.Engine) -> bool:
    """Return whether Optuna has created its tables in a database."""
    return sqlalchemy.inspect(engine).has_table(VERSION_TABLE)


class Schema(NamedTuple):
    """The structure of the tables in a database.

    Args:
        revision: name of the structure in Optuna, or its number.
        made_by: version of Optuna that created the tables; empty if unknown.
    """

    revision: str
    made_by: str


def schema_of(engine: sqlalchemy.Engine) -> Schema | None:
    """Return the schema of a database; None if it has no tables or they are being created."""
    rows = []
    with engine.connect() as connection:
        revision = ", ".join(MigrationContext.configure(connection).get_current_heads())
        if sqlalchemy.inspect(connection).has_table(VERSION_TABLE):
            query = f"SELECT schema_version, library_version FROM {VERSION_TABLE}"
            rows = [tuple(row) for row in connection.exec_driver_sql(query)]
    number, made_by = rows[0] if rows else (None, "")
    if not revision and number in (None, models.SCHEMA_VERSION):
        return None
    return Schema(revision or f"number {number}", made_by)  # the first versions had only a number


@cache
def schema_revisions() -> list[str]:
    """Return the revisions of the schema that this version of Optuna knows, its own first."""
    folder = Path(optuna.storages._rdb.__file__).parent / "alembic"
    return [script.revision for script in ScriptDirectory(str(folder)).walk_revisions()]


def heartbeat_ages(storage: RDBStorage, study: Study) -> dict[int, float]:
    """Return the seconds since the last heartbeat of each running trial, by its number.

    A trial that has sent no heartbeat is left out. Both times are those of the database.
    """
    trials, heartbeats = models.TrialModel, models.TrialHeartbeatModel
    query = (
        sqlalchemy.select(trials.number, heartbeats.heartbeat, sqlalchemy.func.now())
        .join(heartbeats, heartbeats.trial_id == trials.trial_id)
        .where(trials.study_id == study_id_of(study), trials.state == TrialState.RUNNING)
    )
    with engine_of(storage).connect() as connection:
        rows = connection.execute(query).all()
    return {n: (now.replace(tzinfo=None) - beat).total_seconds() for n, beat, now in rows}


def load_trial_notes(study: Study) -> dict[int, tuple[int, str]]:
    """Return the dashboard's note on every trial of a study.

    Returns:
        Version and Markdown text by trial number. A trial without a note has version 0. Each edit
        in the dashboard raises the version by 1.
    """
    from optuna_dashboard._note import get_note_from_system_attrs  # workers do not need it

    attributes = storage_of(study).get_study_system_attrs(study_id_of(study))
    notes = {}
    for trial in study.get_trials(deepcopy=False):
        note = get_note_from_system_attrs(attributes, trial._trial_id)
        notes[trial.number] = (note["version"], note["body"])
    return notes


def save_trial_note(study: Study, trial: FrozenTrial, text: str, version: int) -> None:
    """Save the dashboard's note on a trial.

    Args:
        study: study of the trial.
        trial: trial of any state.
        text: Markdown.
        version: version of the note, at least 1.
    """
    from optuna_dashboard._note import save_note_with_version

    save_note_with_version(storage_of(study), study_id_of(study), trial._trial_id, version, text)
