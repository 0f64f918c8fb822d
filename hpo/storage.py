"""Optuna storages that survive several processes, and their errors in words."""

import sqlite3
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Any

import sqlalchemy
from optuna.exceptions import StorageInternalError
from optuna.storages import RDBStorage

from data.errors import InputError, hide_password

BUSY_SECONDS = 60


@contextmanager
def storage_errors(url: str) -> Iterator[None]:
    """Turn what a database can do wrong into one line that names the repair."""
    try:
        yield
    except ImportError as error:
        raise InputError(f"Storage {hide_password(url)} needs a driver: {error}.") from error
    except (StorageInternalError, sqlalchemy.exc.SQLAlchemyError, sqlite3.Error) as error:
        cause = hide_password(str(error.__cause__ or error).splitlines()[0])
        raise InputError(
            f"Storage {hide_password(url)} cannot be used ({cause}). If it is locked, end the "
            "process that holds it; if it is damaged, move it away or restore a copy."
        ) from error


def open_storage(url: str, *, create: bool = True) -> RDBStorage:
    """Return the storage of a database address.

    Args:
        url: ``sqlite:///study.db``, or another SQLAlchemy address.
        create: whether a SQLite file that does not exist is made.

    Raises:
        InputError: it cannot be opened, or does not exist and shall not be made.
    """
    with storage_errors(url):
        try:
            parsed = sqlalchemy.make_url(url)
        except sqlalchemy.exc.ArgumentError as error:
            raise InputError(
                f"--storage must be an address like sqlite:///study.db, but is '{url}'. Correct it."
            ) from error
        if parsed.get_backend_name() != "sqlite":
            pool = {"pool_pre_ping": True, "pool_size": 2, "max_overflow": 2}
            return RDBStorage(url, engine_kwargs=pool)
        path = Path(parsed.database or "")
        if not create and not path.is_file():
            raise InputError(f"{path} does not exist. Run run_study.py first, or name --storage.")
        if not path.parent.is_dir():
            raise InputError(f"The folder of {path} does not exist. Make it, or correct --storage.")
        return _sqlite(url, path)


def _sqlite(url: str, path: Path) -> RDBStorage:
    """Return a SQLite storage in which a reader never blocks and no waiting trial runs twice.

    SQLite has no ``SELECT … FOR UPDATE``, so Optuna can hand one waiting trial to two processes;
    taking the write lock when a transaction begins prevents it.
    """
    with closing(sqlite3.connect(path, timeout=BUSY_SECONDS)) as connection:
        connection.execute("PRAGMA journal_mode=WAL")
    storage = RDBStorage(url, engine_kwargs={"connect_args": {"timeout": BUSY_SECONDS}})

    def on_connect(connection: Any, _: object) -> None:
        connection.isolation_level = None  # SQLAlchemy, not the driver, begins transactions
        connection.execute("PRAGMA synchronous=NORMAL")

    def on_begin(connection: sqlalchemy.Connection) -> None:
        connection.exec_driver_sql("BEGIN IMMEDIATE")

    sqlalchemy.event.listen(storage.engine, "connect", on_connect)
    sqlalchemy.event.listen(storage.engine, "begin", on_begin)
    storage.engine.dispose()  # connections made so far know nothing of the listeners
    return storage
