"""Points that a study evaluates first, and generations with wider ranges."""

from dataclasses import replace
from pathlib import Path
from typing import Any

import optuna
import pytest
from optuna.trial import TrialState, create_trial
from tiny import TINY, TINY_20, identity_of, part_of_paper, url

from data.errors import InputError
from data.splits import Split
from hpo.settings.study_settings import StudySettings
from hpo.space.distributions import search_space
from hpo.space.files import parse_space
from hpo.space.space import Space
from hpo.study.budget import count_finished
from hpo.study.generations import COPIED, COPY_OF, copy_trials, generation_names, next_generation
from hpo.study.open import open_study
from hpo.study.optuna_internals import enqueued_params
from hpo.study.points import enqueue_points, warm_start_points
from hpo.study.storage import Storage, open_storage
from hpo.study.trials import CRASHED, RETRY_OF, default_trial

POINT = {f"{layer}.lr": 0.02 for layer in ("conv1", "conv2", "conv3", "conv4", "fc1", "head")}
POINT |= {"fc1.units": 512}


@pytest.fixture
def storage(tmp_path: Path) -> Storage:
    return open_storage(url(tmp_path))


def opened(
    storage: Storage, parts: Split, settings: StudySettings = TINY, name: str = "s"
) -> optuna.Study:
    return open_study(storage, name, settings, identity_of(settings, parts))


def params_of_next(study: optuna.Study, settings: StudySettings) -> dict[str, Any]:
    """Ask for the next trial and return its parameters."""
    trial = study.ask(search_space(settings.space, settings.image_size))
    study.tell(trial, 0.5)
    return trial.params


def with_units(high: int, default: int = 4096) -> Space:
    """The space of TINY with another range of the units."""
    content = TINY.space.to_dict()
    content["fc1.units"] |= {"high": high, "default": default}
    return parse_space(content, "wide", "test")


def test_enqueued_points_follow_the_starting_points(storage: Storage, parts: Split) -> None:
    study = opened(storage, parts)
    enqueue_points(study, TINY, [POINT])
    enqueue_points(study, TINY, [POINT])  # a repeated command queues nothing twice
    starts = TINY.space.starting_points(TINY.image_size)
    assert [params_of_next(study, TINY) for _ in range(3)] == [*starts, POINT]
    assert params_of_next(study, TINY) != POINT
    assert len(study.trials) == 4


def test_a_point_of_a_running_study_is_next(storage: Storage, parts: Split) -> None:
    study = opened(storage, parts)
    for _ in range(3):
        params_of_next(study, TINY)
    enqueue_points(study, TINY, [POINT])
    assert params_of_next(study, TINY) == POINT


def test_a_retry_takes_the_place_of_no_starting_point(storage: Storage, parts: Split) -> None:
    space = part_of_paper("units")  # with two starting points
    settings = replace(TINY, space=space)
    study = opened(storage, parts, settings)
    study.enqueue_trial({})
    study.tell(study.ask(), state=TrialState.FAIL)
    starts = space.starting_points(settings.image_size)
    study.enqueue_trial(starts[0], user_attrs={RETRY_OF: 0})
    enqueue_points(study, settings, [{"fc1.units": 256}])
    assert [params_of_next(study, settings) for _ in range(3)] == [*starts, {"fc1.units": 256}]


def test_a_warm_start_takes_the_best_points_of_another_space(
    storage: Storage, parts: Split
) -> None:
    other = opened(storage, parts)
    for value, units in ((0.3, 256), (0.9, 4096), (0.8, 1024), (0.7, 130 - 2), (0.1, 2048)):
        distributions = search_space(TINY.space, 35)
        params = POINT | {"fc1.units": units}
        other.add_trial(create_trial(value=value, params=params, distributions=distributions))
    narrow = parse_space(
        {
            "fc1.units": {"low": 256, "high": 1024, "step": 256},
            "conv1.lr": {"low": 0.03, "high": 0.1},
            "fit.ema": {"choices": [0.9, 0.0]},
        },
        "narrow",
        "test",
    )
    points = warm_start_points(other, TINY, replace(TINY, space=narrow))
    assert [point["fc1.units"] for point in points] == [1024, 256], "clipped, equal ones once"
    assert {point["conv1.lr"] for point in points} == {0.03}
    assert {point["fit.ema"] for point in points} == {0.9}


def test_a_warm_start_scales_kernels_with_the_image(storage: Storage, parts: Split) -> None:
    kernels = part_of_paper("kernel")
    theirs = replace(TINY, space=kernels, image_size=105)
    other = optuna.create_study(direction="maximize")
    params = {"conv1.kernel": 12, "conv2.kernel": 6, "conv3.kernel": 3, "conv4.kernel": 3}
    distributions = search_space(kernels, 105)
    other.add_trial(create_trial(value=0.5, params=params, distributions=distributions))
    [point] = warm_start_points(other, theirs, replace(TINY, space=kernels))
    assert point == {"conv1.kernel": 4, "conv2.kernel": 2, "conv3.kernel": 2, "conv4.kernel": 2}


def widened(storage: Storage, parts: Split, space: Space) -> tuple[optuna.Study, StudySettings]:
    """The next generation of the study ``s``, with its trials."""
    settings = replace(TINY, space=space)
    name, previous = next_generation(storage, "s", settings)
    study = opened(storage, parts, settings, name)
    if previous is not None:
        copy_trials(optuna.load_study(study_name=previous, storage=storage), study, settings)
    return study, settings


def test_a_wider_range_is_a_new_generation_with_the_trials_that_fit(
    storage: Storage, parts: Split
) -> None:
    study = opened(storage, parts)
    for value, units in ((0.4, 128), (0.6, 2048), (0.5, 4096)):
        params = POINT | {"fc1.units": units}
        distributions = search_space(TINY.space, 35)
        new = create_trial(
            value=value,
            params=params,
            distributions=distributions,
            intermediate_values={1: value},
            system_attrs={"completed_rung_0": value, "fixed_params": params},
            user_attrs={"seconds": 1.0},
        )
        study.add_trial(new)
    study.add_trial(create_trial(state=TrialState.FAIL))
    wide, settings = widened(storage, parts, with_units(8192))
    assert wide.study_name == "s-2"
    default, *copies = wide.trials
    assert enqueued_params(default) == settings.space.starting_points(35)[0], "its first trial"
    assert [t.user_attrs[COPY_OF] for t in copies] == [0, 1, 2]
    assert [t.values for t in copies] == [[0.4], [0.6], [0.5]]
    assert copies[1].intermediate_values == {1: 0.6}
    assert copies[1].system_attrs == {"completed_rung_0": 0.6}, "of successive halving"
    narrow, _ = widened(storage, parts, with_units(2048, 2048))
    assert narrow.study_name == "s-3"
    assert [t.params["fc1.units"] for t in narrow.trials[1:]] == [128, 2048]
    assert generation_names(storage, "s") == ["s", "s-2", "s-3"]
    assert settings.space != TINY.space


def test_a_retry_is_copied_in_the_place_of_its_original(storage: Storage, parts: Split) -> None:
    study = opened(storage, parts)
    distributions = search_space(TINY.space, 35)
    study.add_trial(create_trial(state=TrialState.FAIL))
    start = TINY.space.starting_points(35)[0]
    for params, attributes in ((POINT, {}), (start, {RETRY_OF: 0, CRASHED: 1})):
        study.add_trial(
            create_trial(
                value=0.5, params=params, distributions=distributions, user_attrs=attributes
            )
        )
    wide, _ = widened(storage, parts, with_units(8192))
    assert [trial.params for trial in wide.trials] == [start, POINT]
    default = default_trial(wide)
    assert default is not None
    assert default.number == 0
    assert count_finished(wide) == 2


def test_after_widening_all_parameters_are_sampled_jointly(storage: Storage, parts: Split) -> None:
    """Optuna samples a parameter alone if the trials of a study have several ranges of it."""
    study = opened(storage, parts)
    for i in range(12):
        params = POINT | {"fc1.units": 128 + 16 * i}
        distributions = search_space(TINY.space, 35)
        study.add_trial(create_trial(value=i / 20, params=params, distributions=distributions))
    wide_space = with_units(8192)
    mixed_trial = create_trial(value=0.9, params=POINT, distributions=search_space(wide_space, 35))
    wide, settings = widened(storage, parts, wide_space)
    study.add_trial(mixed_trial)
    spaces = []
    for each in (study, wide):
        tpe = optuna.samplers.TPESampler(multivariate=True, seed=0)
        spaces.append(set(tpe.infer_relative_search_space(each, each.trials[-1])))
    assert "fc1.units" not in spaces[0]
    assert spaces[1] == set(settings.space.searched)


def test_a_killed_widening_is_completed(storage: Storage, parts: Split) -> None:
    study = opened(storage, parts)
    for units in (128, 256):
        params, distributions = POINT | {"fc1.units": units}, search_space(TINY.space, 35)
        study.add_trial(create_trial(value=0.5, params=params, distributions=distributions))
    settings = replace(TINY, space=with_units(8192))
    new = opened(storage, parts, settings, "s-2")
    copies = list(copied_by_another(study, new, settings))
    assert len(copies) == 2, "the default is queued before the copy"
    assert next_generation(storage, "s", settings) == ("s-2", "s")
    assert copy_trials(study, new, settings) == 2
    assert len(new.trials) == 3
    assert new.user_attrs[COPIED]
    assert next_generation(storage, "s", settings) == ("s-2", None)


def copied_by_another(
    study: optuna.Study, new: optuna.Study, settings: StudySettings
) -> list[optuna.trial.FrozenTrial]:
    """Copy the first trial only, as a process would that was killed then."""
    first = optuna.create_study(direction="maximize")
    first.set_user_attr("identity", study.user_attrs["identity"])
    first.add_trial(study.trials[0])
    copy_trials(first, new, settings)
    new.set_user_attr(COPIED, False)
    return new.trials


def test_widening_changes_nothing_but_the_space(storage: Storage, parts: Split) -> None:
    study = opened(storage, parts)
    settings = replace(TINY, space=with_units(8192), seed=5)
    other = opened(storage, parts, settings, "other")
    with pytest.raises(InputError, match=r"--widen .* also changes settings\.seed: 0 → 5"):
        copy_trials(study, other, settings)


def test_without_a_study_there_is_nothing_to_copy(storage: Storage) -> None:
    assert next_generation(storage, "none", TINY_20) == ("none", None)
