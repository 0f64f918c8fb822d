"""Optuna storages that survive several processes and hosts, and their errors in words."""

import random
import sqlite3
import time
import warnings
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

import sqlalchemy
from optuna.exceptions import ExperimentalWarning, StorageInternalError
from optuna.storages import RDBStorage
from sqlalchemy.exc import IntegrityError, OperationalError, ProgrammingError

from data.errors import InputError, first_line, hide_password
from hpo.database import lock_on_begin, require_tables, enable_wal
from hpo.interrupts import is_interrupt
from hpo.retry import MAX_RETRIES, requeue

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
    max_retries: int = MAX_RETRIES,
) -> Storage:
    """Return the storage of a database address.

    Args:
        url: ``sqlite:///study.db``, or another SQLAlchemy address.
        create: whether what does not exist yet is made: a SQLite file, Optuna's tables.
        reading: whether nothing will be changed: whoever looks at a SQLite file holds up nobody,
            and needs no right to write it.
        heartbeat: seconds between two signs of life of a running trial, or None for none.
        max_retries: how often a trial without signs of life is put back.

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
        beats = _beats(heartbeat, max_retries)
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


def _beats(seconds: int | None, max_retries: int) -> dict[str, Any]:
    """Return the arguments by which Optuna ends and puts back trials without signs of life."""
    return {
        "heartbeat_interval": seconds,
        "grace_period": seconds and GRACE * seconds,
        "heartbeat_stale_trial_callback": lambda study, trial: requeue(
            study, trial.number, max_retries
        ),
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
