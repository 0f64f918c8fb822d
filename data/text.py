"""Text for terminals, messages and reports: tables, one-line errors, redacted addresses."""

import re
import unicodedata
from collections.abc import Iterable, Sequence
from pathlib import Path


def hide_password(text: str) -> str:
    """Return the text with the password of every database address replaced by ``***``.

    Where the end of a password is ambiguous, more than the password is replaced.
    """
    text = re.sub(r"(://(?!/)[^:]*):.*@", r"\1:***@", text, flags=re.DOTALL)
    return re.sub(r"(?i)([?&]\w*(?:pass|pwd)\w*=)[^&\n]+", r"\1***", text)


def hide_secrets(text: str, secrets: Iterable[str]) -> str:
    """Return the text with secrets, such as the password of an address, replaced by ``***``.

    Args:
        text: text such as the message of a database driver.
        secrets: secrets; one of fewer than three characters is replaced only as a whole word.
    """
    for secret in sorted(filter(None, secrets), key=len, reverse=True):
        pattern = re.escape(secret)
        text = re.sub(pattern if len(secret) > 2 else rf"(?<!\w){pattern}(?!\w)", "***", text)
    return text


def first_line(error: object) -> str:
    """Return the first line of an error's text, without passwords."""
    return (hide_password(str(error)).splitlines() or [type(error).__name__])[0]


def make_printable(text: str) -> str:
    """Return the text with control characters, such as escapes in file names, replaced by ``?``."""
    return "".join(c if c.isprintable() else "?" for c in text)


def redact_storage(url: str) -> str:
    """Return a database address without password and folders, for reports that are shared."""
    if url.startswith("sqlite"):
        return f"sqlite:///{Path(url).name}"
    return hide_password(url).partition("?")[0]


def redact_command(arguments: list[str]) -> str:
    """Return a command line without passwords and the folders of its paths."""
    return " ".join(map(_redact_argument, arguments))


def text_table(rows: Sequence[Sequence[str]], indent: str = "") -> str:
    """Return rows of cells as text with aligned columns, without trailing spaces.

    Args:
        rows: rows with the same number of cells; the first usually names the columns.
        indent: text at the start of every line.
    """
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    lines = ("  ".join(map(str.ljust, row, widths)).rstrip() for row in rows)
    return "\n".join(indent + line for line in lines)


def _redact_argument(argument: str) -> str:
    flag, value = re.fullmatch(r"(--?[\w-]+=)?(.*)", argument, re.DOTALL).groups("")  # type: ignore[union-attr]
    return flag + (redact_storage(value) if "://" in value else Path(value).name or value)


def composed(name: str) -> str:
    """Return a name with composed characters (NFC), because some systems decompose them."""
    return unicodedata.normalize("NFC", name)
