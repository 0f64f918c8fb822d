from pathlib import Path

import pytest
from optuna.trial import TrialState
from tiny import TINY, objective, opened, url

from data.errors import InputError
from data.splits import Split
from hpo.refit.plan import refit_config
from hpo.search.finalists import FinalistObjective, finalist_fits, fresh_episodes, open_finalists
from hpo.search.winner import choose_trial, record_winner, winning_trial
from hpo.study.budget import Budget
from hpo.study.open import load_study
from hpo.study.settings import RunConfig
from hpo.study.storage import open_storage


def other_folder(folder: Path) -> Path:
    (folder / "finalists").mkdir()
    return folder / "finalists"


def test_the_winner_is_rebuilt_as_the_search_built_it(tmp_path: Path, parts: Split) -> None:
    study = opened(tmp_path, parts)
    study.optimize(objective(parts, tmp_path), n_trials=2)
    again, settings = load_study(open_storage(url(tmp_path), create=False), None)
    assert settings == TINY
    trial = choose_trial(again, None)
    assert trial.value == study.best_value
    config = refit_config(settings, trial, max_epochs=2)
    assert config.digest == trial.user_attrs["config_digest"]
    assert refit_config(settings, trial, None).fit.max_epochs == 12
    assert refit_config(settings, trial, mirrors=True).fit.mirrors
    with pytest.raises(InputError, match=r"--trial must be a complete trial.*99"):
        choose_trial(again, 99)


def test_the_best_mean_over_fresh_seeds_and_episodes_wins(tmp_path: Path, parts: Split) -> None:
    study, goal = opened(tmp_path, parts), objective(parts, tmp_path)
    study.optimize(goal, n_trials=3)
    run_config = RunConfig(TINY, url(tmp_path), "s", Budget(3), n_finalists=2, n_finalist_seeds=2)
    fits = finalist_fits(study, run_config)
    best = sorted(study.trials, key=lambda trial: -(trial.value or 0.0))[:2]
    assert [fit["trial"] for fit in fits] == [t.number for t in best for _ in range(2)]
    assert len({fit["seed"] for fit in fits} | {TINY.seed, TINY.seed + 1}) == 4, "fresh seeds"
    fresh = fresh_episodes(TINY, parts.val)
    assert not (fresh.query_RQ == goal.validation.episodes.query_RQ).all(), "fresh episodes"
    finalists = open_finalists(open_storage(url(tmp_path)), study, run_config)
    again = FinalistObjective(objective(parts, other_folder(tmp_path)), study, fresh, len(fits))
    finalists.optimize(again, n_trials=len(fits))
    assert [trial.params for trial in finalists.trials] == fits
    assert winning_trial(study) is None, "not judged yet"
    found = record_winner(study, finalists, n_seeds=2)
    assert found is not None
    means = {int(n): sum(each) / len(each) for n, each in found["accuracies"].items()}
    won = winning_trial(study)
    assert won is not None
    assert means[won.number] == max(means.values())
    assert choose_trial(study, None).number == won.number
    assert load_study(open_storage(url(tmp_path)), None)[0].study_name == "s"


def test_a_better_trial_found_since_has_the_finalists_fitted_again(
    tmp_path: Path, parts: Split
) -> None:
    study, goal = opened(tmp_path, parts), objective(parts, tmp_path)
    study.optimize(goal, n_trials=2)
    study.set_user_attr("finalists", {"accuracies": {}, "winner": 0, "first": 7})
    assert winning_trial(study) is None


def test_a_single_trial_needs_no_final(tmp_path: Path, parts: Split) -> None:
    study = opened(tmp_path, parts)
    study.optimize(objective(parts, tmp_path), n_trials=1)
    assert finalist_fits(study, RunConfig(TINY, url(tmp_path), "s", Budget(1))) == []


def test_a_fit_too_many_ends_without_a_value_and_a_failed_one_takes_its_finalist_out(
    tmp_path: Path, parts: Split
) -> None:
    study, goal = opened(tmp_path, parts), objective(parts, tmp_path)
    study.optimize(goal, n_trials=2)
    run_config = RunConfig(TINY, url(tmp_path), "s", Budget(2), n_finalist_seeds=1)
    finalists = open_finalists(open_storage(url(tmp_path)), study, run_config)
    files = objective(parts, other_folder(tmp_path))
    again = FinalistObjective(files, study, fresh_episodes(TINY, parts.val), 2)
    finalists.tell(finalists.ask(), state=TrialState.FAIL)
    finalists.optimize(again, n_trials=2)
    states = [TrialState.FAIL, TrialState.COMPLETE, TrialState.PRUNED]
    assert [trial.state for trial in finalists.trials] == states
    found = record_winner(study, finalists, n_seeds=1)
    assert found is not None
    assert list(found["accuracies"]) == [str(finalists.trials[1].params["trial"])]
    assert record_winner(study, finalists, n_seeds=2) is None
