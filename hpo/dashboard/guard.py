"""A WSGI guard in front of optuna-dashboard, which has no login.

Only a browser on this machine may use the dashboard. Pages of other sites must not read studies
through it (DNS rebinding) or change them (cross-site request forgery).
"""

import re
from collections.abc import Callable, Iterable
from typing import Any

Environ = dict[str, Any]
StartResponse = Callable[..., Any]
Application = Callable[[Environ, StartResponse], Iterable[bytes]]

SAFE_METHODS = ("GET", "HEAD")
LOCAL_HOSTS = ("127.0.0.1", "localhost")
# Forbid other sites to show our pages in a frame, and browsers to guess a content type.
SECURITY_HEADERS = [("X-Frame-Options", "DENY"), ("X-Content-Type-Options", "nosniff")]
DISPLAYED_TYPES = ("image/png", "image/jpeg", "image/gif", "image/webp", "text/plain", "text/csv")


class Guard:
    """A WSGI application that refuses requests for other hosts and, by default, all changes.

    Args:
        app: application behind the guard.
        hosts: allowed values of the Host header, without port.
        allow_edits: whether the dashboard's own pages may change studies.
    """

    def __init__(
        self, app: Application, hosts: Iterable[str] = LOCAL_HOSTS, *, allow_edits: bool = False
    ) -> None:
        """Store the application and the rules."""
        self._app, self._hosts, self._allow_edits = app, frozenset(hosts), allow_edits

    def __call__(self, environ: Environ, start_response: StartResponse) -> Iterable[bytes]:
        """Answer a refused request with status 403; pass any other request to the application.

        Artifacts are sent with headers that prevent a browser from executing them.
        """
        if refusal := self._refusal(environ):
            headers = [("Content-Type", "text/plain; charset=utf-8")]
            start_response("403 Forbidden", headers)
            return [refusal.encode()]
        is_artifact = environ.get("PATH_INFO", "").startswith("/artifacts/")
        secure = _without_execution if is_artifact else _with_security_headers
        return self._app(environ, lambda *response: start_response(*secure(*response)))

    def _refusal(self, environ: Environ) -> str:
        """Return why a request is refused; empty if it is allowed."""
        host = str(environ.get("HTTP_HOST", ""))
        match = re.fullmatch(r"([^:]*)(:\d+)?", host.lower())
        if match is None or match[1] not in self._hosts:
            return "This dashboard answers only requests to 127.0.0.1 and localhost."
        # optuna-dashboard drops non-ASCII bytes, so it could serve a different path from the one
        # checked here.
        if not str(environ.get("PATH_INFO", "")).isascii():
            return "This dashboard has no such page."
        if environ["REQUEST_METHOD"] in SAFE_METHODS:
            return ""
        if not self._allow_edits:
            return "This dashboard is read-only. Start it with --allow-edits to change a study."
        if environ.get("HTTP_ORIGIN") != f"http://{host}":
            return "This dashboard accepts changes only from its own pages."
        return ""


def _with_security_headers(
    status: str, headers: list[tuple[str, str]], *rest: Any
) -> tuple[Any, ...]:
    return status, headers + SECURITY_HEADERS, *rest


def _without_execution(status: str, headers: list[tuple[str, str]], *rest: Any) -> tuple[Any, ...]:
    """Return a response that no browser executes; all but images and plain text are downloads."""
    content_type = next((v for name, v in headers if name.lower() == "content-type"), "")
    removed = {"access-control-allow-origin"}
    added = [*SECURITY_HEADERS, ("Content-Security-Policy", "sandbox; default-src 'none'")]
    if content_type.split(";")[0].strip() not in DISPLAYED_TYPES:
        removed |= {"content-type", "content-disposition"}
        added += [
            ("Content-Type", "application/octet-stream"),
            ("Content-Disposition", "attachment"),
        ]
    remaining = [(name, value) for name, value in headers if name.lower() not in removed]
    return status, remaining + added, *rest
