"""Optuna storages for several processes and hosts; database errors become messages for the user.

SQLite files are opened in WAL mode and take the write lock when a transaction begins. Server
databases check their connections before use. Workers send heartbeats, so that other hosts notice
when a worker has crashed.
"""

import random
import sqlite3
import time
import warnings
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

import optuna
import sqlalchemy
from optuna.exceptions import ExperimentalWarning, StorageInternalError
from optuna.storages import RDBStorage
from optuna.study import Study
from optuna.trial import FrozenTrial
from sqlalchemy.exc import IntegrityError, OperationalError, ProgrammingError
from sqlalchemy.pool import NullPool

from data.addresses import check_address, passwords_in, storage_repair
from data.errors import InputError, is_interrupt
from data.sqlite import (
    LOCK_TIMEOUT_SECONDS,
    connect_unchanged,
    enable_wal,
    file_exists,
    file_watcher,
)
from data.text import first_line, hide_password, hide_secrets
from hpo.study.optuna_internals import engine_of, has_optuna_tables, schema_of, schema_revisions

GRACE_HEARTBEATS = 5  # number of missed heartbeats after which a worker is considered dead
MAX_CREATION_ATTEMPTS = 20
# Parts of the messages of databases in which another process has just created Optuna's tables.
RACE_MESSAGES = ("already exists", "unique", "duplicate key")

StaleTrialCallback = Callable[[Study, FrozenTrial], None]


class Storage(RDBStorage):
    """An RDBStorage that skips heartbeats while the database is unavailable."""

    def record_heartbeat(self, trial_id: int) -> None:
        """Record a heartbeat; if the database is unavailable, skip it."""
        with suppress(StorageInternalError, InputError):
            super().record_heartbeat(trial_id)

    def close(self) -> None:
        """Close all connections; they are opened again on the next use."""
        self.remove_session()
        engine_of(self).dispose()


def open_storage(
    url: str,
    *,
    create: bool = True,
    read_only: bool = False,
    heartbeat: int | None = None,
    on_stale_trial: StaleTrialCallback | None = None,
) -> Storage:
    """Return the storage of a database address.

    Args:
        url: ``sqlite:///study.db`` or another SQLAlchemy address.
        create: whether to create a missing SQLite file and missing tables.
        read_only: whether the caller only reads. A SQLite file is then opened without write lock
            and needs no write permission.
        heartbeat: seconds between two heartbeats of a running trial; None for no heartbeats.
        on_stale_trial: called with a study and a trial whose heartbeats have stopped, after Optuna
            has marked the trial as failed.

    Raises:
        InputError: the database cannot be opened, another version of Optuna made it, or it is
            missing and must not be created. It is then left as it was.
    """
    with storage_errors(url):
        parsed = _parse_url(url)
        escaped = url.replace("{", "{{").replace("}", "}}")  # Optuna takes it for a template
        heartbeats = _heartbeat_arguments(heartbeat, on_stale_trial)
        _check_tables(parsed, required=not create)
        if parsed.get_backend_name() != "sqlite":
            # Two connections, for the objective and the heartbeat; dropped ones are opened again.
            pool = {"pool_pre_ping": True, "pool_size": 2, "max_overflow": 2}
            return _create_tables(lambda: Storage(escaped, engine_kwargs=pool, **heartbeats))
        path = Path(parsed.database or "")
        if not path.parent.is_dir():
            raise InputError(
                f"The folder of {path} does not exist. Create it, or correct --storage."
            )
        timeout = {"connect_args": {"timeout": LOCK_TIMEOUT_SECONDS}}
        if read_only:
            return Storage(escaped, engine_kwargs=timeout)
        enable_wal(path)
        check_file = file_watcher(path)
        storage = _create_tables(lambda: Storage(escaped, engine_kwargs=timeout, **heartbeats))
        _lock_on_begin(storage)
        for event in ("do_connect", "checkout"):  # a new connection would create the file again
            sqlalchemy.event.listen(engine_of(storage), event, lambda *_: check_file())
        return storage


@contextmanager
def storage_errors(url: str) -> Iterator[None]:
    """Turn the errors of a database into an InputError that says how to fix them."""
    try:
        yield
    except ImportError as error:
        raise InputError(
            f"Storage {hide_password(url)} needs a database driver that is not installed "
            f"({first_line(error.__cause__ or error)}). Use postgresql+psycopg:// after `uv sync "
            "--extra postgresql`, or install the driver."
        ) from error
    except (StorageInternalError, sqlalchemy.exc.SQLAlchemyError, sqlite3.Error) as error:
        if is_interrupt(error):
            raise KeyboardInterrupt from error  # a library replaced the exception
        cause = first_line(hide_secrets(str(error.__cause__ or error), passwords_in(url)))
        raise InputError(
            f"Storage {hide_password(url)} cannot be used ({cause}). {storage_repair(url)}"
        ) from error


def _parse_url(url: str) -> sqlalchemy.URL:
    """Return the parts of a database address; refuse databases that exist in memory only."""
    check_address(url)
    parsed = sqlalchemy.make_url(url)
    try:
        is_usable = not parsed.get_dialect().is_async
    except sqlalchemy.exc.NoSuchModuleError:
        is_usable = False
    if not is_usable:
        raise InputError(
            f"--storage must name a driver that can be used here, but names {parsed.drivername}. "
            "Use postgresql+psycopg:// or sqlite:///."
        )
    if parsed.get_backend_name() == "sqlite" and parsed.database in (None, "", ":memory:"):
        raise InputError(
            f"--storage must name a file, so that the study is kept, but is '{url}'. "
            "Choose a file, for example sqlite:///study.db."
        )
    return parsed


def _heartbeat_arguments(
    seconds: int | None, on_stale_trial: StaleTrialCallback | None
) -> dict[str, Any]:
    """Return the arguments of RDBStorage for heartbeats."""
    return {
        "heartbeat_interval": seconds,
        "grace_period": seconds and GRACE_HEARTBEATS * seconds,
        "heartbeat_stale_trial_callback": on_stale_trial,
    }


def _check_tables(url: sqlalchemy.URL, *, required: bool) -> None:
    """Raise InputError if Optuna's tables are of another version, or required and missing."""
    solution = "Run run_study.py first, or give --storage."
    path = Path(url.database or "") if url.get_backend_name() == "sqlite" else None
    if path and not file_exists(path):
        if required:
            raise InputError(f"{path} does not exist. {solution}")
        return
    engine = _reading_engine(path) if path else sqlalchemy.create_engine(url)
    try:
        if required and not has_optuna_tables(engine):
            raise InputError(f"Storage {hide_password(str(url))} holds no study. {solution}")
        _require_own_schema(engine, hide_password(str(url)))
    finally:
        engine.dispose()


def _reading_engine(path: Path) -> sqlalchemy.Engine:
    return sqlalchemy.create_engine(
        "sqlite://", creator=lambda: connect_unchanged(path), poolclass=NullPool
    )


def _require_own_schema(engine: sqlalchemy.Engine, url: str) -> None:
    """Raise InputError if another version of Optuna created the tables of a database."""
    schema, revisions = schema_of(engine), schema_revisions()
    if schema is None or schema.revision == revisions[0]:
        return
    is_older = schema.revision in revisions or schema.revision.startswith("number")
    upgrade = f"Run `uv run optuna storage upgrade --storage {url}`"
    raise InputError(
        f"Storage {url} must have the schema of Optuna {optuna.__version__} ({revisions[0]}), but "
        f"has the schema of {schema.made_by or 'another version'} ({schema.revision}). "
        f"{upgrade if is_older else 'Upgrade Optuna'}, or choose another --storage."
    )


def _create_tables(make_storage: Callable[[], Storage]) -> Storage:
    """Return a storage; several processes may create its tables at the same time."""
    for attempt in range(MAX_CREATION_ATTEMPTS):
        try:
            with warnings.catch_warnings():
                warnings.simplefilter("ignore", ExperimentalWarning)  # heartbeats are experimental
                return make_storage()
        except (IntegrityError, OperationalError, ProgrammingError) as error:
            lost_race = any(part in str(error).lower() for part in RACE_MESSAGES)
            if not lost_race or attempt == MAX_CREATION_ATTEMPTS - 1:
                raise
            time.sleep(random.uniform(0.1, 0.5))
    raise AssertionError


def _lock_on_begin(storage: Storage) -> None:
    """Let a SQLite storage take the write lock when a transaction begins.

    SQLite has no ``SELECT … FOR UPDATE``, so Optuna could give one waiting trial to two processes.
    """

    def on_connect(connection: Any, _: object) -> None:
        connection.isolation_level = None  # SQLAlchemy, not the driver, begins transactions
        connection.execute("PRAGMA synchronous=NORMAL")

    def on_begin(connection: sqlalchemy.Connection) -> None:
        connection.exec_driver_sql("BEGIN IMMEDIATE")

    engine = engine_of(storage)
    sqlalchemy.event.listen(engine, "connect", on_connect)
    sqlalchemy.event.listen(engine, "begin", on_begin)
    engine.dispose()  # existing connections do not have the listeners
