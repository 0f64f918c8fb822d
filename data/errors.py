"""The one exception that means: the user can mend this; and what no message may tell."""

import re


class InputError(ValueError):
    """Input that breaks a law; the message states the law, the value and the repair.

    The scripts print it as one line and exit with status 2. Anything else that is raised is a bug
    of ours and keeps its traceback.
    """


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
