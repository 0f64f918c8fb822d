"""Open, fill and count a study; refuse to resume it as something else."""

import time
import uuid
from typing import Any

import optuna
from optuna.exceptions import DuplicatedStudyError
from optuna.storages import RDBStorage
from optuna.study import Study, StudyDirection

from data.errors import InputError
from hpo.budget import FINISHED
from hpo.keeping import FOLDER
from hpo.sampler import make_pruner, make_sampler
from hpo.settings import StudySettings, base_config, identity_differences
from hpo.space import GROUPS, starting_points, search_space

IDENTITY = "identity"
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
        identity: of what was asked for, from :func:`hpo.settings.study_identity`.

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
    lines = identity_differences(stored, identity)
    # What follows from the settings, as the space, is told only where they say nothing.
    if lines := [line for line in lines if line.startswith("settings.")] or lines:
        shown = "; ".join(lines[:8]) + (f"; and {len(lines) - 8} more" if len(lines) > 8 else "")
        raise InputError(
            f"Study '{study.study_name}' was made otherwise (stored → asked): {shown}. Give the "
            "flags that it was made with, or another --study-name."
        )
