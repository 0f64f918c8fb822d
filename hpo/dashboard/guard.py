"""A guard before optuna-dashboard, which asks nobody who they are.

It has no password, so it must be reached by this machine's own browser alone: a page of another
site must neither read a study through it (DNS rebinding) nor change one (forged requests).
"""

import re
from collections.abc import Callable, Iterable
from typing import Any

Environ = dict[str, Any]

StartResponse = Callable[..., Any]

Application = Callable[[Environ, StartResponse], Iterable[bytes]]

READING = ("GET", "HEAD")

LOCAL = ("127.0.0.1", "localhost")

ALWAYS = [  # no page of another site may frame ours, and nothing is taken for what it is not
    ("X-Frame-Options", "DENY"),
    ("X-Content-Type-Options", "nosniff"),
]

SHOWN = ("image/png", "image/jpeg", "image/gif", "image/webp", "text/plain", "text/csv")


class Guard:
    """Refuses foreign hosts and, unless it is writable, every request but for reading.

    Args:
        app: the dashboard.
        hosts: what the Host header may say, without port.
        allow_edits: whether requests that change a study pass, from the dashboard's own pages.
    """

    def __init__(
        self, app: Application, hosts: Iterable[str] = LOCAL, *, allow_edits: bool = False
    ) -> None:
        """Keep what is allowed."""
        self._app, self._hosts, self._writable = app, frozenset(hosts), allow_edits

    def __call__(self, environ: Environ, start_response: StartResponse) -> Iterable[bytes]:
        """Answer 403 to what is refused; hand the rest on, artifacts as mere data."""
        if refusal := self._refusal(environ):
            headers = [("Content-Type", "text/plain; charset=utf-8")]
            start_response("403 Forbidden", headers)
            return [refusal.encode()]
        artifact = environ.get("PATH_INFO", "").startswith("/artifacts/")
        mended = _harmless if artifact else _unframed
        return self._app(environ, lambda *answer: start_response(*mended(*answer)))

    def _refusal(self, environ: Environ) -> str:
        host = str(environ.get("HTTP_HOST", ""))
        found = re.fullmatch(r"([^:]*)(:\d+)?", host.lower())
        if found is None or found[1] not in self._hosts:
            return "This dashboard answers to 127.0.0.1 and localhost alone."
        if not str(environ.get("PATH_INFO", "")).isascii():
            return "This dashboard has no such page."  # it would drop the bytes, we would not
        if environ["REQUEST_METHOD"] in READING:
            return ""
        if not self._writable:
            return "This dashboard is read-only. Start it with --allow-edits to change a study."
        origin = environ.get("HTTP_ORIGIN")
        if origin != f"http://{host}":
            return "This dashboard is changed from its own pages alone."
        return ""


def _unframed(status: str, headers: list[tuple[str, str]], *more: Any) -> tuple[Any, ...]:
    return status, headers + ALWAYS, *more


def _harmless(status: str, headers: list[tuple[str, str]], *more: Any) -> tuple[Any, ...]:
    """Return an answer that no browser runs: known pictures and text are shown, the rest saved."""
    kept = [(n, v) for n, v in headers if n.lower() != "access-control-allow-origin"]
    kind = next((v for n, v in kept if n.lower() == "content-type"), "").split(";")[0].strip()
    kept += [*ALWAYS, ("Content-Security-Policy", "sandbox; default-src 'none'")]
    if kind not in SHOWN:
        kept = [(n, v) for n, v in kept if n.lower() not in ("content-type", "content-disposition")]
        kept += [
            ("Content-Type", "application/octet-stream"),
            ("Content-Disposition", "attachment"),
        ]
    return status, kept, *more
