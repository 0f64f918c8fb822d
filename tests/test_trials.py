import made_studies
import optuna
import pytest

from hpo.study.trials import (
    CRASHED,
    FINALISTS,
    NOT_STARTED,
    RETRY_OF,
    best_trials,
    count_crashes,
    original_number,
    position_in_study,
    summarize_trials,
)


@pytest.fixture
def retried() -> optuna.Study:
    """Trials 0 and 4 are retried once, trial 1 twice, as 2 and 3; the first attempt crashed."""
    study = made_studies.study()
    study.add_trials(
        [
            made_studies.trial("FAIL", []),
            made_studies.trial("FAIL", []),
            made_studies.trial("FAIL", [], **{RETRY_OF: 1, CRASHED: 1}),
            made_studies.trial("COMPLETE", [0.5], **{RETRY_OF: 2, CRASHED: 0}),
            made_studies.trial("FAIL", []),
            made_studies.trial("COMPLETE", [0.5], **{RETRY_OF: 0}),
            made_studies.trial("RUNNING", [], **{RETRY_OF: 4, CRASHED: 1}),
            made_studies.trial("WAITING", []),
        ]
    )
    return study


def test_a_retry_has_the_position_of_its_original(retried: optuna.Study) -> None:
    trials = retried.trials
    assert [original_number(trials, n) for n in range(8)] == [0, 1, 1, 1, 4, 0, 4, 7]
    assert [position_in_study(trials, n) for n in range(8)] == [0, 1, 1, 1, 2, 0, 2, 3]


def test_only_crashes_are_counted(retried: optuna.Study) -> None:
    counts = [count_crashes(retried.trials, n) for n in range(8)]
    assert counts == [0, 0, 1, 1, 0, 1, 1, 0], "without the attribute a retry follows a crash"


def test_every_kind_of_trial_is_summarized() -> None:
    study = made_studies.mixed()
    study.add_trials([made_studies.trial("WAITING", []), made_studies.trial("PRUNED", [])])
    study.set_user_attr(FINALISTS, {"accuracies": {"0": [0.5, 0.6], "4": [0.7]}, "winner": 4})
    summaries = summarize_trials(study)
    assert [s.number for s in summaries] == list(range(11))
    assert [s.state for s in summaries] == [
        "complete",
        "pruned",
        "diverged",
        "interrupted",
        "complete",
        "failed",
        "complete",
        "complete",
        "running",
        "waiting",
        "pruned",
    ]
    values = [s.value for s in summaries]
    assert values == [0.7, 0.2, 0.05, None, 0.8, None, 0.6, 0.65, None, None, None]
    assert (summaries[3].retried_as, summaries[4].retry_of) == (4, 3)
    assert summaries[0].finalist_value == pytest.approx(0.55)
    assert summaries[4].finalist_values == (0.7,)
    assert summaries[6].finalist_value is None
    assert summaries[0].accuracies == {1: 0.5, 2: 0.7}
    assert "collapsed" in summaries[2].reason
    assert summaries[10].reason == NOT_STARTED
    assert summaries[8].reason == ""


def test_a_trial_has_a_cost_when_its_fit_has_ended() -> None:
    summaries = summarize_trials(made_studies.mixed())
    cost = summaries[0].cost
    assert cost is not None
    assert (cost.seconds, cost.n_images, cost.n_parameters, cost.device) == (
        30,
        10,
        5,
        "cpu float32",
    )
    assert [s.number for s in summaries if s.cost is None] == [3, 5, 8]


def test_of_equal_trials_the_earlier_is_the_better() -> None:
    study = made_studies.study()
    study.add_trials([made_studies.trial("COMPLETE", [value]) for value in (0.5, 0.7, 0.7, 0.6)])
    assert [trial.number for trial in best_trials(study, 3)] == [1, 2, 3]


def test_a_diverged_trial_is_among_the_best_only_if_all_diverged() -> None:
    study = made_studies.study()
    study.add_trial(made_studies.trial("COMPLETE", [0.05], diverged="collapsed"))
    assert [trial.number for trial in best_trials(study, 2)] == [0]
    study.add_trial(made_studies.trial("COMPLETE", [0.04]))
    assert [trial.number for trial in best_trials(study, 2)] == [1]
