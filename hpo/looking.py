"""What dashboard.py does: serve, export, print."""

from contextlib import closing
from pathlib import Path

import optuna

from data.errors import hide_password
from data.load import VAR
from hpo.keeping import ARTIFACTS
from hpo.report import write
from hpo.serve import HOST, make_dashboard, serve
from hpo.status import status
from hpo.storage import open_storage
from hpo.stored import stored_study
from hpo.study_report import study_page


def look(url: str, port: int, *, browser: bool, writable: bool) -> None:
    """Serve all studies of a storage until Ctrl-C.

    Raises:
        InputError: the storage cannot be opened, or the port cannot be used.
    """
    optuna.logging.set_verbosity(optuna.logging.ERROR)
    with closing(open_storage(url, create=False)) as storage:
        server = make_dashboard(storage, port, VAR / ARTIFACTS, writable=writable)
        kind = "may be changed here" if writable else "read-only"
        address = f"http://{HOST}:{server.server_port}/"
        print(f"{hide_password(url)} on {address}, {kind} (Ctrl-C ends)", flush=True)
        serve(server, browser)


def export(url: str, name: str | None, path: Path) -> None:
    """Write a study's report, by default of the latest.

    Raises:
        InputError: there is no such study, or the file cannot be written.
    """
    with stored_study(url, name) as (storage, study, _):
        page = study_page(storage, study, url)
    write(path, page)
    print(f"wrote    {path}, {path.stat().st_size / 1e6:.1f} MB; it needs no other file")


def print_status(url: str, name: str | None) -> None:
    """Print how a study stands, by default the latest.

    Raises:
        InputError: there is no such study.
    """
    with stored_study(url, name) as (storage, study, _):
        print(status(storage, study, url))
