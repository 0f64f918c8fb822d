"""The actions of dashboard.py on several studies: list them, and compare them."""

from collections.abc import Iterator, Sequence
from contextlib import closing, contextmanager
from pathlib import Path

import optuna
from optuna.storages import RDBStorage
from optuna.study import Study

from data.errors import InputError
from data.text import hide_password, make_printable, text_table
from hpo.dashboard.activity import study_state
from hpo.report.html_page import write_page
from hpo.report.studies.frames import seed_groups, studies_frame
from hpo.report.studies.page import studies_page
from hpo.report.studies.text import (
    comparability_warnings,
    comparison_table,
    list_table,
    stored_identities,
)
from hpo.search.finalists import finalist_studies
from hpo.study.open import IDENTITY, load_study, storage_or_reference
from hpo.study.storage import open_storage, storage_errors


def print_studies(url: str) -> None:
    """Print a table of the studies that run_study.py created, the latest first.

    Args:
        url: database address.

    Raises:
        InputError: the storage cannot be opened.
    """
    with _opened(url) as (url, storage):
        summaries = optuna.get_all_study_summaries(storage, include_best_trial=False)
        names = [s.study_name for s in summaries if IDENTITY in s.user_attrs]
        if not names:
            print(f"{hide_password(url)} holds no study of run_study.py.")
            return
        studies = [optuna.load_study(study_name=name, storage=storage) for name in names]
        states = [study_state(storage, s, finalist_studies(storage, s)) for s in studies]
        frame = studies_frame(storage, studies).assign(state=states)
    frame = frame.sort_values("last", ascending=False, kind="stable", na_position="last")
    _print_table(list_table(frame))


def compare_studies(url: str, names: Sequence[str], path: Path | None) -> None:
    """Print a table that compares studies, and write it with a plot as one HTML file.

    Args:
        url: database address.
        names: names of two or more studies.
        path: file that is written, or None.

    Raises:
        InputError: fewer than two studies are named, one does not exist, or the file cannot be
            written.
    """
    names = list(dict.fromkeys(names))
    if len(names) < 2:
        raise InputError(
            f"--compare needs at least two different studies, but has only '{names[0]}'. "
            "Name another one; --list shows all of them."
        )
    with _opened(url) as (_, storage):
        studies: list[Study] = [load_study(storage, name)[0] for name in names]
        identities = stored_identities(studies)
        table = comparison_table(studies_frame(storage, studies), seed_groups(identities))
        page = studies_page(storage, studies) if path else None
    _print_table(table)
    for warning in comparability_warnings(identities):
        print(make_printable(f"warning  {warning}"))
    if path and page:
        write_page(path, page)
        print(f"wrote    {path}, {path.stat().st_size / 1e6:.1f} MB; it needs no other file")


@contextmanager
def _opened(url: str) -> Iterator[tuple[str, RDBStorage]]:
    """Open a storage, or the one of the reference study, to read it; yield its address, too."""
    url = storage_or_reference(url)
    with (
        storage_errors(url),
        closing(open_storage(url, create=False, read_only=True)) as storage,
    ):
        yield url, storage


def _print_table(rows: list[list[str]]) -> None:
    print(text_table([[make_printable(cell) for cell in row] for row in rows]))
