"""Open, fill and count a study; refuse to resume it as something else.

A stored study, opened to be looked at.

The study that comes with the repository, for those who have not run one yet."""

import time
import uuid
from collections.abc import Iterator
from contextlib import closing, contextmanager
from datetime import datetime
from pathlib import Path
from typing import Any

import optuna
from optuna.exceptions import DuplicatedStudyError
from optuna.storages import RDBStorage
from optuna.study import Study, StudyDirection, StudySummary

from data.errors import InputError
from data.image_folder import parse_dataset_name
from data.paths import ARTIFACTS, DEFAULT_STORAGE, REFERENCE_STUDY, VAR
from hpo.space.configuration import starting_points
from hpo.space.ranges import GROUPS, search_space
from hpo.study.budget import FINISHED
from hpo.study.sampler import make_pruner, make_sampler
from hpo.study.settings import StudySettings, base_config, identity_differences
from hpo.study.storage import open_storage, storage_errors
from model.schema import upgrade

IDENTITY = "identity"
FOLDER = "folder"  # user attribute: name of the folder of the study's files

N_EPISODES = "n_episodes"  # of its validation

CREATOR_POLLS, POLL_SECONDS = 20, 0.1


def default_study_name(settings: StudySettings) -> str:
    """Return a study name that tells data, size, recipe and a part of the space apart."""
    searched = [] if settings.search == GROUPS else settings.search
    return "-".join([settings.data, str(settings.image_size), settings.recipe, *searched])


def open_study(
    storage: RDBStorage, name: str, settings: StudySettings, identity: dict[str, Any]
) -> Study:
    """Start a study, or open it again if it is the same one; its first trials are the anchors.

    Args:
        storage: where the study lives.
        name: of the study.
        settings: what was asked for.
        identity: of what was asked for, from :func:`hpo.study.settings.study_identity`.

    Raises:
        InputError: a study of this name has another identity; the message says what differs.
    """
    base = base_config(settings)
    space = search_space(settings.image_size, settings.search)
    first = starting_points(base, settings.search)
    sampler = make_sampler(settings.sampler, settings.seed, space, first)
    pruner = make_pruner(settings.pruner, settings.max_epochs)
    try:
        study = optuna.create_study(
            storage=storage, study_name=name, sampler=sampler, pruner=pruner, direction="maximize"
        )
    except DuplicatedStudyError:
        study = optuna.load_study(study_name=name, storage=storage, sampler=sampler, pruner=pruner)
        wait_for_creator(study)
        require_identity(study, identity)
    if IDENTITY not in study.user_attrs:  # new, or its maker was killed before this line
        if FOLDER not in study.user_attrs:
            study.set_user_attr(FOLDER, uuid.uuid4().hex)
        study.set_user_attr(IDENTITY, identity)
        require_identity(study, identity)  # another may have made it otherwise meanwhile
    return study


def wait_for_creator(study: Study) -> None:
    """Wait until another process that has just made a study has said what it is, or was killed.

    Two that say it would give the study two folders, and each its workers another one.
    """
    for _ in range(CREATOR_POLLS):
        if IDENTITY in study.user_attrs or study.get_trials(deepcopy=False):
            return
        time.sleep(POLL_SECONDS)


def require_identity(study: Study, identity: dict[str, Any]) -> None:
    """Raise unless a stored study may be resumed under this identity."""
    stored = study.user_attrs.get(IDENTITY)
    upwards = study.direction == StudyDirection.MAXIMIZE
    if stored is None and upwards and not study.get_trials(deepcopy=False, states=FINISHED):
        return  # its maker was killed, or has not yet written down what it is
    if stored is None:
        raise InputError(
            f"Study '{study.study_name}' was not made by run_study.py (direction: "
            f"{study.direction.name.lower()}). Name another --study-name."
        )
    lines = identity_differences(upgrade("identity", stored), upgrade("identity", identity))
    # What follows from the settings, as the space, is told only where they say nothing.
    if lines := [line for line in lines if line.startswith("settings.")] or lines:
        shown = "; ".join(lines[:8]) + (f"; and {len(lines) - 8} more" if len(lines) > 8 else "")
        raise InputError(
            f"Study '{study.study_name}' was made otherwise (stored → asked): {shown}. Give the "
            "flags that it was made with, or another --study-name."
        )


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


def storage_or_reference(url: str, *, allow_edits: bool = False) -> str:
    """Return the address of a database to look at: the reference's where there is no other.

    Args:
        url: what was asked for.
        allow_edits: whether it shall be changed, which the reference is not.

    Raises:
        InputError: the reference would be changed.
    """
    own = Path(DEFAULT_STORAGE.removeprefix("sqlite:///"))
    if url != DEFAULT_STORAGE or own.exists() or not REFERENCE_STUDY.exists():
        return url
    if allow_edits:
        raise InputError(f"{own} does not exist, and the reference study is read-only. Run one.")
    print(f"note     no {own} here yet: this is the reference study, {REFERENCE_STUDY}, read-only")
    return f"sqlite:///{REFERENCE_STUDY}"


def artifact_folder(url: str) -> Path:
    """Return the folder of the pictures of a database's trials."""
    return (
        REFERENCE_STUDY.parent / ARTIFACTS
        if url == f"sqlite:///{REFERENCE_STUDY}"
        else VAR / ARTIFACTS
    )
