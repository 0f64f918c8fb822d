"""The live dashboard: optuna-dashboard behind a guard, on this machine alone."""

import threading
import webbrowser
from pathlib import Path
from socketserver import ThreadingMixIn
from wsgiref.simple_server import WSGIRequestHandler, WSGIServer, make_server

import optuna_dashboard
from optuna.artifacts import FileSystemArtifactStore
from optuna.storages import RDBStorage

from data.errors import InputError
from hpo.guard import Guard

HOST = "127.0.0.1"


class Server(ThreadingMixIn, WSGIServer):
    """A server that answers several requests at once: one slow plot holds up no other."""

    daemon_threads = True


class QuietHandler(WSGIRequestHandler):
    """A handler that does not report every request."""

    def log_message(self, format: str, *args: object) -> None:
        """Say nothing."""


def make_dashboard_server(
    storage: RDBStorage, port: int, artifacts: Path, *, writable: bool = False
) -> WSGIServer:
    """Return the dashboard's server, listening but not yet serving.

    Args:
        storage: of the studies.
        port: of 127.0.0.1; 0 takes a free one.
        artifacts: folder of the trials' pictures.
        writable: whether the pages may change studies.

    Raises:
        InputError: the port cannot be used.
    """
    store = FileSystemArtifactStore(artifacts)  # the folder may come with the first trial's end
    app = Guard(optuna_dashboard.wsgi(storage, artifact_store=store), writable=writable)
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
