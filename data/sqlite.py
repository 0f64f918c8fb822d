"""SQLite files: how they are opened, and whether a file is still the one that was opened."""

import sqlite3
from collections.abc import Callable
from contextlib import closing
from pathlib import Path
from urllib.parse import quote

from data.errors import InputError

LOCK_TIMEOUT_SECONDS = 60  # how long a connection waits for a lock


def file_exists(path: Path) -> bool:
    """Return whether a file exists.

    Raises:
        InputError: it is a folder.
    """
    if path.is_dir():
        raise InputError(
            f"--storage must name a file, but {path} is a folder. Add the name of a file, for "
            "example study.db."
        )
    return path.is_file()


def enable_wal(path: Path) -> None:
    """Let readers of a SQLite file and its writer work at the same time."""
    with closing(sqlite3.connect(path, timeout=LOCK_TIMEOUT_SECONDS)) as connection:
        connection.execute("PRAGMA journal_mode=WAL")


def connect_unchanged(path: Path) -> sqlite3.Connection:
    """Return a connection that does not change a SQLite file, not even when it is closed."""
    is_interrupted = Path(f"{path}-journal").exists()  # only a writer can roll the transaction back
    address = f"file:{quote(str(path.absolute()))}?mode={'rw' if is_interrupted else 'ro'}"
    return sqlite3.connect(address, uri=True, timeout=LOCK_TIMEOUT_SECONDS)


def file_watcher(path: Path) -> Callable[[], None]:
    """Return a function that raises InputError if a file was deleted or replaced since this call.

    A process can write to a deleted file until it closes it; nothing of that is kept.
    """
    path = path.absolute()
    opened = _file_identity(path)

    def check() -> None:
        if _file_identity(path) != opened:
            raise InputError(
                f"{path} must not be deleted or replaced while it is used, but was. Restore the "
                "file, or run the same command again to start a new study."
            )

    return check


def _file_identity(path: Path) -> tuple[int, int] | None:
    """Return the device and the inode of a file; None if it does not exist."""
    try:
        status = path.stat()
    except FileNotFoundError:
        return None
    return status.st_dev, status.st_ino
