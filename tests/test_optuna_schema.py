"""Databases that another version of Optuna made are refused and left as they were."""

import hashlib
import sqlite3
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest
from commands import run_in_process
from tiny import url

from data.errors import InputError
from hpo.study.storage import open_storage

MODES: list[dict[str, Any]] = [{}, {"create": False}, {"create": False, "read_only": True}]


def make_database(folder: Path, revision: str, version: str, journal_mode: str = "delete") -> str:
    """Make a database with another schema; return the digest of its file."""
    open_storage(url(folder)).close()
    with closing(sqlite3.connect(folder / "study.db", isolation_level=None)) as database:
        database.execute("UPDATE alembic_version SET version_num = ?", [revision])
        database.execute("UPDATE version_info SET library_version = ?", [version])
        database.execute(f"PRAGMA journal_mode={journal_mode}")
    return digest(folder)


def digest(folder: Path) -> str:
    return hashlib.sha256((folder / "study.db").read_bytes()).hexdigest()


@pytest.mark.parametrize("mode", MODES)
@pytest.mark.parametrize("journal_mode", ["delete", "wal"])
def test_an_older_schema_is_refused_and_the_file_left_as_it_was(
    mode: dict[str, Any], journal_mode: str, tmp_path: Path
) -> None:
    before = make_database(tmp_path, "v3.0.0.d", "3.1.1", journal_mode)
    with pytest.raises(InputError, match=r"3\.1\.1 \(v3\.0\.0\.d\).*storage upgrade --storage sql"):
        open_storage(url(tmp_path), **mode)
    assert digest(tmp_path) == before


@pytest.mark.parametrize("mode", MODES)
def test_a_newer_schema_is_refused_and_the_file_left_as_it_was(
    mode: dict[str, Any], tmp_path: Path
) -> None:
    before = make_database(tmp_path, "v99.0.0.a", "99.1.0")
    with pytest.raises(InputError, match=r"99\.1\.0 \(v99\.0\.0\.a\)\. Upgrade Optuna.*--storage"):
        open_storage(url(tmp_path), **mode)
    assert digest(tmp_path) == before


def test_the_first_versions_had_only_a_number(tmp_path: Path) -> None:
    make_database(tmp_path, "", "0.9.0")
    with closing(sqlite3.connect(tmp_path / "study.db")) as database:
        database.execute("DROP TABLE alembic_version")
        database.execute("UPDATE version_info SET schema_version = 1")
        database.commit()
    before = digest(tmp_path)
    with pytest.raises(InputError, match=r"0\.9\.0 \(number 1\).*upgrade"):
        open_storage(url(tmp_path))
    assert digest(tmp_path) == before


@pytest.mark.parametrize("statement", ["DROP TABLE alembic_version", "DELETE FROM version_info"])
def test_tables_that_are_being_created_are_waited_for(statement: str, tmp_path: Path) -> None:
    open_storage(url(tmp_path)).close()
    with closing(sqlite3.connect(tmp_path / "study.db")) as database:
        database.execute(statement)
        database.commit()
    open_storage(url(tmp_path)).close()


def test_an_interrupted_transaction_is_undone_before_the_schema_is_read(tmp_path: Path) -> None:
    make_database(tmp_path, "v3.2.0.a", "5.0.0")
    with closing(sqlite3.connect(tmp_path / "study.db", isolation_level=None)) as database:
        database.execute("PRAGMA cache_size=1")
        database.execute("BEGIN IMMEDIATE")
        database.execute("UPDATE alembic_version SET version_num = 'unfinished'")
        database.execute("CREATE TABLE t AS SELECT randomblob(100000)")  # spills into the file
        copies = {f.name: f.read_bytes() for f in tmp_path.iterdir()}
    assert "study.db-journal" in copies
    for name, content in copies.items():
        (tmp_path / name).write_bytes(content)
    open_storage(url(tmp_path)).close()


@pytest.mark.parametrize(
    "command",
    [
        ["run_study.py", "--stop"],
        ["dashboard.py", "--status"],
        ["dashboard.py", "--allow-edits"],
        ["retrain_best.py"],
    ],
)
def test_every_command_refuses_the_schema_in_one_line(
    command: list[str],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    before = make_database(tmp_path, "v3.0.0.d", "3.1.1")
    end = run_in_process(tmp_path, monkeypatch, *command, "--storage", url(tmp_path))
    assert end is not None
    assert end.code == 2
    output = "".join(capsys.readouterr())
    assert len(output.splitlines()) == 1
    assert "optuna storage upgrade" in output
    assert digest(tmp_path) == before
