"""Studies with two goals: accuracy and the cost of an embedding."""

from dataclasses import replace
from pathlib import Path
from typing import Any

import made_studies
import optuna
import pytest
from optuna.distributions import FloatDistribution
from optuna.trial import TrialState
from tiny import TINY_20, objective, opened, small_params

from data.errors import InputError
from data.splits import Split
from hpo.search.winner import TOO_HIGH, choose_trial, describe_value, winning_trial
from hpo.settings.study_settings import StudyConfig, StudySettings
from hpo.study.budget import Budget, study_budget, trials_since_best
from hpo.study.goals import front_table, has_one_goal, pareto_front
from hpo.study.sampler import N_STARTUP_TRIALS, SAMPLERS, make_sampler
from hpo.study.trials import accuracy_of, best_trials, summarize_trials

pytestmark = pytest.mark.usefixtures("one_thread")
TWO: Any = ("accuracy", "flops")
TINY_TWO = replace(TINY_20, objective=TWO, pruner="none")


def test_the_front_has_no_trial_that_another_surpasses_or_that_diverged() -> None:
    study = made_studies.two_goals()
    assert not has_one_goal(study)
    assert [trial.number for trial in pareto_front(study)] == [1, 0, 4]
    assert front_table(study) == [
        ["trial", "validation accuracy", "MFLOP per image"],
        ["1", "60.0%", "2.00"],
        ["0", "70.0%", "4.00"],
        ["4", "80.0%", "6.00"],
    ]
    empty = made_studies.study(objective=TWO)
    empty.add_trial(made_studies.trial("COMPLETE", [0.05], n_goals=2, diverged="collapsed"))
    assert pareto_front(empty) == front_table(empty) == []


def test_trials_of_two_goals_are_ranked_by_their_accuracy() -> None:
    study = made_studies.two_goals()
    assert [trial.number for trial in best_trials(study, 4)] == [4, 0, 6, 5]
    values = [summary.value for summary in summarize_trials(study)]
    assert values == [0.7, 0.6, 0.05, None, 0.8, 0.65, 0.7, None]
    complete = made_studies.mixed().trials[:3:2]
    assert [accuracy_of(trial) for trial in complete] == [0.7, 0.05], "one goal"


def test_patience_counts_from_the_most_accurate_trial() -> None:
    study = made_studies.two_goals()
    assert trials_since_best(study) == 2
    assert Budget(99, patience=2).is_stagnant(study)
    assert not Budget(99, patience=3).is_stagnant(study)


def test_no_time_is_reserved_for_finalists() -> None:
    run = StudyConfig.from_settings(TINY_TWO, study_name="s", time_budget=60.0)
    assert study_budget(run, made_studies.two_goals()).n_fits == 0


def test_a_refit_without_a_number_is_of_the_most_accurate_trial() -> None:
    study = made_studies.two_goals()
    assert winning_trial(study) is None
    assert choose_trial(study, None).number == 4
    assert choose_trial(study, 5).number == 5
    with pytest.raises(InputError, match="--trial"):
        choose_trial(study, 3)
    text = "80.0% at 6.00 MFLOP per image, on the validation episodes"
    assert describe_value(study, study.trials[4]) == f"{text}, {TOO_HIGH}"
    assert describe_value(study, study.trials[5]).startswith("65.0% at 5.00 MFLOP")


def test_two_goals_need_no_pruner() -> None:
    assert StudySettings(objective=TWO).pruner == "none"
    assert StudySettings(objective=TWO).directions == ["maximize", "minimize"]


def test_a_study_of_one_goal_is_not_resumed_as_one_of_two(tmp_path: Path, parts_20: Split) -> None:
    one = replace(TINY_20, pruner="none")
    opened(tmp_path, parts_20, one)
    with pytest.raises(InputError, match=r"objective: \['accuracy'\] → \['accuracy', 'flops'\]\. "):
        opened(tmp_path, parts_20, TINY_TWO)


def test_a_study_of_two_goals_is_resumed(tmp_path: Path, parts_20: Split) -> None:
    study = opened(tmp_path, parts_20, TINY_TWO)
    assert study.user_attrs["identity"]["direction"] == "maximize, minimize"
    assert len(opened(tmp_path, parts_20, TINY_TWO).directions) == 2
    with pytest.raises(InputError, match="flops"):
        opened(tmp_path, parts_20, replace(TINY_20, pruner="none"))


def test_a_trial_has_an_accuracy_per_epoch_and_two_values(tmp_path: Path, parts_20: Split) -> None:
    study = opened(tmp_path, parts_20, TINY_TWO)
    study.enqueue_trial(small_params(0))
    study.optimize(objective(parts_20, tmp_path, settings=TINY_TWO), n_trials=1)
    [trial] = study.trials
    accuracies = trial.intermediate_values
    assert trial.state == TrialState.COMPLETE
    assert sorted(accuracies) == [1, 2]
    assert trial.values == [max(accuracies.values()), trial.user_attrs["flops_per_image"]]


def sampled(sampler: str, sessions: list[int]) -> list[optuna.trial.FrozenTrial]:
    """Trials of a study whose second value depends on half of its parameters."""
    space: Any = {f"x{i}": FloatDistribution(0, 1) for i in range(12)}
    points: Any = [dict.fromkeys(space, 0.25), dict.fromkeys(space, 0.75)]

    def values(trial: optuna.Trial) -> tuple[float, float]:
        x = [trial.suggest_float(name, 0, 1) for name in space]
        return sum(x), 1e6 * sum(x[:6])

    storage = optuna.storages.InMemoryStorage()
    for n_trials in sessions:
        study = optuna.create_study(
            study_name="s",
            storage=storage,
            directions=["maximize", "minimize"],
            sampler=make_sampler(sampler, 0, space, points),
            load_if_exists=True,
        )
        study.optimize(values, n_trials=n_trials)
    return study.trials


@pytest.mark.parametrize("sampler", SAMPLERS)
def test_every_sampler_searches_two_goals_and_resumes(sampler: str) -> None:
    n = N_STARTUP_TRIALS + 4
    trials = sampled(sampler, [n])
    assert len({tuple(trial.params.values()) for trial in trials}) == n
    resumed = sampled(sampler, [5, n - 6, 1])
    assert [trial.params for trial in resumed] == [trial.params for trial in trials]


@pytest.mark.parametrize("sampler", ["tpe", "gp"])
def test_local_trials_change_a_trial_of_the_front(sampler: str) -> None:
    trials = sampled(sampler, [N_STARTUP_TRIALS + 4])
    for number in range(N_STARTUP_TRIALS, len(trials)):
        earlier = optuna.create_study(directions=["maximize", "minimize"])
        earlier.add_trials(trials[:number])
        params = trials[number].params
        n_kept = [
            sum(params[name] == value for name, value in center.params.items())
            for center in pareto_front(earlier)
        ]
        assert 4 <= max(n_kept) < 12, "it keeps about three quarters of 12"
