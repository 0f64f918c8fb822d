"""A stored study, opened to be looked at."""

from collections.abc import Iterator
from contextlib import closing, contextmanager
from datetime import datetime

import optuna
from optuna.storages import RDBStorage
from optuna.study import Study, StudySummary

from data.errors import InputError
from data.tree import parse_dataset_name
from hpo.settings import StudySettings
from hpo.storage import open_storage, storage_errors
from hpo.study import IDENTITY


@contextmanager
def open_stored_study(
    url: str, name: str | None, *, reading: bool = True, folder: str | None = None
) -> Iterator[tuple[RDBStorage, Study, StudySettings]]:
    """Open a storage and load a study, by default the latest; the connections end with the block.

    Args:
        url: database address.
        name: of the study.
        reading: whether nothing will be changed.
        folder: without a name, the latest of the images of this folder; see :class:`Tree`.

    Raises:
        InputError: the storage cannot be used, or holds no such study.
    """
    with storage_errors(url), closing(open_storage(url, create=False, reading=reading)) as storage:
        yield storage, *load_study(storage, name, folder)


def _last_start(study: Study) -> datetime:
    """Return when the study's last trial was begun."""
    starts = [t.datetime_start for t in study.get_trials(deepcopy=False) if t.datetime_start]
    return max(starts, default=datetime.min)


def _folder(summary: StudySummary) -> str | None:
    """Return the name of the folder whose images a study is of, None for Omniglot."""
    tree = parse_dataset_name(summary.user_attrs[IDENTITY]["settings"]["data"])
    return tree.folder if tree else None


def load_study(
    storage: RDBStorage, name: str | None, folder: str | None = None
) -> tuple[Study, StudySettings]:
    """Return a stored study and its settings; without a name, the one that was last worked on.

    Args:
        storage: holds it.
        name: of the study.
        folder: see :func:`open_stored_study`.

    Raises:
        InputError: there is no such study, or it was not made by ``run_study.py``.
    """
    ours = [s for s in optuna.get_all_study_summaries(storage) if IDENTITY in s.user_attrs]
    if folder and not name:
        ours = [s for s in ours if _folder(s) == folder]
    names = [summary.study_name for summary in ours]
    if not names or (name is not None and name not in names):
        wanted = f"study '{name or '(any)'}'" + (f" of images in '{folder}'" if folder else "")
        raise InputError(
            f"The storage must hold {wanted}, but it holds "
            f"{', '.join(names) or 'none'}. Run run_study.py first, or name another --study-name."
        )
    studies = [optuna.load_study(study_name=n, storage=storage) for n in names if name in (None, n)]
    study = max(studies, key=_last_start)
    return study, StudySettings.from_dict(study.user_attrs[IDENTITY]["settings"])
