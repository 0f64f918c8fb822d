import os
import sqlite3
import subprocess
import sys
from contextlib import closing
from pathlib import Path

import optuna
import pytest
from optuna.trial import TrialState

from data.errors import InputError
from data.text import hide_password
from hpo.study.storage import open_storage, storage_errors


def url(folder: Path) -> str:
    return f"sqlite:///{folder}/study.db"


def test_storages_that_cannot_be_used_are_named(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"study\.db does not exist.*run_study"):
        open_storage(url(tmp_path), create=False)
    with pytest.raises(InputError, match=r"folder of .* does not exist"):
        open_storage(f"sqlite:///{tmp_path}/no/study.db")
    with pytest.raises(InputError, match="--storage must be an address"):
        open_storage("study.db")
    (tmp_path / "study.db").write_bytes(b"this is no database" * 100)
    with pytest.raises(InputError, match=r"cannot be used.*not a database.*move it away"):
        open_storage(url(tmp_path))


def test_a_locked_database_is_one_line(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("hpo.study.storage.BUSY_SECONDS", 0.2)
    storage = open_storage(url(tmp_path))
    with closing(sqlite3.connect(tmp_path / "study.db")) as holder:
        holder.execute("BEGIN EXCLUSIVE")
        with pytest.raises(InputError, match=r"locked.*end the process"), storage_errors("sqlite"):
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


def test_passwords_are_hidden() -> None:
    assert hide_password("x://:pw@host/db?a=1&password=pw") == "x://:***@host/db?a=1&password=***"
    with pytest.raises(InputError) as caught, storage_errors("postgresql://me:pw@host/db"):
        raise optuna.exceptions.StorageInternalError("postgresql://me:pw@host/db is down")
    assert "pw@" not in str(caught.value)


def test_who_only_looks_holds_up_nobody_and_waits_for_nobody(tmp_path: Path) -> None:
    working = open_storage(url(tmp_path))
    study = optuna.create_study(storage=working, study_name="s")
    study.optimize(lambda trial: 1.0, n_trials=2)
    with closing(open_storage(url(tmp_path), create=False, reading=True)) as looking:
        with closing(sqlite3.connect(tmp_path / "study.db", timeout=0)) as writer:
            writer.execute("BEGIN IMMEDIATE")
            assert len(optuna.load_study(study_name="s", storage=looking).trials) == 2
        with looking.engine.connect() as reader:
            reader.exec_driver_sql("SELECT * FROM trials").fetchall()
            study.optimize(lambda trial: 1.0, n_trials=1)  # while a reader's transaction is open
    working.close()


def test_a_foreign_database_is_not_touched(tmp_path: Path) -> None:
    with closing(sqlite3.connect(tmp_path / "study.db")) as foreign:
        foreign.execute("CREATE TABLE letters (text)")
    before = (tmp_path / "study.db").read_bytes()
    with pytest.raises(InputError, match=r"holds no study.*run_study"):
        open_storage(url(tmp_path), create=False)
    assert (tmp_path / "study.db").read_bytes() == before


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
    done = [t.params["x"] for t in study.trials if t.state == TrialState.COMPLETE]
    assert sorted(done) == list(range(40))
