from pathlib import Path
from typing import Any

import optuna
import pytest
from optuna.distributions import BaseDistribution, FloatDistribution
from tiny import url

from hpo.study.sampler import N_STARTUP_TRIALS, make_sampler
from hpo.study.storage import open_storage


def sampled(sampler: str, sessions: list[int], folder: Path) -> list[dict[str, Any]]:
    """Run a toy study in several sessions; return its parameters."""
    for n in sessions:
        study = optuna.create_study(
            storage=open_storage(url(folder)),
            study_name=sampler,
            sampler=make_sampler(sampler, 0),
            load_if_exists=True,
        )
        study.optimize(
            lambda t: abs(t.suggest_float("x", 0, 1) - 0.37) + t.suggest_float("y", -1, 1) ** 2,
            n_trials=n,
        )
    return [trial.params for trial in study.trials]


@pytest.mark.parametrize("sampler", ["tpe", "gp", "random"])
def test_a_resumed_study_samples_what_the_uninterrupted_one_does(
    sampler: str, tmp_path: Path
) -> None:
    for name in ("a", "b"):
        (tmp_path / name).mkdir()
    whole = sampled(sampler, [14], tmp_path / "a")
    resumed = sampled(sampler, [5, 6, 3], tmp_path / "b")
    assert resumed == whole
    assert len({tuple(params.items()) for params in whole}) == 14


def begun(
    sampler: str, n_trials: int, n_dimensions: int = 40
) -> tuple[list[dict[str, Any]], list[dict[str, Any]]]:
    """Return a study's anchors and its first trials' parameters."""
    names = [f"x{i}" for i in range(n_dimensions)]
    space: dict[str, BaseDistribution] = {name: FloatDistribution(0, 1) for name in names}
    anchors: list[dict[str, float | int]] = [dict.fromkeys(space, 0.25), dict.fromkeys(space, 0.75)]
    sampling = make_sampler(sampler, 0, space, anchors)
    study = optuna.create_study(direction="maximize", sampler=sampling)
    study.optimize(lambda t: sum(t.suggest_float(name, 0, 1) for name in space), n_trials=n_trials)
    return anchors, [trial.params for trial in study.trials]


@pytest.mark.parametrize("sampler", ["tpe", "gp"])
def test_a_study_begins_with_the_anchors_and_their_neighbours(sampler: str) -> None:
    anchors, params = begun(sampler, N_STARTUP_TRIALS)
    assert params[:2] == anchors
    for number, each in enumerate(params[2:], start=2):
        near = anchors[number % 2]
        n_resampled = sum(each[name] != near[name] for name in near)
        assert 2 <= n_resampled <= 20, "about a quarter of 40"
    assert len({tuple(each.values()) for each in params}) == N_STARTUP_TRIALS


@pytest.mark.parametrize("sampler", ["tpe", "gp"])
def test_a_later_trial_is_a_neighbour_of_one_of_the_best_three(sampler: str) -> None:
    _, params = begun(sampler, N_STARTUP_TRIALS + 6)
    for number in range(N_STARTUP_TRIALS, len(params)):
        best = sorted(params[:number], key=lambda each: -sum(each.values()))[:3]
        n_changed = [sum(params[number][name] != near[name] for name in near) for near in best]
        assert 2 <= min(n_changed) <= 20, "about a quarter of 40"


@pytest.mark.parametrize("n_dimensions", [1, 4])
def test_every_trial_changes_something_however_small_the_space(n_dimensions: int) -> None:
    _, params = begun("tpe", 14, n_dimensions)
    assert len({tuple(each.values()) for each in params}) == 14


def test_random_search_is_random_from_the_first_trial_that_is_no_anchor() -> None:
    anchors, params = begun("random", 4)
    assert params[:2] == anchors
    assert not any(value in (0.25, 0.75) for each in params[2:] for value in each.values())
