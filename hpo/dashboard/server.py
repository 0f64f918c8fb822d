"""The actions of dashboard.py: serve the live dashboard, export a report, or print the status.

The live dashboard is optuna-dashboard behind a :class:`~hpo.dashboard.guard.Guard`. It listens only
on this machine.
"""

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
from data.files import write_atomically
from data.text import hide_password, make_printable
from hpo.dashboard.guard import Guard
from hpo.dashboard.status import status_text
from hpo.report.html_page import write_page
from hpo.report.study.page import study_page
from hpo.search.configuration import settings_of_trial
from hpo.search.winner import choose_trial
from hpo.settings.config_text import format_config, study_sections
from hpo.study.open import artifact_folder, load_study, open_stored_study, storage_or_reference
from hpo.study.optuna_internals import study_id_of
from hpo.study.storage import open_storage, storage_errors

HOST = "127.0.0.1"


class ThreadedServer(ThreadingMixIn, WSGIServer):
    """A server with one thread per request, so that a slow plot does not delay other requests."""

    daemon_threads = True


class QuietHandler(WSGIRequestHandler):
    """A request handler without a log."""

    def log_message(self, format: str, *args: object) -> None:
        """Print nothing."""


def make_dashboard_server(
    storage: RDBStorage, port: int, artifacts: Path, *, allow_edits: bool = False
) -> WSGIServer:
    """Return a server of the dashboard that listens but does not answer yet.

    Args:
        storage: storage of the studies.
        port: port on 127.0.0.1; 0 chooses a free one.
        artifacts: folder with the images of the trials.
        allow_edits: whether the pages may change and delete studies.

    Raises:
        InputError: the port cannot be used.
    """
    store = FileSystemArtifactStore(artifacts)  # the first trial may create the folder later
    app = Guard(optuna_dashboard.wsgi(storage, artifact_store=store), allow_edits=allow_edits)
    try:
        return make_server(HOST, port, app, ThreadedServer, QuietHandler)
    except (OSError, OverflowError) as error:
        raise InputError(
            f"Port {port} of {HOST} cannot be used ({error}). Choose another --port."
        ) from error


def serve_until_interrupt(server: WSGIServer, url: str | None) -> None:
    """Serve until Ctrl-C; open ``url`` in a browser unless it is None."""
    if url:
        threading.Thread(target=webbrowser.open, args=(url,), daemon=True).start()
    with server:
        server.serve_forever()


def serve_dashboard(
    url: str, name: str | None, port: int, *, browser: bool, allow_edits: bool
) -> None:
    """Serve all studies of a storage until Ctrl-C.

    Args:
        url: database address.
        name: name of the study whose page is shown first, or None for the list of studies.
        port: port on 127.0.0.1; 0 chooses a free one.
        browser: whether a browser is opened.
        allow_edits: whether the pages may change and delete studies.

    Raises:
        InputError: the storage cannot be opened or does not contain the study, or the port cannot
            be used.
    """
    optuna.logging.set_verbosity(optuna.logging.ERROR)
    url = storage_or_reference(url, allow_edits=allow_edits)
    with (
        storage_errors(url),
        closing(open_storage(url, create=False, read_only=not allow_edits)) as storage,
    ):
        page = f"dashboard/studies/{study_id_of(load_study(storage, name)[0])}" if name else ""
        server = make_dashboard_server(storage, port, artifact_folder(url), allow_edits=allow_edits)
        mode = "edits allowed" if allow_edits else "read-only"
        address = f"http://{HOST}:{server.server_port}/{page}"
        print(f"{hide_password(url)} on {address}, {mode} (Ctrl-C to stop)", flush=True)
        serve_until_interrupt(server, address if browser else None)


def export_report(url: str, name: str | None, path: Path) -> None:
    """Write the report of a study as one HTML file.

    Args:
        url: database address.
        name: name of the study, or None for the one whose last trial started latest.
        path: file that is written.

    Raises:
        InputError: the study does not exist, or the file cannot be written.
    """
    url = storage_or_reference(url)
    with open_stored_study(url, name) as (storage, study, _):
        page = study_page(storage, study, url)
    write_page(path, page)
    print(f"wrote    {path}, {path.stat().st_size / 1e6:.1f} MB; it needs no other file")


def export_config(url: str, name: str | None, path: Path) -> None:
    """Write the settings of a study and the parameters of its winner as a settings file.

    Args:
        url: database address.
        name: name of the study, or None for the one whose last trial started latest.
        path: file that is written.

    Raises:
        InputError: the study does not exist or has no complete trial, or the file cannot be
            written.
    """
    with open_stored_study(storage_or_reference(url), name) as (_, study, settings):
        trial = choose_trial(study, None)
        text = format_config(study_sections(settings_of_trial(settings, trial), trial.params))
    heading = f"# Study '{make_printable(study.study_name)}', trial {trial.number}.\n"
    write_atomically(path, lambda temporary: temporary.write_text(heading + text))
    print(f"wrote    {path}, trial {trial.number} of study '{study.study_name}'")


def print_status(url: str, name: str | None) -> None:
    """Print the status of a study.

    Args:
        url: database address.
        name: name of the study, or None for the one whose last trial started latest.

    Raises:
        InputError: the study does not exist.
    """
    url = storage_or_reference(url)
    with open_stored_study(url, name) as (storage, study, _):
        print(status_text(storage, study, url))
