from typing import Any

import optuna
import pytest
from optuna.distributions import (
    BaseDistribution,
    CategoricalDistribution,
    FloatDistribution,
    IntDistribution,
)
from optuna.storages import InMemoryStorage
from optuna.trial import TrialState

from hpo.study.plan import PRUNERS, make_pruner
from hpo.study.sampler import N_STARTUP_TRIALS, SAMPLERS, make_sampler
from hpo.study.trials import RETRY_OF

pytestmark = pytest.mark.usefixtures("one_thread")


def value(trial: optuna.Trial) -> float:
    return abs(trial.suggest_float("x", 0, 1) - 0.37) + trial.suggest_float("y", -1, 1) ** 2


def sampled(sampler: str, sessions: list[int]) -> list[dict[str, Any]]:
    """The parameters of a study of two parameters that runs in sessions."""
    storage = InMemoryStorage()
    for n in sessions:
        study = optuna.create_study(
            storage=storage,
            study_name="s",
            sampler=make_sampler(sampler, 0),
            load_if_exists=True,
        )
        study.optimize(value, n_trials=n)
    return [trial.params for trial in study.trials]


@pytest.mark.parametrize("sampler", SAMPLERS)
def test_a_resumed_study_samples_like_the_uninterrupted_one(sampler: str) -> None:
    uninterrupted = sampled(sampler, [12])
    assert sampled(sampler, [5, 6, 1]) == uninterrupted
    assert len({tuple(params.items()) for params in uninterrupted}) == 12


@pytest.mark.parametrize("sampler", ["tpe", "random"])
def test_a_retry_leaves_later_trials_as_they_were(sampler: str) -> None:
    uninterrupted = sampled(sampler, [14])
    study = optuna.create_study(sampler=make_sampler(sampler, 0))
    study.optimize(value, n_trials=5)
    crashed = study.ask()
    value(crashed)
    study.tell(crashed, state=TrialState.FAIL)
    study.enqueue_trial(crashed.params, user_attrs={RETRY_OF: crashed.number})
    study.optimize(value, n_trials=9)
    assert [t.params for t in study.trials if t.state == TrialState.COMPLETE] == uninterrupted


def begun(
    sampler: str, n_trials: int, n_dimensions: int = 40
) -> tuple[list[dict[str, Any]], list[dict[str, Any]]]:
    """The two starting points of a study, and the parameters of its first trials."""
    space: dict[str, BaseDistribution] = {
        f"x{i}": FloatDistribution(0, 1) for i in range(n_dimensions)
    }
    points: list[dict[str, float | int]] = [dict.fromkeys(space, 0.25), dict.fromkeys(space, 0.75)]
    study = optuna.create_study(
        direction="maximize", sampler=make_sampler(sampler, 0, space, points)
    )
    study.optimize(lambda t: sum(t.suggest_float(name, 0, 1) for name in space), n_trials=n_trials)
    return points, [trial.params for trial in study.trials]


def n_changed(params: dict[str, Any], centre: dict[str, Any]) -> int:
    return sum(params[name] != centre[name] for name in centre)


@pytest.mark.parametrize("sampler", ["tpe", "gp"])
def test_local_trials_change_the_best_trial_so_far(sampler: str) -> None:
    points, params = begun(sampler, N_STARTUP_TRIALS + 3)
    assert params[:2] == points
    assert len({tuple(p.values()) for p in params}) == len(params)
    changed = []
    for number in range(2, len(params)):
        best = max(params[:number], key=lambda p: sum(p.values()))
        changed.append(n_changed(params[number], best))
    assert all(1 <= n <= 30 for n in changed), "2 to 20 of 40 on average"
    assert max(changed) >= 3 * min(changed), "some change few, others many"


@pytest.mark.parametrize("n_dimensions", [1, 4])
def test_every_trial_of_a_small_space_changes_something(n_dimensions: int) -> None:
    _, params = begun("tpe", 14, n_dimensions)
    assert len({tuple(p.values()) for p in params}) == 14


@pytest.mark.parametrize("sampler", ["tpe", "gp"])
def test_no_trial_repeats_an_earlier_one_while_others_are_left(sampler: str) -> None:
    space: dict[str, BaseDistribution] = {
        "a": IntDistribution(0, 3),
        "b": CategoricalDistribution([0, 1, 2]),
    }
    make = make_sampler(sampler, 0, space, [{"a": 0, "b": 0}], {"a": 0.25, "b": 0.25})
    study = optuna.create_study(direction="maximize", sampler=make)
    for _ in range(8):
        trial = study.ask(space)
        study.tell(trial, trial.params["a"] + trial.params["b"])
    assert len({tuple(trial.params.values()) for trial in study.trials}) == 8


@pytest.mark.parametrize("sampler", ["tpe", "gp"])
def test_no_trial_repeats_an_earlier_one_without_confidences(sampler: str) -> None:
    space: dict[str, BaseDistribution] = {
        "a": CategoricalDistribution(["x", "y", "z"]),
        "b": IntDistribution(0, 3),
    }
    study = optuna.create_study(sampler=make_sampler(sampler, 0, space, [{"a": "x", "b": 0}]))
    for _ in range(8):
        trial = study.ask(space)
        study.tell(trial, trial.params["b"])
    assert len({tuple(trial.params.values()) for trial in study.trials}) == 8


@pytest.mark.parametrize(("sampler", "state"), [("tpe", "running"), ("gp", "pruned")])
def test_trials_that_the_model_does_not_know_prolong_the_start_up_phase(
    sampler: str, state: str
) -> None:
    space: dict[str, BaseDistribution] = {f"x{i}": FloatDistribution(0, 1) for i in range(4)}
    spreads = dict.fromkeys(space, 0.01)
    make = make_sampler(sampler, 0, space, [dict.fromkeys(space, 0.5)], spreads)
    study = optuna.create_study(direction="maximize", sampler=make)
    for number in range(N_STARTUP_TRIALS + 4):
        trial = study.ask(space)
        assert all(0.4 < x < 0.6 for x in trial.params.values()), "near the default"
        if number == 0:
            study.tell(trial, 0.5)
        elif state == "pruned":
            study.tell(trial, state=TrialState.PRUNED)


def test_random_search_has_no_local_trials() -> None:
    points, params = begun("random", 4)
    assert params[:2] == points
    assert not any(x in (0.25, 0.75) for p in params[2:] for x in p.values())


def test_another_seed_samples_other_parameters() -> None:
    trials = []
    for seed in (0, 1):
        study = optuna.create_study(sampler=make_sampler("random", seed))
        study.sampler.reseed_rng()  # Optuna does so in threads; the seed must stay
        study.optimize(value, n_trials=1)
        trials.append(study.trials[0].params)
    assert trials[0] != trials[1]
    assert trials[0] == sampled("random", [1])[0]


@pytest.mark.parametrize("name", PRUNERS)
def test_every_pruner_works_with_local_trials(name: str) -> None:
    space: dict[str, BaseDistribution] = {
        "x": FloatDistribution(0, 1),
        "y": FloatDistribution(0, 1),
    }
    study = optuna.create_study(
        study_name="omniglot-35-episode",  # from which Hyperband draws the brackets
        sampler=make_sampler("tpe", 0, space, [{"x": 0.5, "y": 0.5}]),
        pruner=make_pruner(name, max_epochs=9),
    )
    for _ in range(20):
        trial = study.ask(space)
        for epoch in range(1, 10):
            trial.report(trial.params["x"], step=epoch)
            if trial.should_prune():
                break
        study.tell(trial, trial.params["x"])
    assert len({tuple(trial.params.values()) for trial in study.trials}) == 20


def report(study: optuna.Study, accuracy: float, **attributes: int) -> bool:
    """Run the first three epochs of a trial; return whether it is pruned there."""
    study.enqueue_trial({}, user_attrs=attributes)
    trial = study.ask()
    for epoch in (1, 2, 3):
        trial.report(accuracy, step=epoch)
        if trial.should_prune():
            return True
    return False


def test_a_retried_trial_is_compared_once() -> None:
    study = optuna.create_study(direction="maximize", pruner=make_pruner("halving", max_epochs=27))
    for accuracy in (0.3, 0.3, 0.3, 0.3):
        report(study, accuracy)
    assert not report(study, 0.5)
    study.tell(4, state=TrialState.FAIL)
    assert not report(study, 0.5, **{RETRY_OF: 4})
    assert not report(study, 0.4), "the second of six continues, the third would not"
    assert report(study, 0.35)


def test_the_median_pruner_spares_the_first_trials_and_epochs() -> None:
    study = optuna.create_study(direction="maximize", pruner=make_pruner("median", max_epochs=8))
    pruned_at = []
    for level in (0.5, 0.5, 0.5, 0.5, 0.1, 0.1):
        trial = study.ask()
        pruned_at.append(0)
        for epoch in range(1, 9):
            trial.report(level, step=epoch)
            if trial.should_prune():
                pruned_at[-1] = epoch
                break
        study.tell(trial, level)
    assert pruned_at == [0, 0, 0, 0, 0, 2], "after five trials and two epochs"
