"""Text for terminals, messages and reports: tables, one-line errors, nothing private."""

import re
from collections.abc import Sequence
from pathlib import Path


def hide_password(text: str) -> str:
    """Return the text with the password of any database address replaced, in doubt with more."""
    text = re.sub(r"(://[^:/\s]*):(?:\S*|[^@\n]*)@", r"\1:***@", text)
    return re.sub(r"(?i)([?&]\w*(?:pass|pwd)\w*=)[^&\s]+", r"\1***", text)


def first_line(error: object) -> str:
    """Return the first line of an error's text, without passwords."""
    return hide_password((str(error).splitlines() or [type(error).__name__])[0])


def printable(text: str) -> str:
    """Return the text as one line that moves no cursor, whatever a file's name may hold."""
    return "".join(c if c.isprintable() else "?" for c in text)


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


def text_table(rows: Sequence[Sequence[str]], indent: str = "") -> str:
    """Return rows of cells as text with aligned columns, without trailing spaces.

    Args:
        rows: of the same number of cells; the first row usually names the columns.
        indent: before every line.
    """
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    lines = ("  ".join(map(str.ljust, row, widths)).rstrip() for row in rows)
    return "\n".join(indent + line for line in lines)
