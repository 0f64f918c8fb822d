"""Open, fill and count a study; refuse to resume it as something else."""

import warnings
from typing import Any

import optuna
from optuna.exceptions import DuplicatedStudyError, ExperimentalWarning
from optuna.storages import RDBStorage
from optuna.study import Study, StudyDirection
from optuna.trial import TrialState

from data.errors import InputError
from hpo.owner import retried
from hpo.sampler import make_pruner, make_sampler
from hpo.settings import StudySettings, base_config, differences
from hpo.space import anchors

IDENTITY = "identity"


def default_name(settings: StudySettings) -> str:
    """Return a study name that tells data, size and recipe apart."""
    return f"{settings.data}-{settings.image_size}-{settings.recipe}"


def open_study(
    storage: RDBStorage, name: str, settings: StudySettings, identity: dict[str, Any]
) -> Study:
    """Start a study, or open it again if it is the same one; anchors are queued once.

    Args:
        storage: where the study lives.
        name: of the study.
        settings: what was asked for.
        identity: of what was asked for, from :func:`hpo.settings.identity`.

    Raises:
        InputError: a study of this name has another identity; the message says what differs.
    """
    sampler = make_sampler(settings.sampler, settings.seed)
    pruner = make_pruner(settings.pruner, settings.max_epochs)
    try:
        study = optuna.create_study(
            storage=storage, study_name=name, sampler=sampler, pruner=pruner, direction="maximize"
        )
    except DuplicatedStudyError:
        study = optuna.load_study(study_name=name, storage=storage, sampler=sampler, pruner=pruner)
        check_identity(study, identity)
    if IDENTITY not in study.user_attrs:  # new, or its maker was killed before this line
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", ExperimentalWarning)
            for params in anchors(base_config(settings), settings.search):
                study.enqueue_trial(params, skip_if_exists=True)
        study.set_user_attr(IDENTITY, identity)
    return study


def check_identity(study: Study, identity: dict[str, Any]) -> None:
    """Raise unless a stored study may be resumed under this identity."""
    stored = study.user_attrs.get(IDENTITY)
    upwards = study.direction == StudyDirection.MAXIMIZE
    if stored is None and upwards and not study.get_trials(deepcopy=False, states=_ENDED):
        return  # its maker was killed, or has not yet written down what it is
    if stored is None:
        raise InputError(
            f"Study '{study.study_name}' was not made by run_study.py (direction: "
            f"{study.direction.name.lower()}). Name another --study-name."
        )
    if lines := differences(stored, identity):
        shown = "; ".join(lines[:8]) + (f"; and {len(lines) - 8} more" if len(lines) > 8 else "")
        raise InputError(
            f"Study '{study.study_name}' was made otherwise (stored → asked): {shown}. Give the "
            "flags that it was made with, or another --study-name."
        )


_ENDED = (TrialState.COMPLETE, TrialState.PRUNED, TrialState.FAIL)


def count_ended(study: Study) -> int:
    """Return how many trials have ended, those put back into the queue not counted."""
    return len(study.get_trials(deepcopy=False, states=_ENDED)) - len(retried(study))


def count_taken(study: Study) -> int:
    """Return how many trials have ended or are running."""
    running = study.get_trials(deepcopy=False, states=(TrialState.RUNNING,))
    return count_ended(study) + len(running)


def load_study(storage: RDBStorage, name: str | None) -> tuple[Study, StudySettings]:
    """Return a stored study and its settings; without a name, the only or the latest one.

    Raises:
        InputError: there is no such study, or it was not made by ``run_study.py``.
    """
    summaries = optuna.get_all_study_summaries(storage)
    names = [summary.study_name for summary in summaries]
    if not names or (name is not None and name not in names):
        raise InputError(
            f"The storage must hold study '{name or '(any)'}', but it holds "
            f"{', '.join(names) or 'none'}. Run run_study.py first, or name another --study-name."
        )
    if name is None:
        latest = max(summaries, key=lambda s: (s.datetime_start is not None, s.datetime_start))
        name = latest.study_name
    study = optuna.load_study(study_name=name, storage=storage)
    if IDENTITY not in study.user_attrs:
        raise InputError(f"Study '{name}' was not made by run_study.py. Name another --study-name.")
    return study, StudySettings.from_dict(study.user_attrs[IDENTITY]["settings"])
