from dataclasses import replace
from pathlib import Path
from typing import Any

import optuna
import pytest
from optuna.pruners import HyperbandPruner, ThresholdPruner
from optuna.trial import FixedTrial, TrialState
from tiny import TINY, objective, opened, url

from data.episodes import Dataset
from data.splits import Split
from hpo.runtime.worker import search_phase
from hpo.search.objective import Objective
from hpo.space.configuration import suggest_config
from hpo.study.budget import Budget
from hpo.study.sampler import make_sampler
from hpo.study.settings import RunConfig, base_config
from model.checkpoint import load_network
from model.fit_state import EpochResult


def test_a_trial_records_what_it_cost_and_reports_every_epoch(tmp_path: Path, parts: Split) -> None:
    study = opened(tmp_path, parts)
    study.optimize(objective(parts, tmp_path), n_trials=1)
    trial = study.trials[0]
    assert trial.state == TrialState.COMPLETE
    assert list(trial.intermediate_values) == [1, 2]
    assert trial.value == max(trial.intermediate_values.values())
    attrs = trial.user_attrs
    assert attrs["epochs"] == 2
    assert attrs["n_images"] == 2 * 2 * 128
    assert attrs["n_parameters"] > 1e6
    assert attrs["flops_per_image"] == base_config(TINY).model.flops
    assert attrs["seconds"] > 0
    assert (attrs["stopped"], attrs["diverged"]) == ("all epochs done", None)
    config = suggest_config(FixedTrial(trial.params), base_config(TINY), TINY.search)
    assert attrs["config_digest"] == config.digest


def test_the_same_parameters_give_the_same_value(tmp_path: Path, parts: Split) -> None:
    values = []
    for _ in range(2):
        study = optuna.create_study(direction="maximize", sampler=make_sampler("random", 5))
        study.optimize(objective(parts, tmp_path), n_trials=1)
        values.append(study.best_value)
    assert values[0] == values[1]


def test_the_objective_of_a_study_is_handed_no_test_drawing(
    in_tmp: Path, packed: Dataset, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("hpo.runtime.worker.load_dataset", lambda *_: packed)
    run_config = RunConfig(TINY, url(in_tmp), "s", Budget(1), device="cpu", precision="float32")
    made = search_phase(run_config).goal
    assert isinstance(made, Objective)
    assert all(name.startswith("train") for name in made.train.alphabets)
    assert all(name.startswith("val") for name in made.validation.drawings.alphabets)
    held = {i.numpy().tobytes() for i in made.train.images_NHW}
    held |= {i.numpy().tobytes() for i in made.validation.drawings.images_NHW}
    test_names = [name for name in packed.drawings.alphabets if name.startswith("test")]
    test = packed.drawings.only(test_names)
    assert not held & {i.numpy().tobytes() for i in test.images_NHW}


@pytest.mark.parametrize(
    "pruner",
    [ThresholdPruner(lower=0.99), HyperbandPruner(min_resource=1, max_resource=2)],
    ids=["threshold", "hyperband"],
)
def test_a_hopeless_trial_is_pruned_and_records_what_it_cost(
    pruner: optuna.pruners.BasePruner, tmp_path: Path, parts: Split
) -> None:
    study = optuna.create_study(
        direction="maximize", sampler=make_sampler("random", 0), pruner=pruner
    )
    study.optimize(objective(parts, tmp_path), n_trials=4)
    pruned = [t for t in study.trials if t.state == TrialState.PRUNED]
    if isinstance(pruner, ThresholdPruner):
        assert len(pruned) == 4
        assert [list(t.intermediate_values) for t in pruned] == [[1]] * 4
    for trial in study.trials:
        assert trial.user_attrs["epochs"] == len(trial.intermediate_values)
        assert trial.user_attrs["seconds"] > 0


def test_a_diverging_trial_completes_at_chance_with_its_reason(
    tmp_path: Path, parts: Split, monkeypatch: pytest.MonkeyPatch
) -> None:
    dead = EpochResult(1, float("nan"), 0.05, 10, 0.1, "non-finite loss")

    def dying(state: Any, *_: Any, **__: Any) -> Any:
        state.history.append(replace(dead, accuracy=0.6, stopped=None))
        state.history.append(dead)
        yield dead

    monkeypatch.setattr("hpo.search.objective.fit", dying)
    study = optuna.create_study(direction="maximize")
    study.optimize(objective(parts, tmp_path), n_trials=1)
    assert study.trials[0].value == 1 / 20
    assert study.trials[0].user_attrs["diverged"] == "non-finite loss"


def test_the_networks_of_the_best_trials_are_kept_and_no_other_file(
    tmp_path: Path, parts: Split
) -> None:
    study, goal = opened(tmp_path, parts), objective(parts, tmp_path, n_best=2)
    study.optimize(goal, n_trials=4)
    goal.files.delete_obsolete(study)
    ranked = sorted(study.trials, key=lambda trial: -(trial.value or 0.0))
    expected = {f"{trial.number}.network.pt" for trial in ranked[:2]}
    assert {path.name for path in tmp_path.glob("*.pt")} == expected
    _, config, facts = load_network(tmp_path / f"{ranked[0].number}.network.pt")
    assert config.digest == ranked[0].user_attrs["config_digest"]
    assert facts["data_digest"] == parts.train.digest
    assert goal.files.describe().startswith("2 networks")


def test_a_torn_checkpoint_costs_the_trial_its_epochs_and_no_more(
    tmp_path: Path, parts: Split
) -> None:
    study = opened(tmp_path, parts)
    (tmp_path / "0.fit.pt").write_bytes(b"torn")
    with pytest.warns(UserWarning, match=r"0\.fit\.pt is torn.*starts over"):
        study.optimize(objective(parts, tmp_path), n_trials=1)
    assert study.trials[0].state == TrialState.COMPLETE
    objective(parts, tmp_path).files.delete_obsolete(study)
    assert not (tmp_path / "0.fit.pt").exists()
