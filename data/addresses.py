"""Database addresses: checks before the first connection.

SQLAlchemy reads an address up to the first ``@``. A password with an ``@`` in it would become
a part of the host name, and the database driver shows the host in its messages. The messages of
this module therefore show nothing after ``user:`` that may be a part of the password.
"""

import re
from urllib.parse import unquote, unquote_plus

from data.errors import InputError

SERVERS = ("postgresql", "mysql", "mariadb")
SQLITE = "sqlite"
EXAMPLES = "sqlite:///study.db or postgresql+psycopg://user@host/database"
ENCODE = (
    "percent-encode the special characters of the password (%40 for @, %23 for #, %2F for /, "
    "%3A for :, %25 for %)"
)
MAX_PORT = 65535


def check_address(address: str) -> None:
    """Check the parts of the value of ``--storage``.

    Args:
        address: ``sqlite:///study.db`` or another SQLAlchemy address.

    Raises:
        InputError: it is not an address, it names another database system, or its port or host
            cannot exist; the message contains no part of a password.
    """
    parts = re.fullmatch(r"([\w+]+)://(.*)", address, re.DOTALL)
    if parts is None:
        raise InputError(
            f"--storage must be an address like {EXAMPLES}, but is '{_hide_unreadable(address)}'. "
            "Correct it."
        )
    driver, rest = parts.groups()
    system = driver.partition("+")[0]
    shown = _hide_after_user(address)
    if system == "postgres":
        raise InputError(
            f"--storage must begin with postgresql+psycopg://, but begins with {driver}:// "
            f"({shown}). Use postgresql+psycopg:// instead."
        )
    if system not in (SQLITE, *SERVERS):
        raise InputError(
            f"--storage must be an address like {EXAMPLES}, but begins with {driver}:// "
            f"({shown}). Use postgresql+psycopg:// or sqlite:///."
        )
    if system == SQLITE:
        _check_sqlite(rest, shown)
    else:
        _check_server(rest, shown)


def _check_sqlite(rest: str, shown: str) -> None:
    """Check that the part of an address after ``://`` is a path; SQLite has no user and no host."""
    if rest[:1] not in ("", "/", "?"):
        raise InputError(
            "--storage must have three slashes before the path of a SQLite file, and four before "
            f"an absolute path, but is '{shown}'. Use sqlite:///study.db or sqlite:////data/study.db."
        )
    if rest.startswith("/file:"):
        raise InputError(
            f"--storage must contain the path of a SQLite file, but is the URI '{shown}'. Remove "
            "'file:' and the options after '?'."
        )


def _check_server(rest: str, shown: str) -> None:
    """Check user, host and port, as SQLAlchemy reads them.

    Args:
        rest: the address after ``://``.
        shown: the address without what may be a password.
    """
    user, target = _split_user(rest)
    if "@" in (target if ":" in user else target.partition("?")[0]):
        raise InputError(
            f"The user and the password in --storage must not contain an unencoded @ or /, "
            f"but {shown} has one. In --storage, {ENCODE}."
        )
    for number in re.findall(r"^(?:\[[^/?]*\]|[^/:?]*):([^/?]*)|[?&]port=([^&]*)", target):
        _check_port("".join(number), shown, has_user=bool(user))
    host = re.match(r"\[[^/?]*\]|[^/:?]*", target)
    assert host is not None
    if not re.fullmatch(r"\[[\w:.%]+\]|[\w.,-]*", host[0]):
        raise InputError(
            f"The host in --storage must consist of letters, digits, dots and hyphens, but the "
            f"host of {shown} has other characters. Correct the host, or {ENCODE}."
        )


def _split_user(rest: str) -> tuple[str, str]:
    """Return user and password with their ``@`` (empty if there are none), and the rest."""
    user = re.match(r"[^:/]*(?::[^@]*)?@", rest)
    return (user[0], rest[user.end() :]) if user else ("", rest)


def _check_port(port: str, shown: str, *, has_user: bool) -> None:
    if port.isdecimal() and 0 < int(port) <= MAX_PORT:
        return
    # Other text may belong to the password of an address that lacks its host.
    value = f"'{port}'" if has_user and re.fullmatch(r"[\d$-].*|", port) else "something else"
    raise InputError(
        f"The port in --storage must be a number from 1 to {MAX_PORT}, but is {value} ({shown}). "
        "Correct the port, or leave out the port and its colon."
    )


def storage_repair(address: str) -> str:
    """Return what to check if the database of an address cannot be used."""
    if address.startswith(SQLITE):
        return (
            "If it is read-only, change the permissions of the file and its folder; if it is "
            "locked, end the process that holds the lock; if it is corrupt, move it to another "
            "folder or restore a copy; if the disk is full, free some space."
        )
    _, target = _split_user(address.partition("://")[2])
    names_host = target[:1] not in ("", "/", ":", "?") or re.search("[?&](host|service)=", target)
    return (
        ("" if names_host else "--storage names no host: add it before the database. ")
        + "Check that its server is running and accepts this user, password and database; in "
        + "--storage, percent-encode the special characters of the password."
    )


def passwords_in(address: str) -> set[str]:
    """Return the passwords in an address, each as it is written and percent-decoded."""
    raw = set(re.findall(r"://[^:/]*:([^@]*)@", address))
    raw |= set(re.findall(r"(?i)[?&]\w*(?:pass|pwd)\w*=([^&]*)", address))
    return raw | {decode(text) for text in raw for decode in (unquote, unquote_plus)}


def _hide_after_user(address: str) -> str:
    """Return the beginning of an address, up to where a password or a port may begin."""
    return re.sub(r"(://[^:?@]*)[:?@].*", r"\1:***", address, flags=re.DOTALL)


def _hide_unreadable(text: str) -> str:
    """Return a text that is not an address, up to where a password may begin."""
    text = re.sub(r"(?i)((?:pass|pwd)\w*\s*=).*", r"\1***", text, flags=re.DOTALL)
    if "@" in text or text.count(":") > 1:
        return text.partition(":")[0].partition("@")[0] + ":***"
    return text
