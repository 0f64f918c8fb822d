"""The objective on glyphs of 20 pixels. The tests that only read share one trained study."""

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any, Literal, NamedTuple

import optuna
import pytest
import torch
from optuna.pruners import HyperbandPruner, ThresholdPruner
from optuna.trial import FixedTrial, TrialState
from tiny import TINY_20, objective, opened, small_params, tiny_config, url

from data.episodes import Dataset
from data.errors import InputError
from data.splits import Split
from hpo.refit.plan import refit_config
from hpo.runtime.worker_phases import search_phase
from hpo.search.objective import Objective
from hpo.settings.base_config import base_config
from hpo.space.distributions import suggest_config
from hpo.study.open import load_study
from hpo.study.sampler import make_sampler
from hpo.study.storage import open_storage
from model.checkpoint import load_network
from model.fit_state import EpochResult, FitState

pytestmark = pytest.mark.usefixtures("one_thread")


class TrainedStudy(NamedTuple):
    study: optuna.Study
    objective: Objective
    folder: Path


@pytest.fixture(scope="module")
def trained(
    tmp_path_factory: pytest.TempPathFactory, parts_20: Split, one_thread: None
) -> TrainedStudy:
    """A study of three trials of small networks, two of which it keeps."""
    folder = tmp_path_factory.mktemp("trained")
    study = opened(folder, parts_20, TINY_20)
    for n in range(3):
        study.enqueue_trial(small_params(n))
    (folder / "files").mkdir()
    network_objective = objective(parts_20, folder / "files", n_networks=2, settings=TINY_20)
    study.optimize(network_objective, n_trials=3)
    network_objective.files.delete_obsolete(study)
    return TrainedStudy(study, network_objective, folder)


def test_a_trial_reports_every_epoch_and_records_its_cost(trained: TrainedStudy) -> None:
    for trial in trained.study.trials:
        assert trial.state == TrialState.COMPLETE
        assert list(trial.intermediate_values) == [1, 2]
        assert trial.value == max(trial.intermediate_values.values())
        attributes = trial.user_attrs
        config = suggest_config(FixedTrial(trial.params), base_config(TINY_20), TINY_20.space)
        assert attributes["config_digest"] == config.digest
        assert attributes["epochs"] == 2
        assert attributes["n_images"] == 2 * config.fit.steps_per_epoch * 128
        others = sum(config.conv.filters) + 2 * config.conv.units + 1  # biases, and the head
        assert attributes["n_parameters"] == config.conv.n_weights + others
        assert attributes["flops_per_image"] == config.conv.flops
        assert attributes["seconds"] > 0
        assert (attributes["stopped"], attributes["diverged"]) == ("all epochs done", None)


def test_only_trials_with_a_shared_seed_have_equal_values(
    trained: TrainedStudy, tmp_path: Path
) -> None:
    params = trained.study.trials[0].params
    cases: list[tuple[Literal["own", "shared"], int]] = [("own", 2), ("shared", 1)]
    for seeds, n_values in cases:
        study = optuna.create_study(direction="maximize")
        study.enqueue_trial(params)
        study.enqueue_trial(params)
        files = replace(trained.objective.files, folder=tmp_path / seeds)
        files.folder.mkdir()
        settings = replace(TINY_20, trial_seeds=seeds)
        study.optimize(replace(trained.objective, files=files, settings=settings), n_trials=2)
        assert len({trial.value for trial in study.trials}) == n_values


def test_only_the_networks_of_the_best_trials_remain(
    trained: TrainedStudy, parts_20: Split
) -> None:
    ranked = sorted(trained.study.trials, key=lambda trial: -(trial.value or 0.0))
    expected = {f"{trial.number}.network.pt" for trial in ranked[:2]}
    assert {path.name for path in (trained.folder / "files").iterdir()} == expected
    _, config, metadata = load_network(trained.objective.files.network(ranked[0].number))
    assert config.digest == ranked[0].user_attrs["config_digest"]
    assert metadata["data_digest"] == parts_20.train.digest
    assert metadata["seed"] == ranked[0].user_attrs["seed"]
    assert len(metadata["history"]) == metadata["epochs"] == 2
    assert trained.objective.files.describe().startswith("2 networks")


def test_a_refit_builds_the_configuration_of_the_search(trained: TrainedStudy) -> None:
    _, settings = load_study(open_storage(url(trained.folder), create=False), None)
    assert settings == TINY_20
    trial = trained.study.trials[2]
    config = refit_config(settings, trial.params, max_epochs=2, mirrors=False)
    assert config.digest == trial.user_attrs["config_digest"]
    assert refit_config(settings, trial.params, None).fit.max_epochs == 2
    assert refit_config(settings, trial.params, mirrors=True).fit.mirrors


def test_the_objective_of_a_worker_holds_no_test_drawing(
    in_tmp: Path, packed: Dataset, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("hpo.study.dataset.load_dataset", lambda *_, **__: packed)
    run = tiny_config(in_tmp, device="cpu", precision="float32")
    worker_objective = search_phase(run).objective
    assert isinstance(worker_objective, Objective)
    train, val = worker_objective.train, worker_objective.validation.drawings
    assert all(name.startswith("train") for name in train.alphabets)
    assert all(name.startswith("val") for name in val.alphabets)
    reachable = {i.numpy().tobytes() for part in (train, val) for i in part.images_NHW}
    test_names = [name for name in packed.drawings.alphabets if name.startswith("test")]
    test = packed.drawings.subset(test_names)
    assert not reachable & {i.numpy().tobytes() for i in test.images_NHW}


@pytest.fixture
def _fake_fit(monkeypatch: pytest.MonkeyPatch) -> None:
    """Fits of two epochs that do not train; accuracy 0.3, then 0.6."""

    def fake(state: FitState, *_: Any, **__: Any) -> Iterator[EpochResult]:
        for epoch, stopped in ((1, None), (2, "all epochs done")):
            state.history.append(EpochResult(epoch, 1.0, 0.3 * epoch, 10, 0.1, stopped))
            yield state.history[-1]

    monkeypatch.setattr("hpo.search.objective.fit", fake)


@pytest.mark.usefixtures("_fake_fit")
def test_a_pruned_trial_records_its_cost(tmp_path: Path, parts_20: Split) -> None:
    study = optuna.create_study(direction="maximize", pruner=ThresholdPruner(lower=0.5))
    study.optimize(objective(parts_20, tmp_path, settings=TINY_20), n_trials=2)
    default, last = study.trials
    assert default.state == TrialState.COMPLETE, "never pruned"
    assert last.state == TrialState.PRUNED
    assert last.intermediate_values == {1: 0.3}
    assert last.user_attrs["epochs"] == 1


@pytest.mark.usefixtures("_fake_fit")
def test_a_trial_is_not_pruned_after_its_last_epoch(tmp_path: Path, parts_20: Split) -> None:
    pruner = ThresholdPruner(lower=0.9, n_warmup_steps=2)
    study = optuna.create_study(direction="maximize", pruner=pruner)
    study.optimize(objective(parts_20, tmp_path, settings=TINY_20), n_trials=2)
    assert study.trials[1].state == TrialState.COMPLETE, "the first one, the default, never is"
    assert study.trials[1].value == 0.6


@pytest.mark.usefixtures("_fake_fit")
def test_a_retry_is_not_pruned_at_an_epoch_that_its_original_has_passed(
    tmp_path: Path, parts_20: Split, monkeypatch: pytest.MonkeyPatch
) -> None:
    resume = Objective._resume_or_start

    def with_two_epochs(*args: Any) -> FitState:
        state = resume(*args)
        state.history += [EpochResult(epoch, 1.0, 0.3, 10, 0.1, None) for epoch in (1, 2)]
        return state

    study = optuna.create_study(direction="maximize", pruner=ThresholdPruner(lower=0.5))
    study.optimize(objective(parts_20, tmp_path, settings=TINY_20), n_trials=1)
    monkeypatch.setattr(Objective, "_resume_or_start", with_two_epochs)
    study.optimize(objective(parts_20, tmp_path, settings=TINY_20), n_trials=1)
    assert study.trials[1].state == TrialState.COMPLETE


@pytest.mark.usefixtures("_fake_fit")
def test_hyperband_works_with_our_sampler(tmp_path: Path, parts_20: Split) -> None:
    pruner = HyperbandPruner(min_resource=1, max_resource=2)
    sampler = make_sampler("random", 0)
    study = optuna.create_study(direction="maximize", sampler=sampler, pruner=pruner)
    study.optimize(objective(parts_20, tmp_path, settings=TINY_20), n_trials=4)
    assert all(trial.state.is_finished() for trial in study.trials)
    assert study.best_value == 0.6


def test_a_diverged_trial_is_complete_at_chance_level(
    tmp_path: Path, parts_20: Split, monkeypatch: pytest.MonkeyPatch
) -> None:
    last = EpochResult(2, float("nan"), 0.05, 10, 0.1, "non-finite loss")

    def diverge(state: FitState, *_: Any, **__: Any) -> Iterator[EpochResult]:
        state.history += [replace(last, epoch=1, loss=1.0, accuracy=0.6, stopped=None), last]
        yield last

    monkeypatch.setattr("hpo.search.objective.fit", diverge)
    study = optuna.create_study(direction="maximize")
    study.optimize(objective(parts_20, tmp_path, settings=TINY_20), n_trials=1)
    assert study.trials[0].value == 1 / 20
    assert study.trials[0].user_attrs["diverged"] == "non-finite loss"


@pytest.mark.usefixtures("_fake_fit")
def test_a_checkpoint_that_cannot_be_read_now_is_kept(
    tmp_path: Path, parts_20: Split, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(*_: object, **__: object) -> None:
        raise OSError("stale file handle")

    study = optuna.create_study(direction="maximize")
    (tmp_path / "0.fit.pt").write_bytes(b"on a shared folder")
    monkeypatch.setattr(torch, "load", fail)
    with pytest.raises(InputError, match=r"0\.fit\.pt.*stale"):
        study.optimize(objective(parts_20, tmp_path, settings=TINY_20), n_trials=1)
    assert (tmp_path / "0.fit.pt").exists()


@pytest.mark.usefixtures("_fake_fit")
def test_a_truncated_checkpoint_costs_only_the_epochs_of_its_trial(
    tmp_path: Path, parts_20: Split
) -> None:
    study = optuna.create_study(direction="maximize")
    (tmp_path / "0.fit.pt").write_bytes(b"truncated")
    tiny_objective = objective(parts_20, tmp_path, settings=TINY_20)
    with pytest.warns(UserWarning, match=r"0\.fit\.pt.*deleted"):
        study.optimize(tiny_objective, n_trials=1)
    assert study.trials[0].state == TrialState.COMPLETE
    assert not (tmp_path / "0.fit.pt").exists()
