"""SQLite files: how they are opened, and whether a file is still the one that was opened."""

import sqlite3
from contextlib import closing
from pathlib import Path
from urllib.parse import quote

LOCK_TIMEOUT_SECONDS = 60  # how long a connection waits for a lock


def enable_wal(path: Path) -> None:
    """Let readers of a SQLite file and its writer work at the same time."""
    with closing(sqlite3.connect(path, timeout=LOCK_TIMEOUT_SECONDS)) as connection:
        connection.execute("PRAGMA journal_mode=WAL")


def connect_unchanged(path: Path) -> sqlite3.Connection:
    """Return a connection that does not change a SQLite file, not even when it is closed."""
    is_interrupted = Path(f"{path}-journal").exists()  # only a writer can undo the transaction
    address = f"file:{quote(str(path.absolute()))}?mode={'rw' if is_interrupted else 'ro'}"
    return sqlite3.connect(address, uri=True, timeout=LOCK_TIMEOUT_SECONDS)
