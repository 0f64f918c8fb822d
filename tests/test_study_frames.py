"""Data frames of a study, tested value by value; the plots of them are tested elsewhere."""

from datetime import timedelta

import made_studies
import numpy as np
import optuna
import pandas as pd
import pytest

from hpo.report.study import analysis, frames
from hpo.report.study.analysis import interpolate
from hpo.study.open import IDENTITY
from hpo.study.trials import FINALISTS


def test_trial_frame_has_a_row_for_a_trial_of_any_state() -> None:
    frame = frames.trial_frame(made_studies.mixed())
    assert frame["state"].tolist() == [
        "complete",
        "pruned",
        "diverged",
        "interrupted",
        "complete",
        "failed",
        "complete",
        "complete",
        "running",
    ]
    assert frame["value"].fillna(-1).tolist() == [0.7, 0.2, 0.05, -1, 0.8, -1, 0.6, 0.65, -1]
    assert frame["n_epochs"].tolist() == [2, 1, 1, 1, 2, 0, 2, 2, 1]
    assert frame["seconds"].isna().tolist() == [i in (3, 5, 8) for i in range(9)]
    assert frame["flops"][7] == 8e6
    assert frames.parameter_names(frame) == list(made_studies.SPACE)


def test_best_is_that_of_complete_trials_and_cost_that_of_all() -> None:
    progress = frames.progress_frame(frames.trial_frame(made_studies.mixed()))
    assert progress["trial"].tolist() == list(range(8)), "sorted by end"
    assert progress["best"].tolist() == [0.7] * 4 + [0.8] * 4
    assert progress["cost"].tolist() == [30, 60, 90, 90, 120, 120, 150, 180]


def test_best_is_nan_before_the_first_complete_trial() -> None:
    study = made_studies.study()
    study.add_trials(
        [made_studies.trial("PRUNED", [0.9]), made_studies.trial("COMPLETE", [0.4], minute=2)]
    )
    best = frames.progress_frame(frames.trial_frame(study))["best"]
    assert np.isnan(best.iloc[0])
    assert best.iloc[1] == 0.4


def test_trials_that_end_out_of_order_can_be_sorted_by_number() -> None:
    study = made_studies.study()
    study.add_trials(
        [made_studies.trial("COMPLETE", [v], minute=m) for v, m in ((0.4, 9), (0.3, 1))]
    )
    frame = frames.trial_frame(study)
    assert frames.progress_frame(frame)["best"].tolist() == [0.3, 0.4]
    by_number = frames.progress_frame(frame, by="trial")
    assert by_number["trial"].tolist() == [0, 1]
    assert by_number["best"].tolist() == [0.4, 0.4]


def test_curve_frame_has_every_reported_epoch() -> None:
    curves = frames.curve_frame(made_studies.mixed())
    first = curves[curves["trial"] == 0]
    pd.testing.assert_frame_equal(
        first,
        pd.DataFrame(
            {"trial": [0, 0], "epoch": [1, 2], "accuracy": [0.5, 0.7], "state": ["complete"] * 2}
        ),
    )
    assert len(curves) == 12


def test_training_time_adds_up_by_state() -> None:
    frame = frames.trial_frame(made_studies.mixed())
    costs = frames.cost_frame(frame, frame.head(2)).set_index("group")
    assert costs["n_fits"].to_dict() == {
        "complete": 4,
        "pruned": 1,
        "diverged": 1,
        "interrupted": 1,
        "failed": 1,
        "finalists": 2,
    }
    assert costs["seconds"].to_dict() == {
        "complete": 120,
        "pruned": 30,
        "diverged": 30,
        "interrupted": 0,
        "failed": 0,
        "finalists": 60,
    }


def test_the_pareto_front_is_found() -> None:
    frame = frames.pareto_frame(frames.trial_frame(made_studies.mixed()))
    assert frame["trial"].tolist() == [0, 4, 6, 7], "sorted by FLOPs"
    assert frame["front"].tolist() == [True, True, False, False]


def test_best_rows_are_the_best_quarter_but_at_least_five() -> None:
    assert frames.best_rows(frames.trial_frame(made_studies.mixed()))["trial"].tolist() == [
        4,
        0,
        7,
        6,
    ]
    values = [i / 100 for i in range(40)]
    frame = pd.DataFrame({"state": ["complete"] * 40 + ["pruned"], "value": [*values, 1.0]})
    assert frames.best_rows(frame)["value"].tolist() == values[:-11:-1]


def test_layer_rate_frame_joins_rate_and_momentum_of_a_layer() -> None:
    frame = frames.trial_frame(made_studies.mixed())
    rates = frames.layer_rate_frame(frame)
    assert len(rates) == 4 * 6
    row = rates[(rates["trial"] == 4) & (rates["layer"] == "fc1")].iloc[0]
    assert row["lr"] == frame["fc1.lr"][4]
    assert row["momentum"] == frame["fc1.momentum"][4]
    assert frames.layer_rate_frame(frame.drop(columns=["fc1.momentum"]))["layer"].nunique() == 5


def test_finalists_are_sorted_by_their_mean() -> None:
    study = made_studies.mixed()
    assert frames.finalist_frame(study).empty
    finalists = {"accuracies": {"0": [0.6, 0.8], "4": [0.75, 0.79]}, "winner": 4, "first": 4}
    study.set_user_attr(FINALISTS, finalists)
    scores = frames.finalist_frame(study)
    assert scores["trial"].tolist() == [4, 0]
    assert scores["n"].tolist() == [2, 2]
    assert scores["mean"].tolist() == pytest.approx([0.77, 0.7])
    assert scores["lowest"].tolist() == [0.75, 0.6]
    assert scores["highest"].tolist() == [0.79, 0.8]
    assert scores["sd"].tolist() == pytest.approx([np.std([0.75, 0.79], ddof=1), 0.2 / 2**0.5])


def test_log_scale_parameters_are_read_from_the_distributions() -> None:
    log = frames.log_scale_parameters(made_studies.mixed())
    assert {"conv1.lr", "fc1.l2"} <= log
    assert not {"conv1.momentum", "fc1.units"} & log


def test_the_rate_counts_only_time_in_which_a_trial_was_running() -> None:
    frame = frames.trial_frame(made_studies.mixed())
    # Six trials of one minute each were completed or pruned; another is running since minute 8.
    now = made_studies.START + timedelta(minutes=12)
    assert frames.trials_per_hour(frame, now) == pytest.approx(6 / (10 / 60))
    ended = frame[frame["state"] != "running"]
    assert frames.trials_per_hour(ended, now) == pytest.approx(60)
    late = ended.assign(end=ended["end"].where(ended["trial"] < 7, ended["end"] + timedelta(1)))
    late["start"] = ended["start"].where(ended["trial"] < 7, ended["start"] + timedelta(1))
    assert frames.trials_per_hour(late, now) == pytest.approx(60), "a pause of a day does not count"
    assert frames.trials_per_hour(frame.head(1), now) is None


def test_rows_are_thinned_evenly() -> None:
    frame = pd.DataFrame({"trial": range(1000)})
    assert frames.thin_rows(frame, 400)["trial"].tolist() == list(range(0, 1000, 3))
    assert len(frames.thin_rows(frame, 1000)) == 1000


def test_a_parameter_named_like_a_column_does_not_replace_it() -> None:
    study = optuna.create_study(direction="maximize")
    study.enqueue_trial({"trial": 7, "seed": 1})
    study.optimize(lambda t: t.suggest_int("trial", 0, 9) + t.suggest_int("seed", 0, 9), n_trials=1)
    frame = frames.trial_frame(study)
    assert frame["trial"].tolist() == [0]
    assert frame["seed"].tolist() == [1]


def test_importances_add_up_to_one_and_find_the_parameter_that_matters() -> None:
    study, rng = made_studies.study(), np.random.default_rng(0)
    for i in range(60):
        trial = made_studies.trial("COMPLETE", [0.1], seed=i)
        trial.value = 0.5 + 0.4 * trial.params["conv2.momentum"] + 0.01 * rng.random()
        study.add_trial(trial)
    importances = analysis.importance_frame(study)
    assert importances["importance"].sum() == pytest.approx(1)
    assert importances["parameter"][0] == "conv2.momentum"
    assert importances["importance"][0] > 0.3


def test_importances_of_too_few_trials_are_empty(capsys: pytest.CaptureFixture[str]) -> None:
    study = made_studies.study()
    study.add_trials([made_studies.trial("COMPLETE", [0.5 + i / 100], seed=i) for i in range(9)])
    assert analysis.importance_frame(study).empty
    study.add_trial(made_studies.trial("PRUNED", [0.1], seed=9))
    capsys.readouterr()
    assert not analysis.importance_frame(study).empty
    assert capsys.readouterr().err == "", "Optuna does not say that a study was created"


def test_the_best_trials_are_those_that_trained_longest() -> None:
    study = made_studies.study()
    study.add_trials(
        [
            made_studies.trial("PRUNED", [0.3, 0.4, 0.9]),
            made_studies.trial("COMPLETE", [0.3, 0.4, 0.5, 0.6]),
            made_studies.trial("PRUNED", [0.7]),
            made_studies.trial("COMPLETE", [0.05], diverged="collapsed"),
            made_studies.trial("COMPLETE", [0.3, 0.8]),  # its patience ended
            made_studies.trial("FAIL", [0.9]),
            made_studies.trial("PRUNED", [0.8]),
        ]
    )
    assert [trial.number for trial in analysis.ranked_trials(study)] == [4, 1, 0, 6, 2, 3]


def test_the_importance_of_pruned_trials_is_that_of_their_length() -> None:
    study, rng = made_studies.study(), np.random.default_rng(0)
    for i in range(60):
        momentum = made_studies.trial("PRUNED", [0.1], seed=i).params["conv2.momentum"]
        n_epochs = 1 + int(3 * momentum)
        study.add_trial(made_studies.trial("PRUNED", [*rng.random(n_epochs)], seed=i))
    assert analysis.importance_frame(study)["parameter"][0] == "conv2.momentum"


def test_interpolation_is_exact_for_a_plane_on_a_log_scale() -> None:
    x, y = np.meshgrid([1e-4, 1e-3, 1e-2], [0.0, 0.5, 1.0])
    value = 0.1 * (np.log10(x) + 4) + 0.2 * y
    frame = pd.DataFrame({"x": x.ravel(), "y": y.ravel(), "value": value.ravel()})
    frame["state"] = "complete"
    grid = interpolate(frame, "x", "y", {"x"})
    assert grid is not None
    xs, ys, values = grid
    assert (xs[0], xs[-1]) == pytest.approx((1e-4, 1e-2))
    expected = 0.1 * (np.log10(xs)[None] + 4) + 0.2 * ys[:, None]
    np.testing.assert_allclose(values, expected, atol=1e-6)
    assert interpolate(frame[frame["y"] == 0.5], "x", "y", {"x"}) is None
    assert interpolate(frame.head(3), "x", "y", {"x"}) is None
    diagonal = frame[frame.index.isin([0, 4, 8])]
    assert interpolate(pd.concat([diagonal, diagonal]), "x", "y", {"x"}) is None


def test_random_searches_in_the_same_space_are_found() -> None:
    storage = optuna.storages.InMemoryStorage()
    study = made_studies.study("searched", storage, n_pairs=10)
    made_studies.study(
        "other pruner and seed", storage, sampler="random", pruner="none", seed=3, n_pairs=10
    )
    made_studies.study("not random", storage, sampler="gp", n_pairs=10)
    made_studies.study("other data", storage, sampler="random", data="glyphs", n_pairs=10)
    optuna.create_study(study_name="of another program", storage=storage)
    old = made_studies.study("before schema 2", storage, sampler="random", n_pairs=10)
    identity = old.user_attrs[IDENTITY]
    identity["settings"]["pairs"] = identity["settings"].pop("n_pairs")
    old.set_user_attr(IDENTITY, identity | {"version": "0.1"})
    slow = made_studies.study("other machine", storage, sampler="random", n_pairs=10)
    identity = slow.user_attrs[IDENTITY]
    identity["settings"]["step_cost"] = {"step": 1.0}
    slow.set_user_attr(IDENTITY, identity)
    peers = analysis.random_search_studies(storage, study)  # type: ignore[arg-type]
    names = ["other pruner and seed", "before schema 2", "other machine"]
    assert [p.study_name for p in peers] == names
    assert analysis.best_so_far_frame(peers).empty
    peers[1].add_trial(made_studies.trial("COMPLETE", [0.4]))
    best = analysis.best_so_far_frame(peers)
    assert best.to_dict("records") == [
        {"study": "before schema 2", "trial": 0, "cost": 30, "best": 0.4}
    ]
