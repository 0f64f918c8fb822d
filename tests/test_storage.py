import os
import sqlite3
import subprocess
import sys
from contextlib import closing
from pathlib import Path
from typing import Any

import optuna
import pytest
from optuna.exceptions import StorageInternalError
from optuna.trial import TrialState
from sqlalchemy.exc import IntegrityError, OperationalError
from tiny import url

from data.errors import InputError
from data.text import hide_password
from hpo.study.storage import Storage, open_storage, storage_errors


@pytest.mark.parametrize(
    ("address", "message"),
    [
        ("study.db", r"--storage.*'study\.db'"),
        ("sqlite:///:memory:", r"--storage.*sqlite:///study\.db"),
        ("sqlite:///{folder}/missing/study.db", r"missing.*--storage"),
        ("oracle+nonsense://host/db", r"oracle\+nonsense"),
    ],
)
def test_an_unusable_address_is_refused(address: str, message: str, tmp_path: Path) -> None:
    with pytest.raises(InputError, match=message):
        open_storage(address.format(folder=tmp_path))


def test_a_missing_database_is_not_created_to_read_it(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"study\.db.*run_study\.py.*--storage"):
        open_storage(url(tmp_path), create=False)
    assert list(tmp_path.iterdir()) == []


def test_a_corrupt_database_is_one_line(tmp_path: Path) -> None:
    (tmp_path / "study.db").write_bytes(b"this is not a database" * 100)
    with pytest.raises(InputError, match=r"not a database.*corrupt"):
        open_storage(url(tmp_path))


def test_a_server_database_that_does_not_answer_is_one_line() -> None:
    with (
        pytest.raises(InputError, match=r"refused.*server"),
        storage_errors("postgresql+psycopg://me:pw@host/db"),
    ):
        raise StorageInternalError from ConnectionRefusedError("connection refused")


def test_an_interrupt_inside_a_library_stays_an_interrupt() -> None:
    error = StorageInternalError("interrupted")
    error.__cause__ = KeyboardInterrupt()
    with pytest.raises(KeyboardInterrupt), storage_errors("sqlite:///study.db"):
        raise error


def test_tables_that_another_process_creates_at_the_same_time_are_used(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    errors = [
        OperationalError("CREATE TABLE", None, Exception("table studies already exists")),
        IntegrityError("INSERT", None, Exception("UNIQUE constraint failed")),
    ]

    class LosesTheRace(Storage):
        def __init__(self, *args: Any, **kwargs: Any) -> None:
            if errors:
                raise errors.pop()
            super().__init__(*args, **kwargs)

    monkeypatch.setattr("hpo.study.storage.Storage", LosesTheRace)
    monkeypatch.setattr("hpo.study.storage.time.sleep", lambda _: None)
    with closing(open_storage(url(tmp_path))) as storage:
        assert storage.get_all_studies() == []
    errors.append(OperationalError("CREATE TABLE", None, Exception("disk I/O error")))
    with pytest.raises(InputError, match="disk I/O error"):
        open_storage(url(tmp_path))


def test_a_heartbeat_that_cannot_be_recorded_is_skipped(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(*_: object) -> None:
        raise StorageInternalError("the server restarts")

    storage = open_storage(url(tmp_path), heartbeat=60)
    assert storage.get_heartbeat_interval() == 60
    monkeypatch.setattr("optuna.storages.RDBStorage.record_heartbeat", fail)
    storage.record_heartbeat(1)
    storage.close()


def test_a_locked_database_is_one_line(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("hpo.study.storage.LOCK_TIMEOUT_SECONDS", 0.2)
    storage = open_storage(url(tmp_path))
    with closing(sqlite3.connect(tmp_path / "study.db")) as holder:
        holder.execute("BEGIN EXCLUSIVE")
        with pytest.raises(InputError, match=r"locked.*process"), storage_errors("sqlite"):
            optuna.create_study(storage=storage, study_name="s")


@pytest.mark.parametrize(
    ("address", "shown"),
    [
        ("postgresql+psycopg://me:s3cr:et@host/db", "postgresql+psycopg://me:***@host/db"),
        ("postgresql://u:pa/ss@h/db", "postgresql://u:***@h/db"),
        ("postgresql://u:pa?ss@h/db", "postgresql://u:***@h/db"),
        ("postgresql://u:pa ss@h/db", "postgresql://u:***@h/db"),
        ("postgresql://u:p@ss@h/db", "postgresql://u:***@h/db"),
        ("postgresql://me@srv:pw@srv.example/db", "postgresql://me@srv:***@srv.example/db"),
        ("mysql+pymysql://u@h/db?passwd=pw&a=1", "mysql+pymysql://u@h/db?passwd=***&a=1"),
        ("http://127.0.0.1:8080/ is up", "http://127.0.0.1:8080/ is up"),
    ],
)
def test_a_password_is_hidden_wherever_it_stands(address: str, shown: str) -> None:
    assert hide_password(address) == shown


def test_an_error_hides_the_password() -> None:
    assert hide_password("x://:pw@host/db?a=1&password=pw") == "x://:***@host/db?a=1&password=***"
    with pytest.raises(InputError) as caught, storage_errors("postgresql://me:pw@host/db"):
        raise StorageInternalError("postgresql://me:pw@host/db is down")
    assert "pw@" not in str(caught.value)


def test_readers_and_the_writer_do_not_wait_for_each_other(tmp_path: Path) -> None:
    writing = open_storage(url(tmp_path))
    study = optuna.create_study(storage=writing, study_name="s")
    study.optimize(lambda trial: 1.0, n_trials=2)
    with closing(open_storage(url(tmp_path), create=False, read_only=True)) as reading:
        with closing(sqlite3.connect(tmp_path / "study.db", timeout=0)) as writer:
            writer.execute("BEGIN IMMEDIATE")
            assert len(optuna.load_study(study_name="s", storage=reading).trials) == 2
        with reading.engine.connect() as reader:
            reader.exec_driver_sql("SELECT * FROM trials").fetchall()
            study.optimize(lambda trial: 1.0, n_trials=1)  # while a reader's transaction is open
    writing.close()


def test_the_database_of_another_program_is_not_changed(tmp_path: Path) -> None:
    with closing(sqlite3.connect(tmp_path / "study.db")) as database:
        database.execute("CREATE TABLE letters (text)")
    before = (tmp_path / "study.db").read_bytes()
    with pytest.raises(InputError, match=r"no study.*run_study\.py"):
        open_storage(url(tmp_path), create=False)
    assert (tmp_path / "study.db").read_bytes() == before


@pytest.mark.slow
def test_four_processes_run_forty_waiting_trials_exactly_once(tmp_path: Path) -> None:
    storage = open_storage(url(tmp_path))
    study = optuna.create_study(storage=storage, study_name="s")
    for i in range(40):
        study.enqueue_trial({"x": i})
    code = (
        "import optuna, sys; from hpo.study.storage import open_storage; import hpo.study.sampler;"
        "optuna.logging.set_verbosity(optuna.logging.WARNING);"
        "s = optuna.load_study(study_name='s', storage=open_storage(sys.argv[1]));"
        "s.optimize(lambda t: t.suggest_int('x', 0, 99), n_trials=10)"
    )
    environment = {**os.environ, "PYTHONPATH": str(Path(__file__).parents[1])}
    command = [sys.executable, "-c", code, url(tmp_path)]
    processes = [subprocess.Popen(command, env=environment) for _ in range(4)]
    assert [process.wait() for process in processes] == [0] * 4
    params = [t.params["x"] for t in study.trials if t.state == TrialState.COMPLETE]
    assert sorted(params) == list(range(40))


def test_a_file_that_was_deleted_or_replaced_ends_the_use_of_the_storage(tmp_path: Path) -> None:
    path, error = tmp_path / "study.db", r"study\.db.*deleted or replaced.*again"
    with closing(open_storage(url(tmp_path))) as storage:
        study = optuna.create_study(storage=storage)
        path.rename(tmp_path / "moved.db")
        for _ in range(2):
            with pytest.raises(InputError, match=error):
                study.ask()
            with pytest.raises(InputError, match=error):
                study.get_trials(deepcopy=False)
            storage.record_heartbeat(1)  # a thread, whose error nobody would see
            storage.close()  # new connections do not create the file again
            assert not path.exists()
        path.touch()
        with pytest.raises(InputError, match=error):
            study.ask()
        (tmp_path / "moved.db").replace(path)
        assert study.ask().number == 0
