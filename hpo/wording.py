"""What is said of data, addresses and commands: nothing that does not compare or is private."""

import re
from pathlib import Path

from data.errors import hide_password
from data.tree import parse_dataset_name


def data_caveat(data: str) -> str:
    """Return the sentence that goes with figures of other data than the paper's; else nothing."""
    if data == "glyphs":
        return "These are the built-in glyphs, not Omniglot: no figure compares to the paper."
    if parse_dataset_name(data):
        return f"These are images of '{data}', not Omniglot: no figure compares to the paper."
    return ""


def test_episodes_label(data: str) -> str:
    """Return the adjective of the test episodes."""
    return "official" if data == "omniglot" else "glyph" if data == "glyphs" else "test"


def redact_storage(url: str) -> str:
    """Return a database address without password and folders, for a report is mailed."""
    if url.startswith("sqlite"):
        return f"sqlite:///{Path(url).name}"
    return hide_password(url).partition("?")[0]


def redact_command(words: list[str]) -> str:
    """Return a command line whose paths have lost their folders."""
    return " ".join(map(_word_shown, words))


def _word_shown(word: str) -> str:
    flag, value = re.fullmatch(r"(--?[\w-]+=)?(.*)", word, re.DOTALL).groups("")  # type: ignore[union-attr]
    return flag + (redact_storage(value) if "://" in value else Path(value).name or value)
