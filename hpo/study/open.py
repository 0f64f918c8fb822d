"""Create, resume and load studies.

- :func:`open_study` creates a study, or resumes it if the stored identity equals the requested one.
- :func:`load_study` and :func:`open_stored_study` load a stored study, to display or refit it.
- :func:`storage_or_reference` falls back to the study that comes with the repository.
"""

import logging
import time
import uuid
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager, suppress
from datetime import datetime
from pathlib import Path
from typing import Any

import optuna
from optuna.exceptions import DuplicatedStudyError
from optuna.storages import RDBStorage
from optuna.study import Study, StudySummary

from data.errors import InputError
from data.image_folder import parse_dataset_name
from data.paths import ARTIFACTS, DEFAULT_STORAGE, REFERENCE_STUDY, VAR
from hpo.settings.study_settings import StudySettings
from hpo.space.distributions import search_space
from hpo.study.budget import FINISHED
from hpo.study.identity import identity_differences, settings_of, upgrade_identity
from hpo.study.plan import make_pruner
from hpo.study.sampler import make_sampler
from hpo.study.storage import open_storage, storage_errors

logger = logging.getLogger(__name__)

# User attributes of a study.
IDENTITY = "identity"  # from hpo.study.identity.study_identity
FOLDER = "folder"  # randomly chosen name of the folder that holds its files
N_EPISODES = "n_episodes"  # number of its validation episodes

CREATOR_POLLS, POLL_SECONDS = 20, 0.1
MAX_DIFFERENCES = 8  # differences that an error message lists


def open_study(
    storage: RDBStorage, name: str, settings: StudySettings, identity: dict[str, Any]
) -> Study:
    """Create a study, or resume it if it was created with the same identity.

    Args:
        storage: storage of the study.
        name: name of the study.
        settings: requested settings.
        identity: identity of the requested settings, from
            :func:`hpo.study.identity.study_identity`.

    Raises:
        InputError: the stored study has another identity; the message lists the differences.
    """
    space, size = settings.space, settings.image_size
    distributions, starts = search_space(space, size), space.starting_points(size)
    sampler = make_sampler(settings.sampler, settings.seed, distributions, starts, space.spreads)
    pruner = make_pruner(settings.pruner, settings.max_epochs)
    arguments: dict[str, Any] = {"storage": storage, "sampler": sampler, "pruner": pruner}
    try:
        study = optuna.create_study(study_name=name, directions=settings.directions, **arguments)
    except DuplicatedStudyError:
        study = optuna.load_study(study_name=name, **arguments)
        _wait_for_creator(study)
        _require_identity(study, identity)
    if IDENTITY not in study.user_attrs:  # a new study, or its creator was killed before this line
        if FOLDER not in study.user_attrs:
            study.set_user_attr(FOLDER, uuid.uuid4().hex)
        study.set_user_attr(IDENTITY, identity)
        _require_identity(study, identity)  # another process may have stored another identity
    return study


def _wait_for_creator(study: Study) -> None:
    """Wait until the process that has just created a study has stored its identity.

    If two processes stored it, the study would have two folders. The wait is limited, because the
    creator may have been killed.
    """
    for _ in range(CREATOR_POLLS):
        if IDENTITY in study.user_attrs or study.get_trials(deepcopy=False):
            return
        time.sleep(POLL_SECONDS)


def _require_identity(study: Study, identity: dict[str, Any]) -> None:
    """Raise InputError unless the stored study can be resumed with this identity."""
    stored = study.user_attrs.get(IDENTITY)
    if stored is None:
        direction = ", ".join(d.name.lower() for d in study.directions)
        is_new = not study.get_trials(deepcopy=False, states=FINISHED)
        if is_new and direction == identity.get("direction"):
            return  # its creator was killed, or has not stored the identity yet
        raise InputError(
            f"Study '{study.study_name}' was not created by run_study.py (direction: "
            f"{direction}). Choose another --study-name."
        )
    lines = identity_differences(upgrade_identity(stored), upgrade_identity(identity))
    # Other differences mostly follow from the settings: list them only if the settings are equal.
    if lines := [line for line in lines if line.startswith("settings.")] or lines:
        n_more = len(lines) - MAX_DIFFERENCES
        shown = "; ".join(lines[:MAX_DIFFERENCES]) + (f"; and {n_more} more" if n_more > 0 else "")
        raise InputError(
            f"Study '{study.study_name}' was created with different settings "
            f"(stored → requested): {shown}. Use the stored settings or another --study-name."
        )


@contextmanager
def open_stored_study(
    url: str, name: str | None, *, read_only: bool = True, folder: str | None = None
) -> Iterator[tuple[RDBStorage, Study, StudySettings]]:
    """Open a storage and load one of its studies; the ``with`` block closes the connections.

    Args:
        url: database address.
        name: name of the study, or None for the study whose last trial started latest.
        read_only: whether the caller only reads.
        folder: see :func:`load_study`.

    Yields:
        The storage, the study and its settings.

    Raises:
        InputError: the storage cannot be used, or holds no such study.
    """
    with (
        storage_errors(url),
        closing(open_storage(url, create=False, read_only=read_only)) as storage,
    ):
        yield storage, *load_study(storage, name, folder)


@contextmanager
def watch_study(study: Study) -> Iterator[Callable[[], None]]:
    """Yield a function that raises InputError if a study was deleted; an error calls it too."""
    folder = study.user_attrs[FOLDER]  # a new study may have the name and number of a deleted one

    def check() -> None:
        with suppress(KeyError):
            if study.user_attrs[FOLDER] == folder:
                return
        raise InputError(
            f"Study '{study.study_name}' must not be deleted while it runs, but was. Run the same "
            "command again to start a new one."
        )

    try:
        yield check
    except Exception:
        check()
        raise


def load_study(
    storage: RDBStorage, name: str | None, folder: str | None = None
) -> tuple[Study, StudySettings]:
    """Return a stored study and its settings.

    Args:
        storage: storage of the study.
        name: name of the study, or None for the study whose last trial started latest.
        folder: name of an image folder: if ``name`` is None, consider only studies of its images.

    Raises:
        InputError: there is no such study, or it was not created by ``run_study.py``.
    """
    summaries = [s for s in optuna.get_all_study_summaries(storage) if IDENTITY in s.user_attrs]
    stored = {summary.study_name: summary for summary in summaries}
    if name is not None:
        request, names = f"study '{name}'", [n for n in stored if n == name]
    else:
        request = f"study of the images in '{folder}'" if folder else "study"
        names = [n for n, s in stored.items() if not folder or _image_folder(s) == folder]
    if not names:
        raise InputError(
            f"The storage has no {request}; it has: {', '.join(stored) or 'none'}. "
            "Run run_study.py first, or choose another --study-name."
        )
    studies = [optuna.load_study(study_name=name, storage=storage) for name in names]
    study = max(studies, key=_last_start)
    return study, settings_of(study)


def _image_folder(summary: StudySummary) -> str | None:
    """Return the name of the image folder of a study; None for Omniglot and the glyphs."""
    image_folder = parse_dataset_name(summary.user_attrs[IDENTITY]["settings"]["data"])
    return image_folder.folder if image_folder else None


def _last_start(study: Study) -> datetime:
    """Return the latest start time of the trials of a study."""
    starts = [t.datetime_start for t in study.get_trials(deepcopy=False) if t.datetime_start]
    return max(starts, default=datetime.min)


def storage_or_reference(url: str, *, allow_edits: bool = False) -> str:
    """Return ``url``, or the reference study's address if the default file does not exist.

    Args:
        url: requested address.
        allow_edits: whether studies will be changed. The reference study is read-only.

    Raises:
        InputError: the reference study would be changed.
    """
    default = Path(DEFAULT_STORAGE.removeprefix("sqlite:///"))
    if url != DEFAULT_STORAGE or default.exists() or not REFERENCE_STUDY.exists():
        return url
    if allow_edits:
        raise InputError(
            f"{default} does not exist, and the reference study is read-only. "
            "Run run_study.py first, or give --storage."
        )
    text = "note     %s does not exist yet; this is the reference study, %s"
    logger.info(text, default, REFERENCE_STUDY)
    return f"sqlite:///{REFERENCE_STUDY}"


def artifact_folder(url: str) -> Path:
    """Return the folder that holds the images of the trials of a database."""
    is_reference = url == f"sqlite:///{REFERENCE_STUDY}"
    return (REFERENCE_STUDY.parent if is_reference else VAR) / ARTIFACTS
