"""What is asked of a database beyond what Optuna asks of it."""

import sqlite3
from contextlib import closing
from pathlib import Path
from typing import Any, TypeVar

import sqlalchemy
from optuna.storages import RDBStorage

from data.errors import InputError, hide_password

AnyStorage = TypeVar("AnyStorage", bound=RDBStorage)


def require_tables(url: sqlalchemy.URL) -> None:
    """Raise unless there is a database in which Optuna has made its tables."""
    first = "Run run_study.py first, or name --storage."
    if url.get_backend_name() == "sqlite" and not Path(url.database or "").is_file():
        raise InputError(f"{url.database} does not exist. {first}")
    engine = sqlalchemy.create_engine(url)
    try:
        if not sqlalchemy.inspect(engine).has_table("version_info"):
            raise InputError(f"Storage {hide_password(str(url))} holds no study. {first}")
    finally:
        engine.dispose()


def enable_wal(path: Path, seconds: float) -> None:
    """Let those who read a SQLite file and the one who writes it not wait for each other."""
    with closing(sqlite3.connect(path, timeout=seconds)) as connection:
        connection.execute("PRAGMA journal_mode=WAL")


def lock_on_begin(storage: AnyStorage) -> AnyStorage:
    """Let a SQLite storage take the write lock when a transaction begins, and return it.

    SQLite has no ``SELECT … FOR UPDATE``, so Optuna could hand one waiting trial to two processes.
    """

    def on_connect(connection: Any, _: object) -> None:
        connection.isolation_level = None  # SQLAlchemy, not the driver, begins transactions
        connection.execute("PRAGMA synchronous=NORMAL")

    def on_begin(connection: sqlalchemy.Connection) -> None:
        connection.exec_driver_sql("BEGIN IMMEDIATE")

    sqlalchemy.event.listen(storage.engine, "connect", on_connect)
    sqlalchemy.event.listen(storage.engine, "begin", on_begin)
    storage.engine.dispose()  # connections made so far know nothing of the listeners
    return storage
