"""The guard lets this machine's browser read, and nobody else do anything."""

from collections.abc import Iterable
from functools import partial
from pathlib import Path
from typing import Any
from wsgiref.util import setup_testing_defaults

import made
import optuna_dashboard
import pytest
from optuna.artifacts import FileSystemArtifactStore, upload_artifact

from hpo.dashboard.guard import Environ, Guard, StartResponse

FORBIDDEN = "403 Forbidden"


class Asked:
    """An application that notes whether it was reached, and answers with one kind of content."""

    def __init__(self, kind: str = "application/json") -> None:
        self.reached, self.kind = 0, kind

    def __call__(self, environ: Environ, start_response: StartResponse) -> Iterable[bytes]:
        self.reached += 1
        start_response(
            "200 OK", [("Content-Type", self.kind), ("Access-Control-Allow-Origin", "*")]
        )
        return [b"content"]


def answer(
    app: Asked, method: str = "GET", path: str = "/", allow_edits: bool = False, **headers: str
) -> tuple[str, dict[str, str]]:
    found: list[Any] = []
    environ = {"REQUEST_METHOD": method, "PATH_INFO": path, "HTTP_HOST": "127.0.0.1:8080"} | headers
    body = Guard(app, allow_edits=allow_edits)(environ, lambda *given: found.extend(given))
    assert b"".join(body)
    return found[0], dict(found[1])


@pytest.mark.parametrize("host", ["127.0.0.1:8080", "localhost:8080", "LOCALHOST:1", "localhost"])
def test_this_machine_reads(host: str) -> None:
    app = Asked()
    assert answer(app, HTTP_HOST=host)[0] == "200 OK"
    assert app.reached == 1


@pytest.mark.parametrize(
    "host",
    [
        "evil.example",
        "evil.example:8080",
        "",
        "127.0.0.1.evil.example",
        "localhost.evil:80",
        "127.0.0.1:80@evil",
        "[::1]:8080",
    ],
)
def test_a_foreign_host_reaches_nothing(host: str) -> None:
    app = Asked()
    assert answer(app, HTTP_HOST=host)[0] == FORBIDDEN
    assert answer(app, "POST", allow_edits=True, HTTP_HOST=host)[0] == FORBIDDEN
    assert app.reached == 0


@pytest.mark.parametrize("method", ["POST", "PUT", "DELETE", "PATCH", "OPTIONS"])
def test_nothing_is_changed_unless_it_is_writable(method: str) -> None:
    app = Asked()
    own = "http://127.0.0.1:8080"
    assert answer(app, method, HTTP_ORIGIN=own)[0] == FORBIDDEN
    assert app.reached == 0
    assert answer(app, method, allow_edits=True, HTTP_ORIGIN=own)[0] == "200 OK"


@pytest.mark.parametrize("origin", ["http://evil.example", "null", "http://127.0.0.1:9999", ""])
def test_another_site_changes_nothing_even_where_it_is_writable(origin: str) -> None:
    app = Asked()
    asked = partial(answer, app, "DELETE", allow_edits=True)
    assert (asked(HTTP_ORIGIN=origin) if origin else asked())[0] == FORBIDDEN
    assert app.reached == 0


@pytest.mark.parametrize(
    ("kind", "shown"),
    [
        ("image/png", True),
        ("text/csv; charset=utf-8", True),
        ("text/html", False),
        ("image/svg+xml", False),
        ("application/xhtml+xml", False),
        ("text/html; charset=utf-8", False),
    ],
)
def test_artifacts_never_run(kind: str, shown: bool) -> None:
    _, headers = answer(Asked(kind), path="/artifacts/1/2/abc")
    assert headers["Content-Security-Policy"] == "sandbox; default-src 'none'"
    assert headers["X-Content-Type-Options"] == "nosniff"
    assert "Access-Control-Allow-Origin" not in headers
    assert headers["Content-Type"] == (kind if shown else "application/octet-stream")
    assert ("Content-Disposition" in headers) is not shown


def test_other_answers_stay_as_they_are_but_for_frames() -> None:
    _, headers = answer(Asked("text/html"), path="/dashboard")
    assert headers["Content-Type"] == "text/html"
    assert headers["X-Frame-Options"] == "DENY"


@pytest.mark.parametrize("prefix", ["", "/", "\xff", "\xc3\xa4"])
def test_no_spelling_of_an_artifact_s_address_makes_the_dashboard_run_it(
    prefix: str, tmp_path: Path
) -> None:
    study = made.mixed()
    store = FileSystemArtifactStore(tmp_path)
    (tmp_path / "x.html").write_text("<script>alert(1)</script>")
    name = upload_artifact(
        artifact_store=store, file_path=str(tmp_path / "x.html"), study_or_trial=study
    )
    app = Guard(optuna_dashboard.wsgi(study._storage, artifact_store=store))
    environ: Environ = {}
    setup_testing_defaults(environ)
    environ |= {"HTTP_HOST": "localhost", "PATH_INFO": f"/{prefix}artifacts/0/{name}"}
    found: list[Any] = []
    shown = app(environ, lambda *given: found.extend(given))
    body = b"".join(shown)
    getattr(shown, "close", lambda: None)()  # as every server does
    assert b"alert" not in body or dict(found[1])["Content-Type"] == "application/octet-stream"
