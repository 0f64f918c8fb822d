"""The guard lets a browser on this machine read, and refuses everything else."""

from collections.abc import Iterable
from functools import partial
from pathlib import Path
from typing import Any
from wsgiref.util import setup_testing_defaults

import made_studies
import optuna_dashboard
import pytest
from optuna.artifacts import FileSystemArtifactStore, upload_artifact

from hpo.dashboard.guard import Environ, Guard, StartResponse

FORBIDDEN = "403 Forbidden"


class FakeDashboard:
    """An application that counts requests and answers with one content type."""

    def __init__(self, content_type: str = "application/json") -> None:
        self.n_requests, self.content_type = 0, content_type

    def __call__(self, environ: Environ, start_response: StartResponse) -> Iterable[bytes]:
        self.n_requests += 1
        start_response(
            "200 OK", [("Content-Type", self.content_type), ("Access-Control-Allow-Origin", "*")]
        )
        return [b"content"]


def respond(
    app: FakeDashboard,
    method: str = "GET",
    path: str = "/",
    allow_edits: bool = False,
    **headers: str,
) -> tuple[str, dict[str, str]]:
    response: list[Any] = []
    environ = {"REQUEST_METHOD": method, "PATH_INFO": path, "HTTP_HOST": "127.0.0.1:8080"} | headers
    body = Guard(app, allow_edits=allow_edits)(environ, lambda *args: response.extend(args))
    assert b"".join(body)
    return response[0], dict(response[1])


@pytest.mark.parametrize("host", ["127.0.0.1:8080", "localhost:8080", "LOCALHOST:1", "localhost"])
def test_a_browser_on_this_machine_may_read(host: str) -> None:
    app = FakeDashboard()
    assert respond(app, HTTP_HOST=host)[0] == "200 OK"
    assert app.n_requests == 1


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
def test_a_request_to_another_host_is_refused(host: str) -> None:
    app = FakeDashboard()
    assert respond(app, HTTP_HOST=host)[0] == FORBIDDEN
    assert respond(app, "POST", allow_edits=True, HTTP_HOST=host)[0] == FORBIDDEN
    assert app.n_requests == 0


@pytest.mark.parametrize("method", ["POST", "PUT", "DELETE", "PATCH", "OPTIONS"])
def test_a_change_is_refused_unless_edits_are_allowed(method: str) -> None:
    app = FakeDashboard()
    own = "http://127.0.0.1:8080"
    assert respond(app, method, HTTP_ORIGIN=own)[0] == FORBIDDEN
    assert app.n_requests == 0
    assert respond(app, method, allow_edits=True, HTTP_ORIGIN=own)[0] == "200 OK"


@pytest.mark.parametrize("origin", ["http://evil.example", "null", "http://127.0.0.1:9999", ""])
def test_a_change_from_another_site_is_refused_even_if_edits_are_allowed(origin: str) -> None:
    app = FakeDashboard()
    delete = partial(respond, app, "DELETE", allow_edits=True)
    assert (delete(HTTP_ORIGIN=origin) if origin else delete())[0] == FORBIDDEN
    assert app.n_requests == 0


@pytest.mark.parametrize(
    ("content_type", "displayed"),
    [
        ("image/png", True),
        ("text/csv; charset=utf-8", True),
        ("text/html", False),
        ("image/svg+xml", False),
        ("application/xhtml+xml", False),
        ("text/html; charset=utf-8", False),
    ],
)
def test_no_artifact_is_executed(content_type: str, displayed: bool) -> None:
    _, headers = respond(FakeDashboard(content_type), path="/artifacts/1/2/abc")
    assert headers["Content-Security-Policy"] == "sandbox; default-src 'none'"
    assert headers["X-Content-Type-Options"] == "nosniff"
    assert "Access-Control-Allow-Origin" not in headers
    assert headers["Content-Type"] == (content_type if displayed else "application/octet-stream")
    assert ("Content-Disposition" in headers) is not displayed


def test_other_responses_only_get_security_headers() -> None:
    _, headers = respond(FakeDashboard("text/html"), path="/dashboard")
    assert headers["Content-Type"] == "text/html"
    assert headers["X-Frame-Options"] == "DENY"


@pytest.mark.parametrize("prefix", ["", "/", "\xff", "\xc3\xa4"])
def test_no_spelling_of_the_path_of_an_artifact_lets_it_be_executed(
    prefix: str, tmp_path: Path
) -> None:
    study = made_studies.mixed()
    store = FileSystemArtifactStore(tmp_path)
    (tmp_path / "x.html").write_text("<script>alert(1)</script>")
    name = upload_artifact(
        artifact_store=store, file_path=str(tmp_path / "x.html"), study_or_trial=study
    )
    app = Guard(optuna_dashboard.wsgi(study._storage, artifact_store=store))
    environ: Environ = {}
    setup_testing_defaults(environ)
    environ |= {"HTTP_HOST": "localhost", "PATH_INFO": f"/{prefix}artifacts/0/{name}"}
    response: list[Any] = []
    chunks = app(environ, lambda *args: response.extend(args))
    body = b"".join(chunks)
    getattr(chunks, "close", lambda: None)()  # as every WSGI server does
    assert b"alert" not in body or dict(response[1])["Content-Type"] == "application/octet-stream"
