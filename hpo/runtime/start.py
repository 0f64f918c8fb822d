"""Adds the first trials of a study: points to evaluate, and trials of a previous generation."""

import logging
from collections.abc import Sequence
from contextlib import closing
from dataclasses import dataclass, replace

import optuna
from optuna.storages import RDBStorage
from optuna.study import Study

from data.errors import InputError
from hpo.settings.study_settings import StudyConfig
from hpo.space.space import Point
from hpo.study.budget import count_finished
from hpo.study.generations import copy_trials, next_generation, require_same_settings
from hpo.study.open import load_study
from hpo.study.points import enqueue_points, warm_start_points
from hpo.study.storage import open_storage

logger = logging.getLogger(__name__)


@dataclass(frozen=True)
class StudyStart:
    """What a study begins with, besides its starting points.

    Args:
        points: further points that are evaluated next; see :mod:`hpo.study.points`.
        warm_start: name of another study, whose best points are evaluated next; or None.
        widen: whether a stored study with another space is continued as a new generation; see
            :mod:`hpo.study.generations`.
    """

    points: Sequence[Point] = ()
    warm_start: str | None = None
    widen: bool = False


def choose_generation(run: StudyConfig) -> tuple[StudyConfig, str | None]:
    """Return a run of the generation that has its space, and the one to copy trials from.

    A new generation has the step costs and the length of fits of the previous one.

    Raises:
        InputError: the study has no name.
    """
    if run.study_name is None:
        raise InputError(
            "--widen needs the name of the study that is continued. Add --study-name; "
            "dashboard.py --list prints the names."
        )
    with closing(open_storage(run.storage)) as storage:
        name, previous = next_generation(storage, run.name, run.settings)
        run = replace(run, study_name=name)
        latest = previous or name
        if latest not in optuna.get_all_study_names(storage):
            return run, None
        stored = load_study(storage, latest)[1]
        run = replace(run, max_epochs=run.max_epochs or stored.max_epochs)
        require_same_settings(latest, stored, run.settings)
        return replace(run, step_cost=run.step_cost or stored.cost), previous


def begin_study(
    run: StudyConfig, storage: RDBStorage, study: Study, start: StudyStart, previous: str | None
) -> None:
    """Copy the trials of the previous generation, and queue the points of a start."""
    if previous is not None:
        old = optuna.load_study(study_name=previous, storage=storage)
        n_copied, n = copy_trials(old, study, run.settings), count_finished(old)
        logger.info(
            "widened  %s of %s trials of '%s' fit into '%s'", n_copied, n, previous, run.name
        )
    points = list(start.points)
    if start.warm_start is not None:
        other, theirs = load_study(storage, start.warm_start)
        points += warm_start_points(other, theirs, run.settings)
    enqueue_points(study, run.settings, points)
