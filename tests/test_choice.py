"""The choice of the winner: a trial replaces the default only if it is clearly better."""

from collections.abc import Sequence
from dataclasses import asdict

import optuna
import pytest
from optuna.trial import create_trial

from hpo.report.study.page import best_trial_sections
from hpo.report.study.text import study_headline
from hpo.search.choice import Gain, gain_over_default, record_winner, stored_gain
from hpo.search.finalists import CLUSTERS, SPACE
from hpo.search.winner import TOO_HIGH, describe_value, winning_trial
from model.intervals import ClusterAccuracies

DEFAULT, BETTER = 0, 1


@pytest.fixture
def study() -> optuna.Study:
    """The default, with 70 % in the search, and a trial with 80 %."""
    study = optuna.create_study(direction="maximize")
    for value in (0.7, 0.8):
        study.add_trial(create_trial(value=value))
    return study


def finalists(fits: dict[int, Sequence[list[float] | None]]) -> optuna.Study:
    """Return complete fits of finalists, by trial; None has diverged."""
    study = optuna.create_study(direction="maximize")
    for number, accuracies in fits.items():
        for seed, accuracy_C in enumerate(accuracies):
            attributes, value = {}, 0.05
            if accuracy_C is not None:
                n = len(accuracy_C)
                attributes = {CLUSTERS: asdict(ClusterAccuracies("group", [accuracy_C], [9] * n))}
                value = sum(accuracy_C) / n
            params = {"trial": number, "seed": seed}
            study.add_trial(
                create_trial(value=value, params=params, distributions=SPACE, user_attrs=attributes)
            )
    return study


@pytest.mark.parametrize(
    ("better_C", "winner"),
    [
        ([0.66, 0.76, 0.86], BETTER),  # 6 points better on every alphabet
        ([0.75, 0.71, 0.81], BETTER),  # 15, 1 and 1: 5.7 with an error of 4.7
        ([0.75, 0.69, 0.79], DEFAULT),  # 15, -1 and -1: 4.3 with an error of 5.3
        ([0.58, 0.68, 0.78], DEFAULT),  # behind, although it is ahead in the mean of both fits
    ],
)
def test_a_trial_replaces_the_default_if_it_is_better_by_the_standard_error(
    study: optuna.Study, better_C: list[float], winner: int
) -> None:
    fits = finalists({BETTER: [better_C], DEFAULT: [[0.6, 0.7, 0.8]]})
    result = record_winner(study, fits, n_seeds=1)
    assert result is not None
    assert result["winner"] == winner
    assert (chosen := winning_trial(study)) is not None
    assert chosen.number == winner
    gain = stored_gain(study)
    assert gain == gain_over_default(study, fits, BETTER)
    assert gain is not None
    assert gain.is_clear == (winner == BETTER)
    assert best_note(study).endswith(str(gain))
    assert (TOO_HIGH in describe_value(study, chosen)) == gain.is_clear
    assert ("because the trial was chosen for it" in study_headline(study)) == gain.is_clear


def best_note(study: optuna.Study) -> str:
    """Return the note below the table of the best trials in the report."""
    from hpo.report.study.frames import trial_frame

    return best_trial_sections(study, trial_frame(study))[-1].note


def test_the_error_covers_alphabets_and_fits(study: optuna.Study) -> None:
    one = finalists({BETTER: [[0.7, 0.8]], DEFAULT: [[0.6, 0.8]]})
    gain = gain_over_default(study, one, BETTER)
    assert gain is not None
    assert (gain.mean, gain.standard_error) == pytest.approx((0.05, 0.05))
    equal = finalists({BETTER: [[0.7, 0.9], [0.8, 1.0]], DEFAULT: [[0.6, 0.8], [0.6, 0.8]]})
    gain = gain_over_default(study, equal, BETTER)
    assert gain is not None
    assert (gain.mean, gain.standard_error) == pytest.approx((0.15, 0.05)), "of the two fits"


@pytest.mark.parametrize(
    "fits",
    [
        {BETTER: [[0.6]], DEFAULT: [[0.5]]},
        {BETTER: [[0.6, 0.7]], DEFAULT: [None]},
    ],
    ids=["one cluster", "the default diverged"],
)
def test_without_an_error_the_highest_mean_wins(
    study: optuna.Study, fits: dict[int, Sequence[list[float] | None]]
) -> None:
    result = record_winner(study, finalists(fits), n_seeds=1)
    assert result is not None
    assert result["winner"] == BETTER
    assert stored_gain(study) is None


def test_a_default_whose_new_fit_failed_wins(study: optuna.Study) -> None:
    result = record_winner(study, finalists({BETTER: [[0.6, 0.7]]}), n_seeds=1)
    assert result is not None
    assert (result["winner"], stored_gain(study)) == (DEFAULT, None)
    assert "no trial was compared with it" in study_headline(study)


def test_fits_of_the_same_seed_are_compared(study: optuna.Study) -> None:
    fits = finalists({BETTER: [[0.8, 0.9], [0.5, 0.6]], DEFAULT: [None, [0.7, 0.9]]})
    gain = gain_over_default(study, fits, BETTER)
    assert gain is not None
    assert gain.mean == pytest.approx(-0.25), "the first fit of the default diverged"


def test_a_gain_is_forgotten_when_a_better_trial_is_found(study: optuna.Study) -> None:
    record_winner(study, finalists({BETTER: [[0.7, 0.8]], DEFAULT: [[0.6, 0.6]]}), n_seeds=1)
    assert stored_gain(study) is not None
    study.add_trial(create_trial(value=0.9))
    assert stored_gain(study) is None


def test_a_default_with_the_highest_mean_needs_no_comparison(study: optuna.Study) -> None:
    fits = finalists({BETTER: [[0.3, 0.4]], DEFAULT: [[0.6, 0.8]]})
    result = record_winner(study, fits, n_seeds=1)
    assert result is not None
    assert (result["winner"], stored_gain(study)) == (DEFAULT, None)


def test_a_gain_says_what_follows_from_it() -> None:
    assert str(Gain(5, 0, 0.0104, 0.0083)) == (
        "In the new fits, trial 5 minus the default, trial 0, is +1.0 points, with a standard "
        "error of 0.8: more than its standard error."
    )
    assert str(Gain(5, 0, -0.002, 0.012)).endswith("error of 1.2: so the default wins.")
