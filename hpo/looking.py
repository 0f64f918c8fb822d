"""What dashboard.py does: serve, export, print."""

from contextlib import closing
from pathlib import Path

import optuna

from data.errors import hide_password
from hpo.reference import artifact_folder, storage_or_reference
from hpo.report import write_page
from hpo.serve import HOST, make_dashboard_server, serve_until_interrupt
from hpo.status import status_text
from hpo.storage import open_storage, storage_errors
from hpo.stored import load_study, open_stored_study
from hpo.study_report import study_page


def serve_dashboard(url: str, name: str | None, port: int, *, browser: bool, writable: bool) -> None:
    """Serve all studies of a storage until Ctrl-C, beginning with the one that is named.

    Raises:
        InputError: the storage cannot be opened, holds no such study, or the port cannot be used.
    """
    optuna.logging.set_verbosity(optuna.logging.ERROR)
    url = storage_or_reference(url, writable=writable)
    with (
        storage_errors(url),
        closing(open_storage(url, create=False, reading=not writable)) as storage,
    ):
        page = f"dashboard/studies/{load_study(storage, name)[0]._study_id}" if name else ""
        server = make_dashboard_server(storage, port, artifact_folder(url), writable=writable)
        kind = "may be changed here" if writable else "read-only"
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
