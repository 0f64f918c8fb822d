"""Generations of a study: the same study with another space, and with the trials that still fit.

Optuna samples a parameter jointly with the others only if all trials of a study have the same range
of it. A range is therefore widened in a new study, the next generation, into which the trials of
the previous one are copied.
"""

from collections.abc import Iterator
from typing import Any

import optuna
from optuna.storages import RDBStorage
from optuna.study import Study
from optuna.trial import FixedTrial, FrozenTrial, TrialState, create_trial

from data.errors import InputError
from hpo.settings.base_config import base_config
from hpo.settings.study_settings import StudySettings
from hpo.space.configuration import build_config
from hpo.space.distributions import search_space, suggest_config
from hpo.space.space import Point
from hpo.study.identity import (
    identity_differences,
    settings_of,
    settings_to_dict,
    upgrade_identity,
)
from hpo.study.open import IDENTITY
from hpo.study.optuna_internals import rung_attributes
from hpo.study.trials import CRASHED, RETRY_OF, position_in_study
from model.config import Config

COPY_OF = "copy_of"  # user attribute of a trial: its number in the previous generation
COPIED = "copied"  # user attribute of a study: True after all trials were copied
SPACE_FIELDS = ("space.", "settings.space.")  # what may differ between generations
COPIED_STATES = (TrialState.COMPLETE, TrialState.PRUNED)


def generation_names(storage: RDBStorage, name: str) -> list[str]:
    """Return the names of the stored generations of a study: ``name``, ``name-2`` and so on."""
    stored = set(optuna.get_all_study_names(storage))
    names = [name] if name in stored else []
    while names and (following := f"{name}-{len(names) + 1}") in stored:
        names.append(following)
    return names


def next_generation(
    storage: RDBStorage, name: str, settings: StudySettings
) -> tuple[str, str | None]:
    """Return the name of the generation with the given space, and that of the one to copy from.

    Args:
        storage: storage of the studies.
        name: name of the first generation.
        settings: settings with the new space.

    Returns:
        The second name is None if the study does not exist yet, or if its latest generation has
        this space and is complete.

    Raises:
        InputError: a stored study of that name was not created by ``run_study.py``.
    """
    names = generation_names(storage, name)
    if not names:
        return name, None
    latest = optuna.load_study(study_name=names[-1], storage=storage)
    if IDENTITY not in latest.user_attrs:
        raise InputError(
            f"Study '{names[-1]}' was not created by run_study.py. Choose another --study-name."
        )
    stored = settings_of(latest)
    if stored.space != settings.space:
        return f"{name}-{len(names) + 1}", names[-1]
    is_copied = len(names) == 1 or latest.user_attrs.get(COPIED)
    return names[-1], None if is_copied else names[-2]


def copy_trials(previous: Study, study: Study, settings: StudySettings) -> int:
    """Copy the trials that fit into the new space, unless this was done; return their number.

    If the default of the new space is not the first of them, it is queued before them.

    A trial fits if the new space contains a point that gives the same configuration.

    Args:
        previous: previous generation.
        study: new generation, which has an identity.
        settings: settings of the new generation.

    Raises:
        InputError: the generations differ in more than their spaces.
    """
    _require_same_study(previous, study)
    done = {trial.user_attrs.get(COPY_OF) for trial in study.get_trials(deepcopy=False)}
    fitting = list(fitting_trials(previous, settings))
    default = settings.space.starting_points(settings.image_size)[0]
    if not done and (not fitting or fitting[0][1] != default):
        study.enqueue_trial(default)  # the first trial of a study is its default
    for trial, params in fitting:
        if trial.number not in done:
            study.add_trial(_copy(trial, params, settings))
    study.set_user_attr(COPIED, True)
    return len(fitting)


def fitting_trials(previous: Study, settings: StudySettings) -> Iterator[tuple[FrozenTrial, Point]]:
    """Yield each finished trial that fits into a space, and its parameters there.

    A retry has the place of the trial that it continues.
    """
    stored = settings_of(previous)
    old_base, base = base_config(stored), base_config(settings)
    trials = previous.get_trials(deepcopy=False)
    finished = [trial for trial in trials if trial.state in COPIED_STATES]
    for trial in sorted(finished, key=lambda trial: position_in_study(trials, trial.number)):
        config = suggest_config(FixedTrial(trial.params), old_base, stored.space)
        params = _params_of(config, trial.params, base, settings)
        if params is not None:
            yield trial, params


def _params_of(
    config: Config, params: dict[str, Any], base: Config, settings: StudySettings
) -> Point | None:
    """Return the parameters of a configuration in the space of a study, or None."""
    size = settings.image_size
    point = {
        name: params[name] if name in params else parameter.start(size)
        for name, parameter in settings.space.searched.items()
    }
    searched = settings.space.searched.items()
    if not all(parameter.contains(point[name], size) for name, parameter in searched):
        return None
    return point if build_config(base, settings.space.resolve(point)) == config else None


def _copy(trial: FrozenTrial, params: Point, settings: StudySettings) -> FrozenTrial:
    """Return a trial with other ranges, and with the same results and times."""
    attributes = {n: v for n, v in trial.user_attrs.items() if n not in (RETRY_OF, CRASHED)}
    copy = create_trial(
        state=trial.state,
        values=trial.values,
        params=params,
        distributions=search_space(settings.space, settings.image_size),
        user_attrs=attributes | {COPY_OF: trial.number},
        system_attrs=rung_attributes(trial),
        intermediate_values=trial.intermediate_values,
    )
    copy.datetime_start, copy.datetime_complete = trial.datetime_start, trial.datetime_complete
    return copy


def require_same_settings(name: str, stored: StudySettings, settings: StudySettings) -> None:
    """Raise InputError, before anything is stored, if settings differ in more than the space.

    Args:
        name: name of the stored study.
        stored: its settings.
        settings: settings of its next generation.
    """
    old, new = ({"settings": settings_to_dict(each)} for each in (stored, settings))
    _require_only_space(name, old, new)


def _require_same_study(previous: Study, study: Study) -> None:
    """Raise InputError if two generations differ in more than their spaces."""
    old, new = (upgrade_identity(s.user_attrs[IDENTITY]) for s in (previous, study))
    _require_only_space(previous.study_name, old, new)


def _require_only_space(name: str, old: dict[str, Any], new: dict[str, Any]) -> None:
    lines = identity_differences(old, new)
    if others := [line for line in lines if not line.startswith(SPACE_FIELDS)]:
        raise InputError(
            f"--widen may change only the space of study '{name}', but also changes {others[0]}. "
            "Use the stored settings, or leave out --widen."
        )
