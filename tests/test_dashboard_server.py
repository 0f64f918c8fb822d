"""What dashboard.py does: it serves a storage, exports a report, or prints a status."""

import json
import socket
import threading
import urllib.error
import urllib.request
import webbrowser
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from wsgiref.simple_server import WSGIServer

import made_studies
import pytest

from data.errors import InputError
from data.paths import REFERENCE_STUDY
from hpo.dashboard.server import (
    ThreadedServer,
    export_report,
    make_dashboard_server,
    print_status,
    serve_dashboard,
    serve_until_interrupt,
)
from hpo.study.storage import open_storage


@pytest.fixture(scope="module")
def url(tmp_path_factory: pytest.TempPathFactory) -> str:
    """A storage that holds one study."""
    address = f"sqlite:///{tmp_path_factory.mktemp('stored')}/study.db"
    made_studies.mixed("made", open_storage(address))
    return address


@pytest.fixture
def served(url: str, tmp_path: Path) -> Iterator[str]:
    server = make_dashboard_server(open_storage(url, create=False, read_only=True), 0, tmp_path)
    thread = threading.Thread(target=serve_until_interrupt, args=(server, None))
    thread.start()
    yield f"http://127.0.0.1:{server.server_port}"
    server.shutdown()
    thread.join()


def status_of(url: str, **request: Any) -> int:
    try:
        with urllib.request.urlopen(urllib.request.Request(url, **request)) as response:
            return int(response.status)
    except urllib.error.HTTPError as error:
        with error:
            return error.code


def test_the_dashboard_lists_the_studies_and_refuses_changes(served: str) -> None:
    with urllib.request.urlopen(f"{served}/api/studies") as response:
        studies = json.load(response)["study_summaries"]
    assert [study["study_name"] for study in studies] == ["made"]
    study = f"{served}/api/studies/{studies[0]['study_id']}"
    assert status_of(study) == 200
    assert status_of(study, headers={"Host": "evil.example"}) == 403
    assert status_of(study, method="DELETE", headers={"Origin": served}) == 403
    assert status_of(study) == 200


def test_a_port_in_use_is_refused(url: str, tmp_path: Path) -> None:
    storage = open_storage(url)
    with socket.socket() as other:
        other.bind(("127.0.0.1", 0))
        other.listen()
        with pytest.raises(InputError, match="--port"):
            make_dashboard_server(storage, other.getsockname()[1], tmp_path)


@pytest.mark.parametrize(
    ("name", "allow_edits", "page", "mode"),
    [
        ("made", False, "dashboard/studies/1", "read-only"),
        (None, True, "", "edits allowed"),
    ],
)
def test_the_address_is_printed_and_opened_in_a_browser(
    name: str | None,
    allow_edits: bool,
    page: str,
    mode: str,
    url: str,
    in_tmp: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    opened, is_open = [], threading.Event()

    def open_page(address: str) -> None:
        opened.append(address)
        is_open.set()

    def interrupt(server: WSGIServer) -> None:
        assert is_open.wait(10)
        raise KeyboardInterrupt

    monkeypatch.setattr(webbrowser, "open", open_page)
    monkeypatch.setattr(ThreadedServer, "serve_forever", interrupt)
    with pytest.raises(KeyboardInterrupt):
        serve_dashboard(url, name, 0, browser=True, allow_edits=allow_edits)
    printed = capsys.readouterr().out
    address = printed.split(" on ")[1].split(",")[0]
    assert opened == [address]
    assert address.endswith(f"/{page}")
    assert mode in printed


def test_a_study_that_does_not_exist_is_refused(url: str, in_tmp: Path) -> None:
    with pytest.raises(InputError, match="'other'"):
        print_status(url, "other")
    with pytest.raises(InputError, match="'other'"):
        export_report(url, "other", in_tmp / "report.html")
    with pytest.raises(InputError, match="'other'"):
        serve_dashboard(url, "other", 0, browser=False, allow_edits=False)


def test_a_report_is_exported(url: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = tmp_path / "report.html"
    export_report(url, None, path)
    assert str(path) in capsys.readouterr().out
    assert "<h1>Study made</h1>" in path.read_text()


def test_the_status_of_the_latest_study_is_printed(
    url: str, capsys: pytest.CaptureFixture[str]
) -> None:
    print_status(url, None)
    assert capsys.readouterr().out.startswith("study    made in sqlite:///")


@pytest.mark.skipif(not REFERENCE_STUDY.exists(), reason="needs the reference study")
def test_without_a_study_the_reference_study_is_shown(
    in_tmp: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    print_status("sqlite:///study.db", None)
    assert "Winner: trial 0 with 84.1%" in capsys.readouterr().out
