"""Data frames of several studies, tested value by value, and the tables made of them."""

from dataclasses import asdict
from typing import Any

import made_studies
import optuna
import pandas as pd
import pytest

from hpo.report.studies.frames import band_frame, compute_frame, seed_groups, studies_frame
from hpo.report.studies.text import (
    comparability_warnings,
    comparison_table,
    list_table,
    stored_identities,
)
from hpo.report.study.frames import trial_frame
from hpo.search.finalists import SPACE as FINALIST_SPACE
from hpo.search.winner import WINNER_ACCURACY
from hpo.study.open import FOLDER
from hpo.study.trials import FINALISTS, STATES
from model.intervals import ClusterAccuracies

CLUSTERS = ClusterAccuracies("alphabet", [[0.5, 0.7]], [20, 20])


def rows_of(*studies: optuna.Study) -> pd.DataFrame:
    return studies_frame(studies[0]._storage, studies)  # type: ignore[arg-type]


def with_winner(study: optuna.Study, **changes: Any) -> None:
    finalists = {"accuracies": {"0": [0.6, 0.8], "4": [0.6]}, "winner": 0, "first": 4}
    study.set_user_attr(FINALISTS, finalists | changes)


def add_finalist_fit(study: optuna.Study, minute: int) -> None:
    study.set_user_attr(FOLDER, "folder")
    fits = optuna.create_study(
        study_name=f"{study.study_name} finalists 0-4 x1", storage=study._storage
    )
    fits.set_user_attr(FOLDER, "folder-0-4")
    fit = made_studies.trial("COMPLETE", [0.5], minute=minute)
    fit.params, fit.distributions = {"trial": 4, "seed": 1000}, FINALIST_SPACE
    fits.add_trial(fit)


def curves(**values: list[tuple[int, float]]) -> pd.DataFrame:
    """The frame of studies ``a_0``, ``a_1``, …; the letter is the group."""
    rows = [(name[0], name, *point) for name, points in values.items() for point in points]
    return pd.DataFrame(rows, columns=["group", "study", "images", "best"])


def test_a_study_is_a_row_of_counts_costs_and_accuracies() -> None:
    study = made_studies.mixed()
    add_finalist_fit(study, minute=20)
    [row] = rows_of(study).to_dict("records")
    assert [row[state] for state in STATES] == [4, 1, 1, 1, 1, 1, 0]
    assert (row["study"], row["data"], row["best"]) == ("made", "omniglot", 0.8)
    assert (row["search_images"], row["search_seconds"]) == (60, 180.0), "six fits"
    assert (row["images"], row["seconds"]) == (70, 210.0), "and one of a finalist"
    assert row["last"] == pd.Timestamp("2026-01-01 00:21")
    assert rows_of(study)[["as_finalist", "unbiased", "low", "high"]].isna().all(axis=None)


def test_the_accuracies_of_the_winner_are_shown_if_they_were_measured() -> None:
    study = made_studies.mixed()
    with_winner(study)
    assert rows_of(study)["as_finalist"].tolist() == [pytest.approx(0.7)]
    study.set_user_attr(WINNER_ACCURACY, {"winner": 0, "clusters": asdict(CLUSTERS)})
    [row] = rows_of(study).to_dict("records")
    assert row["unbiased"] == pytest.approx(0.6)
    assert row["low"] < 0.6 < row["high"]
    with_winner(study, diverged=[0])
    assert rows_of(study)["as_finalist"].isna().all(), "the mean contains chance level"


@pytest.mark.parametrize("n_waiting", [0, 1])
def test_a_study_without_an_ended_trial_has_a_row(n_waiting: int) -> None:
    study = made_studies.study()
    for _ in range(n_waiting):
        study.enqueue_trial({})
    frame = rows_of(study)
    assert frame[["best", "last"]].isna().all(axis=None)
    assert frame[["images", "seconds", "waiting"]].to_numpy().tolist() == [[0, 0, n_waiting]]


def test_studies_that_differ_only_by_their_seed_form_a_group() -> None:
    storage = optuna.storages.InMemoryStorage()
    studies = [
        made_studies.study("tpe-0", storage, seed=0),
        made_studies.study("tpe-1", storage, seed=1),
        made_studies.study("tpe seed 7", storage, seed=7),
        made_studies.study("tpe", storage, seed=8),
        made_studies.study("tpe-2", storage, seed=1),
        made_studies.study("random-1", storage, seed=1, sampler="random"),
        made_studies.study("other-3", storage, seed=3),
        made_studies.study("tpe-4", storage, seed=4, pruner="none"),
    ]
    label = "tpe-0 … tpe (4 seeds)"
    assert seed_groups(stored_identities(studies)) == {
        "tpe-0": label,
        "tpe-1": label,
        "tpe seed 7": label,
        "tpe": label,
        "tpe-2": "tpe-2",  # repeats a seed, so that it tells nothing about other seeds
        "random-1": "random-1",
        "other-3": "other-3",
        "tpe-4": "tpe-4",
    }


def test_measured_costs_of_a_step_and_versions_do_not_separate_seeds() -> None:
    one: dict[str, Any] = {"version": "1", "settings": {"seed": 0, "step_cost": {"ns_per_step": 1}}}
    two: dict[str, Any] = {"version": "2", "settings": {"seed": 1, "step_cost": {"ns_per_step": 2}}}
    assert len(set(seed_groups({"a-0": one, "a-1": two}).values())) == 1


def test_the_best_so_far_is_known_by_embedded_images() -> None:
    study = made_studies.mixed()
    frame = compute_frame({"made": trial_frame(study)}, {"made": "group"})
    expected = pd.DataFrame(
        {
            "group": "group",
            "study": "made",
            "images": [10.0, 20, 30, 30, 40, 40, 50, 60],
            "best": [0.7] * 4 + [0.8] * 4,
        }
    )
    pd.testing.assert_frame_equal(frame, expected)


def test_there_is_no_best_before_the_first_complete_trial() -> None:
    study = made_studies.study()
    study.add_trial(made_studies.trial("PRUNED", [0.9]))
    assert compute_frame({"made": trial_frame(study)}, {"made": "made"}).empty
    study.add_trial(made_studies.trial("COMPLETE", [0.4], minute=2))
    frame = compute_frame({"made": trial_frame(study)}, {"made": "made"})
    assert frame[["images", "best"]].to_numpy().tolist() == [[20.0, 0.4]]
    assert compute_frame({}, {}).empty


def test_a_band_is_over_all_seeds_of_a_group_and_ends_with_the_shortest() -> None:
    frame = band_frame(
        curves(a_0=[(10, 0.5), (30, 0.7), (90, 0.9)], a_1=[(20, 0.3), (30, 0.4), (40, 0.6)])
    )
    expected = pd.DataFrame(
        {
            "group": "a",
            "images": [20, 30, 40],
            "n": 2,
            "mean": [0.4, 0.55, 0.65],
            "lowest": [0.3, 0.4, 0.6],
            "highest": [0.5, 0.7, 0.7],
        }
    )
    pd.testing.assert_frame_equal(frame, expected)


def test_a_single_study_is_its_own_mean() -> None:
    frame = band_frame(curves(b_0=[(10, 0.5), (10, 0.6), (20, 0.6)], a_0=[(5, 0.1)]))
    expected = pd.DataFrame(
        {
            "group": ["b", "b", "a"],
            "images": [10, 20, 5],
            "n": 1,
            "mean": [0.6, 0.6, 0.1],
            "lowest": [0.6, 0.6, 0.1],
            "highest": [0.6, 0.6, 0.1],
        }
    )
    pd.testing.assert_frame_equal(frame, expected)
    assert band_frame(curves()).empty


def test_other_data_or_episodes_are_warned_about() -> None:
    one, two = {"data_digest": "0", "episodes": "1"}, {"data_digest": "0", "episodes": "2"}
    assert comparability_warnings({"a": one, "b": one}) == []
    [warning] = comparability_warnings({"a": one, "b": two, "c": one})
    assert "validation episodes (a, c | b)" in warning
    groups = [one | {"val_alphabets": [name]} for name in ("Latin", "Greek")]
    [warning] = comparability_warnings(dict(zip("ab", groups, strict=True)))
    assert "validation groups (a | b)" in warning, "the same positions in other groups"
    warnings = comparability_warnings({"a": one, "b": {"data_digest": "3"}})
    assert [("data (" in w, "episodes (" in w) for w in warnings] == [(True, False), (False, True)]


def test_the_comparison_shows_groups_only_if_a_group_has_several_studies() -> None:
    study = made_studies.mixed()
    with_winner(study)
    frame = rows_of(study)
    table = comparison_table(frame, {"made": "made"})
    assert table == [
        [
            "study",
            "complete",
            "pruned",
            "images",
            "hours",
            "images, all fits",
            "hours, all fits",
            "best in the search",
            "winner as a finalist",
            "winner, unbiased",
        ],
        ["made", "5", "1", "60", "0.05", "60", "0.05", "80.0%", "70.0%", "–"],
    ]
    two = pd.concat([frame, frame.assign(study="made-1", unbiased=0.6, low=0.5, high=0.7)])
    table = comparison_table(two, {"made": "both", "made-1": "both"})
    assert [row[:2] for row in table] == [["study", "group"], ["made", "both"], ["made-1", "both"]]
    assert table[2][-1] == "60.0% (50.0% to 70.0%)"


def test_the_list_shows_the_least_biased_accuracy() -> None:
    study = made_studies.mixed()
    states = "4 complete, 1 pruned, 1 diverged, 1 interrupted, 1 failed, 1 running"
    costs = ["60", "0.05", "paused", "2026-01-01 00:08"]

    def cells() -> list[str]:
        return list_table(rows_of(study).assign(state="paused"))[1]

    assert cells() == ["made", "omniglot", states, "80.0% best trial", *costs]
    with_winner(study)
    assert cells()[3] == "70.0% winner as a finalist"
    study.set_user_attr(WINNER_ACCURACY, {"winner": 0, "clusters": asdict(CLUSTERS)})
    assert cells()[3] == "60.0% winner"
    new = list_table(rows_of(made_studies.study()).assign(state="paused"))[1]
    assert new[2:] == ["none", "–", "0", "0.00", "paused", "–"]
