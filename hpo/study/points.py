"""Points to evaluate in a study, from settings files or from the best trials of another study."""

from collections.abc import Mapping, Sequence
from typing import Any

from optuna.study import Study

from hpo.settings.study_settings import StudySettings
from hpo.space.parameter import Parameter
from hpo.space.space import Point
from hpo.study.trials import RETRY_OF, best_trials

N_WARM_STARTS = 3  # best trials of another study that are evaluated first


def enqueue_points(study: Study, settings: StudySettings, points: Sequence[Point]) -> None:
    """Queue points as the next trials of a study, unless they are among its trials already.

    The starting points of a new study stay its first trials.

    Args:
        study: study that was opened with the settings.
        settings: settings of the study.
        points: values of searched parameters; missing ones have their defaults.

    Raises:
        InputError: a name is unknown, or a value is outside its range.
    """
    size = settings.image_size
    points = [settings.space.require_point(point, size, "point") for point in points]
    starts = settings.space.starting_points(size) if points else []
    n_sampled = sum(RETRY_OF not in t.user_attrs for t in study.get_trials(deepcopy=False))
    for point in [*starts[n_sampled:], *points]:
        study.enqueue_trial(point, skip_if_exists=True)


def warm_start_points(other: Study, theirs: StudySettings, settings: StudySettings) -> list[Point]:
    """Return the best points of another study, translated to the space of a study.

    A parameter that the other study does not search has its default. A value outside the range is
    moved to the nearest end; another choice is replaced by the default.

    Args:
        other: finished or running study.
        theirs: settings of the other study.
        settings: settings of the study that is started.
    """
    ratio = settings.image_size / theirs.image_size
    points: list[Point] = []
    for trial in best_trials(other, N_WARM_STARTS):
        point = _translate(trial.params, settings, ratio)
        if point not in points:
            points.append(point)
    return points


def _translate(params: Mapping[str, Any], settings: StudySettings, ratio: float) -> Point:
    """Return a point of the space of a study that is as close to the parameters as possible.

    Args:
        params: parameters of a trial of another study.
        settings: settings of the study.
        ratio: its image size divided by that of the other study.
    """
    size = settings.image_size
    return {
        name: _nearest(parameter, params[name], size, ratio)
        if name in params
        else parameter.start(size)
        for name, parameter in settings.space.searched.items()
    }


def _nearest(parameter: Parameter, value: Any, size: int, ratio: float) -> Any:
    """Return the value of a parameter that is nearest to another one."""
    if parameter.choices is not None or not isinstance(value, int | float):
        return value if parameter.contains(value, size) else parameter.start(size)
    return parameter.nearest(value * ratio if parameter.at_image_size else value, size)
