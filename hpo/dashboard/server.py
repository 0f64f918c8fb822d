"""The live dashboard: optuna-dashboard behind a guard, on this machine alone.

What dashboard.py does: serve, export, print."""

import threading
import webbrowser
from contextlib import closing
from pathlib import Path
from socketserver import ThreadingMixIn
from wsgiref.simple_server import WSGIRequestHandler, WSGIServer, make_server

import optuna
import optuna_dashboard
from optuna.artifacts import FileSystemArtifactStore
from optuna.storages import RDBStorage

from data.errors import InputError
from data.text import hide_password
from hpo.dashboard.guard import Guard
from hpo.dashboard.status import status_text
from hpo.report.html_page import write_page
from hpo.report.study.page import study_page
from hpo.study.open import artifact_folder, load_study, open_stored_study, storage_or_reference
from hpo.study.storage import open_storage, storage_errors

HOST = "127.0.0.1"


class Server(ThreadingMixIn, WSGIServer):
    """A server that answers several requests at once: one slow plot holds up no other."""

    daemon_threads = True


class QuietHandler(WSGIRequestHandler):
    """A handler that does not report every request."""

    def log_message(self, format: str, *args: object) -> None:
        """Say nothing."""


def make_dashboard_server(
    storage: RDBStorage, port: int, artifacts: Path, *, allow_edits: bool = False
) -> WSGIServer:
    """Return the dashboard's server, listening but not yet serving.

    Args:
        storage: of the studies.
        port: of 127.0.0.1; 0 takes a free one.
        artifacts: folder of the trials' pictures.
        allow_edits: whether the pages may change studies.

    Raises:
        InputError: the port cannot be used.
    """
    store = FileSystemArtifactStore(artifacts)  # the folder may come with the first trial's end
    app = Guard(optuna_dashboard.wsgi(storage, artifact_store=store), allow_edits=allow_edits)
    try:
        return make_server(HOST, port, app, Server, QuietHandler)
    except (OSError, OverflowError) as error:
        raise InputError(
            f"Port {port} of {HOST} cannot be used ({error}). Name another --port."
        ) from error


def serve_until_interrupt(server: WSGIServer, page: str | None) -> None:
    """Serve until Ctrl-C; open a page in a browser if one is named, and if there is a browser."""
    if page:
        threading.Thread(target=webbrowser.open, args=(page,), daemon=True).start()
    with server:
        server.serve_forever()


def serve_dashboard(
    url: str, name: str | None, port: int, *, browser: bool, allow_edits: bool
) -> None:
    """Serve all studies of a storage until Ctrl-C, beginning with the one that is named.

    Raises:
        InputError: the storage cannot be opened, holds no such study, or the port cannot be used.
    """
    optuna.logging.set_verbosity(optuna.logging.ERROR)
    url = storage_or_reference(url, allow_edits=allow_edits)
    with (
        storage_errors(url),
        closing(open_storage(url, create=False, reading=not allow_edits)) as storage,
    ):
        page = f"dashboard/studies/{load_study(storage, name)[0]._study_id}" if name else ""
        server = make_dashboard_server(storage, port, artifact_folder(url), allow_edits=allow_edits)
        kind = "may be changed here" if allow_edits else "read-only"
        address = f"http://{HOST}:{server.server_port}/{page}"
        print(f"{hide_password(url)} on {address}, {kind} (Ctrl-C ends)", flush=True)
        serve_until_interrupt(server, address if browser else None)


def export_report(url: str, name: str | None, path: Path) -> None:
    """Write a study's report, by default of the latest.

    Raises:
        InputError: there is no such study, or the file cannot be written.
    """
    url = storage_or_reference(url)
    with open_stored_study(url, name) as (storage, study, _):
        page = study_page(storage, study, url)
    write_page(path, page)
    print(f"wrote    {path}, {path.stat().st_size / 1e6:.1f} MB; it needs no other file")


def print_status(url: str, name: str | None) -> None:
    """Print how a study stands, by default the latest.

    Raises:
        InputError: there is no such study.
    """
    url = storage_or_reference(url)
    with open_stored_study(url, name) as (storage, study, _):
        print(status_text(storage, study, url))
