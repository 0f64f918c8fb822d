"""Finalists and the winner. The trials of the study are written by hand; few are trained."""

from dataclasses import replace
from pathlib import Path
from typing import Any

import optuna
import pytest
import torch
from optuna.trial import FixedTrial, FrozenTrial, TrialState, create_trial
from tiny import TINY_20, objective, opened, small_params, url

from data.errors import InputError
from data.paths import REFERENCE_STUDY
from data.splits import Split
from hpo.search.choice import record_winner, record_winner_without_fits
from hpo.search.finalist_objective import FinalistObjective
from hpo.search.finalists import (
    CLUSTERS,
    finalist_fits,
    finalist_studies,
    open_finalists,
)
from hpo.search.objective import Objective
from hpo.search.trial_files import TrialFiles, trials_folder
from hpo.search.winner import (
    TOO_HIGH,
    choose_trial,
    describe_value,
    winning_trial,
)
from hpo.settings.base_config import base_config
from hpo.space.distributions import search_space, suggest_config
from hpo.study.dataset import task_settings, validation_episodes
from hpo.study.open import FOLDER, load_study, open_stored_study
from hpo.study.storage import Storage, open_storage
from hpo.study.trials import RETRY_OF, count_diverged_finalists
from model.checkpoint import load_network, save_network
from model.config import Config
from model.evaluate import one_shot_accuracy
from model.fit_state import EpochResult, FitState
from model.train import data_identity

pytestmark = pytest.mark.usefixtures("one_thread")


def add_trials(study: optuna.Study, values: list[float]) -> None:
    """Add complete trials of small networks."""
    space = search_space(TINY_20.space, TINY_20.image_size)
    for n, value in enumerate(values):
        study.add_trial(create_trial(value=value, params=small_params(n), distributions=space))


def config_of(trial: FrozenTrial) -> Config:
    return suggest_config(FixedTrial(trial.params), base_config(TINY_20), TINY_20.space)


@pytest.fixture
def study(tmp_path: Path, parts_20: Split) -> optuna.Study:
    """Trials 0, 1 and 2; 1 is the best, 2 the second. The default, 0, has failed."""
    study = opened(tmp_path, parts_20, TINY_20)
    study.add_trial(create_trial(state=TrialState.FAIL))
    add_trials(study, [0.7, 0.6])
    return study


@pytest.fixture
def storage(tmp_path: Path, study: optuna.Study) -> Storage:
    return open_storage(url(tmp_path), create=False)


def value_of(accuracies: dict[int, list[float]]) -> optuna.study.study.ObjectiveFuncType:
    """An objective of finalists: the accuracies of each, one after the other."""

    def value(trial: optuna.Trial) -> float:
        trial.suggest_int("seed", 0, 2**33)
        return accuracies[trial.suggest_int("trial", 0, 2**33)].pop(0)

    return value


def test_the_best_trials_are_fitted_with_new_seeds(study: optuna.Study) -> None:
    fits = finalist_fits(study, n_finalists=2, n_seeds=2, settings=replace(TINY_20, seed=7))
    assert fits == [{"trial": t, "seed": s} for t in (1, 2) for s in (1007, 1008)]


def test_the_default_is_a_finalist_in_place_of_the_last_one(
    tmp_path: Path, parts_20: Split
) -> None:
    study = opened(tmp_path, parts_20, TINY_20)
    add_trials(study, [0.5, 0.7, 0.6, 0.8, 0.9])
    fits = finalist_fits(study, n_finalists=2, n_seeds=1, settings=TINY_20)
    assert [fit["trial"] for fit in fits] == [4, 0]


def test_only_trials_that_are_better_than_the_default_are_finalists(
    tmp_path: Path, parts_20: Split
) -> None:
    study = opened(tmp_path, parts_20, TINY_20)
    add_trials(study, [0.7, 0.5, 0.8, 0.7])
    assert [fit["trial"] for fit in finalist_fits(study, 4, 1, TINY_20)] == [2, 0]


def test_the_default_wins_without_a_fit_if_no_trial_is_better(
    tmp_path: Path, parts_20: Split
) -> None:
    study = opened(tmp_path, parts_20, TINY_20)
    add_trials(study, [0.8, 0.7])
    assert finalist_fits(study, 2, 1, TINY_20) == []
    record_winner_without_fits(study)
    assert (winner := winning_trial(study)) is not None
    assert winner.number == 0


def test_a_default_that_diverged_is_no_finalist(tmp_path: Path, parts_20: Split) -> None:
    study = opened(tmp_path, parts_20, TINY_20)
    study.add_trial(create_trial(value=0.05, user_attrs={"diverged": "collapsed"}))
    add_trials(study, [0.7, 0.8])
    assert [fit["trial"] for fit in finalist_fits(study, 2, 1, TINY_20)] == [2, 1]


def test_a_default_that_was_queued_again_wins_a_tie(tmp_path: Path, parts_20: Split) -> None:
    study = opened(tmp_path, parts_20, TINY_20)
    study.add_trial(create_trial(state=TrialState.FAIL))
    add_trials(study, [0.8])
    study.add_trial(create_trial(value=0.8, user_attrs={RETRY_OF: 0}))
    record_winner_without_fits(study)
    assert (winner := winning_trial(study)) is not None
    assert winner.number == 2


def test_a_study_of_one_trial_has_no_finalists(tmp_path: Path, parts_20: Split) -> None:
    study = opened(tmp_path, parts_20, TINY_20)
    add_trials(study, [0.5])
    assert finalist_fits(study, 5, 2, TINY_20) == []


def test_the_finalist_with_the_highest_mean_of_its_fits_and_its_trial_wins(
    study: optuna.Study, storage: Storage
) -> None:
    fits = finalist_fits(study, 2, 2, TINY_20)
    finalists = open_finalists(storage, study, fits)
    finalists.optimize(value_of({1: [0.5, 0.6], 2: [0.7, 0.6]}), n_trials=4)
    assert [trial.params for trial in finalists.trials] == fits
    assert winning_trial(study) is None, "the winner is not recorded yet"
    result = record_winner(study, finalists, n_seeds=2)
    assert result == {"accuracies": {"1": [0.5, 0.6], "2": [0.7, 0.6]}, "winner": 2, "first": 1}
    winner = winning_trial(study)
    assert winner is not None
    assert winner.number == choose_trial(study, None).number == 2
    assert describe_value(study, winner) == f"65.0% as a finalist, {TOO_HIGH}; 60.0% in the search"
    assert describe_value(study, study.trials[1]) == "55.0% as a finalist, 70.0% in the search"
    add_trials(study, [0.5])
    assert describe_value(study, study.trials[3]) == "50.0% of the validation episodes"


def test_the_fit_of_the_search_counts_for_the_winner(study: optuna.Study, storage: Storage) -> None:
    finalists = open_finalists(storage, study, finalist_fits(study, 2, 1, TINY_20))
    finalists.optimize(value_of({1: [0.60], 2: [0.65]}), n_trials=2)
    result = record_winner(study, finalists, n_seeds=1)
    assert result is not None
    assert result["winner"] == 1, "0.7 in the search against 0.6"


def test_the_study_of_the_finalists_is_not_taken_for_the_study(
    study: optuna.Study, storage: Storage
) -> None:
    finalists = open_finalists(storage, study, finalist_fits(study, 2, 2, TINY_20))
    finalists.tell(finalists.ask(), 0.5)
    assert load_study(storage, None)[0].study_name == "s"
    assert [s.study_name for s in finalist_studies(storage, study)] == ["s finalists 1-2 x2"]
    assert finalists.user_attrs[FOLDER] == f"{study.user_attrs[FOLDER]}-1-2-x2"


def test_finalists_are_resumed_and_other_finalists_get_another_study(
    study: optuna.Study, storage: Storage
) -> None:
    fits = finalist_fits(study, 2, 1, TINY_20)
    open_finalists(storage, study, fits).optimize(value_of({1: [0.5]}), n_trials=1)
    resumed = open_finalists(storage, study, fits)
    resumed.optimize(value_of({2: [0.5]}), n_trials=1)
    assert [trial.params for trial in resumed.trials] == fits
    add_trials(study, [0.5])
    assert open_finalists(storage, study, finalist_fits(study, 3, 1, TINY_20)).trials == []
    assert open_finalists(storage, study, finalist_fits(study, 2, 2, TINY_20)).trials == []


def test_a_new_study_does_not_adopt_the_finalists_of_a_deleted_one_of_its_name(
    study: optuna.Study, storage: Storage, tmp_path: Path, parts_20: Split
) -> None:
    fits = finalist_fits(study, 2, 1, TINY_20)
    old = open_finalists(storage, study, fits)
    old.optimize(value_of({1: [0.5], 2: [0.9]}), n_trials=2)
    optuna.delete_study(study_name="s", storage=storage)
    new_study = opened(tmp_path, parts_20, TINY_20)
    add_trials(new_study, [0.5, 0.7, 0.6])
    assert finalist_studies(storage, new_study) == []
    new = open_finalists(storage, new_study, fits)
    assert new.trials == []
    assert new.user_attrs[FOLDER] == f"{new_study.user_attrs[FOLDER]}-1-2-x1"
    assert new.study_name != old.study_name
    new.optimize(value_of({1: [0.4]}), n_trials=1)
    assert len(open_finalists(storage, new_study, fits).trials) == 1, "it is resumed"
    assert [s.study_name for s in finalist_studies(storage, new_study)] == [new.study_name]


def test_finalists_whose_creator_was_killed_are_completed(
    study: optuna.Study, storage: Storage
) -> None:
    optuna.create_study(storage=storage, study_name="s finalists 1-2 x1", direction="maximize")
    finalists = open_finalists(storage, study, finalist_fits(study, 2, 1, TINY_20))
    assert finalists.study_name == "s finalists 1-2 x1"
    assert finalists.user_attrs[FOLDER] == f"{study.user_attrs[FOLDER]}-1-2-x1"


@pytest.mark.skipif(not REFERENCE_STUDY.exists(), reason="needs the reference study")
def test_the_finalists_of_the_reference_study_are_found() -> None:
    with open_stored_study(f"sqlite:///{REFERENCE_STUDY}", None) as (storage, study, _):
        names = [finalists.study_name for finalists in finalist_studies(storage, study)]
    expected = ("finalists 14-0 x1", "winner 0 x1")
    assert sorted(names) == [f"omniglot-35-episode {name}" for name in expected]


def test_a_finalist_without_all_its_fits_cannot_win(study: optuna.Study, storage: Storage) -> None:
    finalists = open_finalists(storage, study, finalist_fits(study, 2, 1, TINY_20))
    finalists.tell(finalists.ask(), state=TrialState.FAIL)
    finalists.optimize(value_of({2: [0.4]}), n_trials=1)
    assert record_winner(study, finalists, n_seeds=2) is None
    assert winning_trial(study) is None
    result = record_winner(study, finalists, n_seeds=1)
    assert result == {"accuracies": {"2": [0.4]}, "winner": 2, "first": 1}


def test_a_fit_that_diverged_has_no_measured_accuracy(
    study: optuna.Study, storage: Storage
) -> None:
    finalists = open_finalists(storage, study, finalist_fits(study, 2, 1, TINY_20))

    def diverge(trial: optuna.Trial) -> float:
        trial.suggest_int("seed", 0, 2**33)
        if trial.suggest_int("trial", 0, 2**33) == 1:
            trial.set_user_attr("diverged", "collapsed")
            return 0.05
        return 0.5

    finalists.optimize(diverge, n_trials=2)
    result = record_winner(study, finalists, n_seeds=1)
    assert result is not None
    assert (result["winner"], result["diverged"]) == (2, [1])
    assert count_diverged_finalists(study) == {1: 1}
    study.add_trial(create_trial(value=0.05, user_attrs={"diverged": "collapsed"}))
    assert "collapsed" in describe_value(study, study.trials[3])
    assert "5.0%" not in describe_value(study, study.trials[3])


def test_a_better_trial_found_later_withdraws_the_winner(study: optuna.Study) -> None:
    study.set_user_attr("finalists", {"accuracies": {"2": [0.5]}, "winner": 2, "first": 1})
    assert choose_trial(study, None).number == 2
    assert describe_value(study, study.trials[2]).startswith("50.0% as a finalist")
    add_trials(study, [0.8])
    assert winning_trial(study) is None
    assert choose_trial(study, None).number == 3
    assert describe_value(study, study.trials[2]) == "60.0% of the validation episodes"


def test_only_a_complete_trial_can_be_chosen(
    study: optuna.Study, tmp_path: Path, parts_20: Split
) -> None:
    assert choose_trial(study, 2).number == 2
    for number in (0, 99):
        with pytest.raises(InputError, match=rf"--trial.*\b{number}\b.*1, 2"):
            choose_trial(study, number)
    with pytest.raises(InputError, match=r"'empty'.*run_study\.py"):
        choose_trial(optuna.create_study(study_name="empty", direction="maximize"), None)


def test_a_finalist_is_trained_like_in_the_search_and_evaluated_on_new_episodes(
    study: optuna.Study, storage: Storage, tmp_path: Path, parts_20: Split
) -> None:
    search = objective(parts_20, tmp_path, settings=TINY_20)
    episodes = validation_episodes(TINY_20, parts_20.val, seed=1)
    assert not torch.equal(episodes.query_RQ, search.validation.episodes.query_RQ)
    finalists = open_finalists(storage, study, finalist_fits(study, 2, 1, TINY_20))
    finalists.optimize(FinalistObjective(search, study, parts_20.val, episodes, 2), n_trials=1)
    trial = finalists.trials[0]
    state = FitState(config_of(study.trials[1]), 1000, search.compute)
    state.data = data_identity(search.train, search.validation)
    state.load(tmp_path / "0.fit.pt")  # raises unless configuration, seed and data are equal
    assert trial.value == one_shot_accuracy(state.best_net(), parts_20.val, episodes)
    assert trial.user_attrs["seed"] == 1000
    assert list(trial.intermediate_values) == [1, 2]
    net, config, metadata = load_network(search.files.network(trial.number))
    assert one_shot_accuracy(net, parts_20.val, episodes) == trial.value
    assert config == state.config
    assert {name: metadata[name] for name in ("trial", "seed", "train_on", "epochs")} == {
        **{"trial": 1, "seed": 1000, "train_on": "train", "epochs": 2}
    }
    assert metadata["data_digest"] == parts_20.train.digest
    assert task_settings(metadata).n_way == TINY_20.n_way
    assert [epoch["accuracy"] for epoch in metadata["history"]] == [
        result.accuracy for result in state.history
    ]


def fit_next(study: optuna.Study, finalists: optuna.Study, parts: Split, var: Path) -> None:
    """Fit the next finalist, with the files that a worker has."""
    folder = trials_folder(finalists, var)
    folder.mkdir(parents=True, exist_ok=True)
    search = objective(parts, folder, settings=TINY_20)
    episodes = validation_episodes(TINY_20, parts.val, seed=1)
    value = FinalistObjective(search, study, parts.val, episodes, 9, var)
    finalists.optimize(value, n_trials=1)


def network_of(finalists: optuna.Study, var: Path) -> Path:
    """The file of the network of the first fit."""
    return TrialFiles(trials_folder(finalists, var)).network(0)


def test_a_finalist_that_was_one_before_is_not_fitted_again(
    study: optuna.Study,
    storage: Storage,
    tmp_path: Path,
    parts_20: Split,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    first = open_finalists(storage, study, finalist_fits(study, 2, 1, TINY_20))
    fit_next(study, first, parts_20, tmp_path)
    add_trials(study, [0.65])
    second = open_finalists(storage, study, finalist_fits(study, 2, 1, TINY_20))
    assert second.study_name == "s finalists 1-3 x1"
    with monkeypatch.context() as patch:
        patch.setattr(Objective, "train_network", lambda *_: pytest.fail("it is fitted"))
        fit_next(study, second, parts_20, tmp_path)
    [old], [new] = first.trials, second.trials
    assert new.params == old.params == {"trial": 1, "seed": 1000}
    assert (new.value, new.user_attrs[CLUSTERS]) == (old.value, old.user_attrs[CLUSTERS])
    assert "seconds" not in new.user_attrs, "its cost is counted once"
    networks = [load_network(network_of(s, tmp_path)) for s in (first, second)]
    assert networks[0][1:] == networks[1][1:], "configuration and metadata"
    fit_next(study, second, parts_20, tmp_path)
    assert second.trials[1].params["trial"] == 3
    assert "seconds" in second.trials[1].user_attrs, "it was no finalist before"


@pytest.mark.parametrize(
    "change", [{"seed": 7}, {"trial": 2}, {"device": "cpu bfloat16"}, {"fit_format": ""}, None]
)
def test_the_network_of_another_fit_is_not_used_for_a_finalist(
    change: dict[str, Any] | None,
    study: optuna.Study,
    storage: Storage,
    tmp_path: Path,
    parts_20: Split,
) -> None:
    first = open_finalists(storage, study, finalist_fits(study, 2, 1, TINY_20))
    fit_next(study, first, parts_20, tmp_path)
    path = network_of(first, tmp_path)
    net, config, metadata = load_network(path)
    if change is None:
        path.write_bytes(b"truncated")
    else:
        save_network(path, net, config, metadata | change)
    add_trials(study, [0.65])
    second = open_finalists(storage, study, finalist_fits(study, 2, 1, TINY_20))
    fit_next(study, second, parts_20, tmp_path)
    assert "seconds" in second.trials[0].user_attrs, "it was fitted"
    assert second.trials[0].value == first.trials[0].value


def test_a_diverged_finalist_has_chance_level_and_a_surplus_fit_no_value(
    study: optuna.Study,
    storage: Storage,
    tmp_path: Path,
    parts_20: Split,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    search = objective(parts_20, tmp_path, settings=TINY_20)
    state = FitState(config_of(study.trials[1]), 1000, search.compute)
    state.history = [EpochResult(1, float("nan"), 0.3, 10, 0.1, "non-finite loss")]
    monkeypatch.setattr(type(search), "train_network", lambda *_: (state, False))
    finalists = open_finalists(storage, study, finalist_fits(study, 2, 1, TINY_20))
    episodes = validation_episodes(TINY_20, parts_20.val, seed=1)
    finalists.optimize(FinalistObjective(search, study, parts_20.val, episodes, 2), n_trials=3)
    states = [TrialState.COMPLETE, TrialState.COMPLETE, TrialState.PRUNED]
    assert [trial.state for trial in finalists.trials] == states
    assert finalists.trials[0].value == 1 / 20
    assert list(tmp_path.glob("*.network.pt")) == [], "a fit that diverged is not kept"
