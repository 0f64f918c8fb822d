"""The winner's accuracy: from fits and drawings that choose nothing, and unbiased."""

from dataclasses import asdict, replace
from pathlib import Path

import numpy as np
import optuna
import pytest
import torch
from optuna.trial import TrialState, create_trial
from tiny import TINY_20, objective, opened, small_params

from data.drawings import Drawings
from data.episodes import Dataset
from data.splits import Split, split_dataset
from hpo.report.study.text import study_headline
from hpo.search.choice import record_winner, record_winner_without_fits
from hpo.search.finalist_objective import FinalistObjective
from hpo.search.finalists import (
    CLUSTERS,
    SPACE,
    FinalistFit,
    finalist_fits,
    open_finalists,
)
from hpo.search.winner import (
    describe_value,
    record_winner_accuracy,
    winner_accuracy,
    winner_fits,
    winning_trial,
)
from hpo.space.distributions import search_space
from hpo.study.dataset import validation_episodes
from hpo.study.open import FOLDER
from hpo.study.trials import FINALISTS
from model.intervals import ClusterAccuracies

N_STUDIES = 500
N_ALPHABETS, TRUE_ACCURACY, FIT_SD, DRAWINGS_SD = 10, 0.7, 0.02, 0.02


def simulate_fit(rng: np.random.Generator, drawings_sd: np.ndarray) -> ClusterAccuracies:
    """Return the accuracies of one fit: the true one, plus noise of fit and drawings."""
    accuracies = TRUE_ACCURACY + FIT_SD * rng.standard_normal() + drawings_sd
    return ClusterAccuracies("alphabet", [accuracies.tolist()], [480] * N_ALPHABETS)


def add_fits(study: optuna.Study, fits: list[FinalistFit], values: list[ClusterAccuracies]) -> None:
    """Add complete fits of finalists."""
    for fit, value in zip(fits, values, strict=True):
        attributes = {CLUSTERS: asdict(value)}
        study.add_trial(
            create_trial(value=value.mean, params=fit, distributions=SPACE, user_attrs=attributes)
        )


def simulate_study(seed: int) -> tuple[float, float]:
    """Return what a study of equal configurations reports: as a finalist, and for the winner.

    The noise of the drawings is the same in the search and for the finalists, as in a real study.
    """
    rng, storage = np.random.default_rng(seed), optuna.storages.InMemoryStorage()
    study = optuna.create_study(storage=storage, study_name="s", direction="maximize")
    study.set_user_attr(FOLDER, "folder")
    noise = DRAWINGS_SD * rng.standard_normal((12, N_ALPHABETS))
    study.add_trial(create_trial(value=0.0))  # the default, which is always a finalist
    for noise_C in noise[1:]:
        study.add_trial(create_trial(value=simulate_fit(rng, noise_C).mean))
    fits = finalist_fits(study, 5, 2, replace(TINY_20, seed=seed))
    finalists = open_finalists(storage, study, fits)  # type: ignore[arg-type]
    add_fits(finalists, fits, [simulate_fit(rng, noise[int(fit["trial"])]) for fit in fits])
    chosen = record_winner(study, finalists, 2)
    assert chosen is not None
    fits = winner_fits(study, 2, seed)
    further = open_finalists(storage, study, fits, "winner")  # type: ignore[arg-type]
    new_noise_C = DRAWINGS_SD * rng.standard_normal(N_ALPHABETS)
    add_fits(further, fits, [simulate_fit(rng, new_noise_C) for _ in fits])
    record_winner_accuracy(study, further)
    accuracy = winner_accuracy(study)
    assert accuracy is not None
    return float(np.mean(chosen["accuracies"][str(chosen["winner"])])), accuracy.mean


def test_the_winner_of_equal_configurations_is_reported_without_bias() -> None:
    as_finalist, unbiased = np.array([simulate_study(seed) for seed in range(N_STUDIES)]).T
    standard_error = unbiased.std() / N_STUDIES**0.5
    assert abs(unbiased.mean() - TRUE_ACCURACY) < 3 * standard_error
    assert as_finalist.mean() - TRUE_ACCURACY > 10 * standard_error, "the choice is biased"


@pytest.fixture
def study(tmp_path: Path, parts_20: Split) -> optuna.Study:
    """A study of which trial 1 won as a finalist."""
    study = opened(tmp_path, parts_20, TINY_20)
    space = search_space(TINY_20.space, TINY_20.image_size)
    for n, value in enumerate((0.5, 0.7)):
        study.add_trial(create_trial(value=value, params=small_params(n), distributions=space))
    study.set_user_attr(FINALISTS, {"accuracies": {"1": [0.6]}, "winner": 1, "first": 1})
    return study


def test_the_fits_of_the_winner_have_seeds_that_chose_nothing(study: optuna.Study) -> None:
    fits = winner_fits(study, 2, seed=7)
    assert fits == [{"trial": 1, "seed": 8}, {"trial": 1, "seed": 9}]
    finalist_seeds = {fit["seed"] for fit in finalist_fits(study, 2, 2, replace(TINY_20, seed=7))}
    assert not finalist_seeds & {fit["seed"] for fit in fits}
    study.set_user_attr(FINALISTS, {"accuracies": {"1": [0.6]}, "winner": 1, "first": 0})
    assert winner_fits(study, 2, 7) == [], "the winner was withdrawn"


def test_the_winner_is_evaluated_on_drawings_that_chose_nothing(
    study: optuna.Study, tmp_path: Path, parts_20: Split
) -> None:
    held_out, search = parts_20.held_out, objective(parts_20, tmp_path, settings=TINY_20)
    assert held_out is not None
    fits = winner_fits(study, 1, 0)
    further = open_finalists(study._storage, study, fits, "winner")  # type: ignore[arg-type]
    assert further.study_name == "s winner 1 x1"
    value = FinalistObjective(
        search, study, held_out, validation_episodes(TINY_20, held_out, seed=1), 1
    )
    further.optimize(value, n_trials=1)
    accuracies = record_winner_accuracy(study, further)
    assert accuracies == winner_accuracy(study)
    assert accuracies is not None
    assert accuracies.mean == further.trials[0].value
    assert accuracies.n_episodes_C == [240] * len(held_out.alphabets)


def test_fits_that_diverged_are_not_reported_as_measured(study: optuna.Study) -> None:
    further = optuna.create_study(direction="maximize")
    params = {"trial": 1, "seed": 2000}
    further.add_trial(create_trial(value=0.05, params=params, distributions=SPACE))
    assert record_winner_accuracy(study, further) is None
    assert winner_accuracy(study) is None


def test_the_accuracy_of_an_earlier_winner_is_not_that_of_another(study: optuna.Study) -> None:
    accuracies = ClusterAccuracies("alphabet", [[0.5]], [10])
    study.set_user_attr("winner_accuracy", {"winner": 0, "clusters": asdict(accuracies)})
    assert winner_accuracy(study) is None


def test_held_out_drawings_show_the_validation_characters_by_other_drawers(parts: Split) -> None:
    held_out = parts.held_out
    assert held_out is not None
    assert held_out.alphabets == parts.val.alphabets
    assert held_out.n_characters == parts.val.n_characters
    assert set(held_out.drawer_N.tolist()) == {16, 17, 18, 19}
    assert set(parts.val.drawer_N.tolist()) == {12, 13, 14, 15}


@pytest.mark.parametrize(("n_images", "n_held_out"), [(20, None), (21, None), (22, 2), (60, 20)])
def test_an_image_folder_holds_out_the_images_that_validation_does_not_use(
    n_images: int, n_held_out: int | None
) -> None:
    n_classes, n = 6, 6 * n_images
    drawings = Drawings(
        name="mine",
        digest="x",
        alphabets=("test", "train", "val"),
        images_NHW=torch.zeros(n, 5, 5, dtype=torch.uint8),
        alphabet_N=torch.arange(3).repeat_interleave(2 * n_images),
        character_N=torch.arange(n_classes).repeat_interleave(n_images),
        drawer_N=torch.arange(n_images).repeat(n_classes),
    )
    task = replace(TINY_20, validation="paper")
    official = validation_episodes(task, drawings.subset(["test"]), seed=1)
    split = split_dataset(Dataset(drawings, official))
    if n_held_out is None:
        assert split.held_out is None
    else:
        assert split.held_out is not None
        assert split.held_out.count_C.tolist() == [n_held_out] * 2
        assert set(split.held_out.drawer_N.tolist()) == set(range(20, 20 + n_held_out))


def test_the_only_complete_trial_is_the_winner_without_a_fit_as_a_finalist() -> None:
    storage = optuna.storages.InMemoryStorage()
    study = optuna.create_study(storage=storage, study_name="s", direction="maximize")
    study.set_user_attr(FOLDER, "folder")
    study.add_trial(create_trial(value=0.7))
    record_winner_without_fits(study)
    assert winning_trial(study) is None, "a single trial has no winner"
    study.add_trial(create_trial(state=TrialState.PRUNED, intermediate_values={1: 0.1}))
    record_winner_without_fits(study)
    assert "No trial was better" in study_headline(study)
    fits = winner_fits(study, 2, 0)
    assert fits == [{"trial": 0, "seed": 1}, {"trial": 0, "seed": 2}]
    further = open_finalists(storage, study, fits, "winner")  # type: ignore[arg-type]
    add_fits(further, fits, [simulate_fit(np.random.default_rng(0), np.zeros(N_ALPHABETS))] * 2)
    record_winner_accuracy(study, further)
    assert describe_value(study, study.trials[0]).endswith("; 70.0% in the search")
    assert study_headline(study).startswith("Winner: trial 0 with 7")
    study.add_trial(create_trial(value=0.8))
    assert winning_trial(study) is None, "a better trial is compared with it"
