"""What is asked of a database beyond what Optuna asks of it.

Optuna storages that survive several processes and hosts, and their errors in words."""

import random
import sqlite3
import time
import warnings
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager, suppress
from pathlib import Path
from typing import Any, TypeVar

import sqlalchemy
from optuna.exceptions import ExperimentalWarning, StorageInternalError
from optuna.storages import RDBStorage
from optuna.study import Study
from optuna.trial import FrozenTrial
from sqlalchemy.exc import IntegrityError, OperationalError, ProgrammingError

from data.errors import InputError
from data.text import first_line, hide_password

StaleTrialCallback = Callable[[Study, FrozenTrial], None]
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


def is_interrupt(error: BaseException | None) -> bool:
    """Return whether somebody told the process to end, be it inside a library that met it first."""
    if error is None or isinstance(error, KeyboardInterrupt):
        return error is not None
    return is_interrupt(error.__cause__ or error.__context__)


BUSY_SECONDS = 60

SCHEMA_ATTEMPTS = 20

GRACE = 5  # heartbeats that may fail before a worker of another host is taken for dead

EXISTS = ("already exists", "unique", "duplicate key")


class Storage(RDBStorage):
    """An RDBStorage whose signs of life outlast a database that is away for a while."""

    def record_heartbeat(self, trial_id: int) -> None:
        """Give a sign of life; if it cannot be given, the next one may."""
        with suppress(StorageInternalError):
            super().record_heartbeat(trial_id)

    def close(self) -> None:
        """Close the connections; a later use opens new ones."""
        self.remove_session()
        self.engine.dispose()


@contextmanager
def storage_errors(url: str) -> Iterator[None]:
    """Turn what a database can do wrong into one line that names the repair."""
    try:
        yield
    except ImportError as error:
        raise InputError(f"Storage {hide_password(url)} needs a driver: {error}.") from error
    except (StorageInternalError, sqlalchemy.exc.SQLAlchemyError, sqlite3.Error) as error:
        if is_interrupt(error):
            raise KeyboardInterrupt from error  # which the library could not bear
        cause = first_line(error.__cause__ or error)
        repair = (
            "If it is read-only, change its rights and its folder's; if it is locked, end the "
            "process that holds it; if it is damaged, move it away or restore a copy; if the disk "
            "is full, free space."
            if url.startswith("sqlite")
            else "See whether its server runs and takes this user, password and database."
        )
        raise InputError(f"Storage {hide_password(url)} cannot be used ({cause}). {repair}") from (
            error
        )


def open_storage(
    url: str,
    *,
    create: bool = True,
    reading: bool = False,
    heartbeat: int | None = None,
    on_stale_trial: StaleTrialCallback | None = None,
) -> Storage:
    """Return the storage of a database address.

    Args:
        url: ``sqlite:///study.db``, or another SQLAlchemy address.
        create: whether what does not exist yet is made: a SQLite file, Optuna's tables.
        reading: whether nothing will be changed: whoever looks at a SQLite file holds up nobody,
            and needs no right to write it.
        heartbeat: seconds between two signs of life of a running trial, or None for none.
        on_stale_trial: called with a study and a trial whose heartbeats have stopped, after Optuna
            has marked the trial as failed.

    Raises:
        InputError: it cannot be opened, or does not exist and shall not be made.
    """
    with storage_errors(url):
        try:
            parsed = sqlalchemy.make_url(url)
        except sqlalchemy.exc.ArgumentError as error:
            raise InputError(
                f"--storage must be an address like sqlite:///study.db, but is "
                f"'{hide_password(url)}'. Correct it."
            ) from error
        _require_file(parsed)
        beats = _beats(heartbeat, on_stale_trial)
        if not create:
            require_tables(parsed)
        if parsed.get_backend_name() != "sqlite":
            # Two connections: the objective's and the heartbeat's. A dropped one is opened again.
            pool = {"pool_pre_ping": True, "pool_size": 2, "max_overflow": 2}
            return _first_or_later(lambda: Storage(url, engine_kwargs=pool, **beats))
        path = Path(parsed.database or "")
        if not path.parent.is_dir():
            raise InputError(f"The folder of {path} does not exist. Make it, or correct --storage.")
        busy = {"connect_args": {"timeout": BUSY_SECONDS}}
        if reading:
            return Storage(url, engine_kwargs=busy)
        enable_wal(path, BUSY_SECONDS)
        return lock_on_begin(_first_or_later(lambda: Storage(url, engine_kwargs=busy, **beats)))


def _require_file(url: sqlalchemy.URL) -> None:
    """Raise if an address means a database that ends with the process."""
    if url.get_backend_name() == "sqlite" and url.database in (None, "", ":memory:"):
        raise InputError(
            f"--storage must be a file that outlasts the command, but is '{url}'. Name one, as "
            "sqlite:///study.db."
        )


def _beats(seconds: int | None, on_stale_trial: StaleTrialCallback | None) -> dict[str, Any]:
    """Return the arguments of RDBStorage that concern heartbeats."""
    return {
        "heartbeat_interval": seconds,
        "grace_period": seconds and GRACE * seconds,
        "heartbeat_stale_trial_callback": on_stale_trial,
    }


def _first_or_later(make: Callable[[], Storage]) -> Storage:
    """Return the storage, also where several processes make its tables at the same time."""
    for attempt in range(SCHEMA_ATTEMPTS):
        try:
            with warnings.catch_warnings():
                warnings.simplefilter("ignore", ExperimentalWarning)  # heartbeats are called so
                return make()
        except (IntegrityError, OperationalError, ProgrammingError) as error:
            lost_the_race = any(word in str(error).lower() for word in EXISTS)
            if not lost_the_race or attempt == SCHEMA_ATTEMPTS - 1:
                raise
            time.sleep(random.uniform(0.1, 0.5))
    raise AssertionError
