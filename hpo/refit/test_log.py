"""A line for every evaluation on the official episodes: who looks too often, chooses by them."""

import json
from datetime import UTC, datetime
from pathlib import Path

from data.errors import InputError
from data.paths import VAR

TEST_LOG = VAR / "official.jsonl"


def log_test_evaluation(what: str, accuracies: list[float], path: Path = TEST_LOG) -> None:
    """Add a line: when, by which command, and what the networks came to.

    Raises:
        InputError: the file cannot be written.
    """
    now = datetime.now(UTC).isoformat(timespec="seconds")
    entry = {"when": now, "what": what, "accuracies": [round(a, 4) for a in accuracies]}
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with path.open("a", encoding="utf-8") as file:
            file.write(json.dumps(entry) + "\n")
    except OSError as error:
        raise InputError(f"{path} cannot be written ({error}). Make it writable.") from error
