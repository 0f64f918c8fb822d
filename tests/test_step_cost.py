"""The costs of a step: measured when a study is created, and kept with it."""

import os
import re
from dataclasses import asdict, astuple, replace
from pathlib import Path
from typing import Any

import numpy as np
import optuna
import pytest
import torch
from crashing import TINY_STUDY, pack_20, tiny_run
from test_supervisor import FakeLauncher
from tiny import part_of_paper

from data.episodes import Dataset
from data.errors import InputError
from hpo.report.study.frames import trial_frame
from hpo.report.study.text import study_facts
from hpo.runtime import step_costs
from hpo.runtime.phases import run_phases
from hpo.runtime.start import StudyStart
from hpo.runtime.step_costs import measure_in_new_process
from hpo.settings.base_config import TYPICAL, base_config, typical_config
from hpo.settings.sections import DEFAULT_EPOCHS
from hpo.settings.study_settings import StudyConfig, StudySettings
from hpo.settings.value_types import parse_step_cost
from hpo.space.configuration import build_config
from hpo.space.files import built_in_space
from hpo.study.budget import planned_length
from hpo.study.identity import settings_of
from hpo.study.open import IDENTITY, load_study
from hpo.study.plan import EPOCH_SECONDS
from hpo.study.storage import open_storage
from model import step_cost
from model.architecture import ModelConfig
from model.config import REFERENCE_COST, Config, StepCost
from model.device import ComputeConfig
from model.start_network import StartNetwork
from model.step_cost import (
    fit_costs,
    measure_epoch_seconds,
    measure_step_cost,
    probe_configs,
)

OTHER_COST = StepCost(2.4e-3, 1.1, 0.5, 1.6, 7.9e6)  # measured on a CPU without AMX
SEARCH = replace(TINY_STUDY, space=part_of_paper("lr", "units"), step_cost=None)

CPU = ComputeConfig(torch.device("cpu"))
SMALL_MODEL = ModelConfig(16, filters=(4, 4, 4, 8), kernels=(1, 1, 1, 1), units=32)
SMALL_BASE = replace(base_config(StudySettings(image_size=16)), model=SMALL_MODEL)


class RecordedRun(FakeLauncher):
    """A launcher whose worker ends at once, and that keeps its run."""

    def __init__(self) -> None:
        super().__init__(None)
        self.runs: list[StudyConfig] = []

    def start(self, run: StudyConfig, phase: str, index: int) -> None:
        self.runs.append(run)
        super().start(run, phase, index)


def crash(*_: object) -> None:
    os.abort()


def work_of(configs: list[Config]) -> np.ndarray:
    return np.array([[*config.work.values(), 1] for config in configs], dtype=float)


@pytest.mark.parametrize("image_size", [16, 35, 105])
@pytest.mark.parametrize("cost", [OTHER_COST, REFERENCE_COST])
def test_the_costs_of_a_machine_are_found(cost: StepCost, image_size: int) -> None:
    configs = probe_configs(base_config(StudySettings(image_size=image_size)))
    work = work_of(configs)
    ns = work @ np.array(astuple(cost))
    found = np.array(fit_costs(work, ns))
    assert (found >= 0).all()
    assert work @ found == pytest.approx(ns, rel=0.02)


def test_a_disturbed_measurement_changes_the_costs_little() -> None:
    base = base_config(StudySettings())
    work = work_of(probe_configs(base))
    rng = np.random.default_rng(0)
    for _ in range(20):
        ns = work @ np.array(astuple(OTHER_COST)) * rng.uniform(0.9, 1.1, len(work))
        found = np.array(fit_costs(work, ns))
        assert (found >= 0).all()
        assert work @ found == pytest.approx(work @ np.array(astuple(OTHER_COST)), rel=0.2)


def test_a_step_is_measured_with_one_thread(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(step_cost, "MAX_SECONDS", 0.0)
    monkeypatch.setattr(step_cost, "MIN_ROUNDS", 1)
    n_threads = torch.get_num_threads()
    seen: list[int] = []
    seconds = step_cost._seconds

    def record(*args: object) -> float:
        seen.append(torch.get_num_threads())
        return seconds(*args)  # type: ignore[arg-type]

    monkeypatch.setattr(step_cost, "_seconds", record)
    cost = measure_step_cost(SMALL_BASE, CPU)
    assert min(astuple(cost)) >= 0
    assert set(seen) == {1}
    assert torch.get_num_threads() == n_threads


def test_colour_images_are_measured() -> None:
    colour = replace(SMALL_BASE, model=replace(SMALL_BASE.conv, channels=3))
    step_cost._step_of(probe_configs(colour)[-1], CPU)()


def test_the_costs_of_a_study_set_the_steps_of_its_trials() -> None:
    settings = StudySettings(steps_per_epoch=1000)
    values = {"conv2.kernel": 6}
    steps = {
        cost: build_config(base_config(replace(settings, step_cost=cost)), values).fit
        for cost in (REFERENCE_COST, OTHER_COST)
    }
    few, many = steps[OTHER_COST].steps_per_epoch, steps[REFERENCE_COST].steps_per_epoch
    assert few < 0.8 * many


@pytest.mark.parametrize("image_size", [28, 35, 105])
def test_the_default_has_the_same_steps_by_any_costs(image_size: int) -> None:
    standard = built_in_space("standard")
    default = standard.resolve(standard.starting_points(image_size)[0])
    settings = StudySettings(image_size=image_size)
    steps = {
        build_config(base_config(replace(settings, step_cost=cost)), default).fit.steps_per_epoch
        for cost in (None, REFERENCE_COST, OTHER_COST)
    }
    assert len(steps) == 1


def test_the_steps_of_a_point_do_not_depend_on_the_default_of_the_space() -> None:
    settings = StudySettings(step_cost=OTHER_COST)
    other = replace(settings, space=built_in_space("paper"))
    point = {"conv2.kernel": 6}
    assert build_config(base_config(settings), point) == build_config(base_config(other), point)


def test_all_epochs_have_the_same_cost() -> None:
    settings = StudySettings(steps_per_epoch=10_000, step_cost=OTHER_COST)
    base, typical = base_config(settings), typical_config(settings)
    larger = build_config(base, {"conv2.kernel": 6})
    costs = [each.fit.steps_per_epoch * each.cost for each in (typical, larger)]
    assert costs == pytest.approx([base.epoch_cost] * 2, rel=1e-3)


@pytest.mark.parametrize("cost", [None, REFERENCE_COST, OTHER_COST])
def test_a_fit_from_a_network_has_as_many_steps_as_others(
    cost: StepCost | None,
) -> None:
    settings = StudySettings(step_cost=cost)
    default = build_config(base_config(settings), TYPICAL)
    assert isinstance(default.model, ModelConfig)
    start = StartNetwork("a.pt", "0" * 64, default.model)
    started = build_config(base_config(replace(settings, start_from=start)), {})
    assert started.fit.steps_per_epoch == default.fit.steps_per_epoch
    assert typical_config(replace(settings, start_from=start)) == started


def test_an_epoch_of_the_papers_recipe_is_measured_with_the_papers_network() -> None:
    settings = StudySettings(recipe="paper")
    assert typical_config(settings) == base_config(settings)


def test_costs_are_not_part_of_a_configuration() -> None:
    reference = base_config(StudySettings())
    other = base_config(StudySettings(step_cost=OTHER_COST))
    assert (other, other.digest) == (reference, reference.digest)
    assert other.cost != reference.cost


def test_a_new_study_measures_the_costs_and_keeps_them(
    packed_105: Dataset,
    in_tmp: Path,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
) -> None:
    caplog.set_level("INFO")
    packed = pack_20(packed_105, in_tmp)
    run = tiny_run(in_tmp, packed, settings=SEARCH)
    monkeypatch.setattr(step_costs, "measure_in_new_process", lambda *_: OTHER_COST)
    study = run_phases(run, FakeLauncher(None))
    assert f"--step-cost {OTHER_COST}\n" in caplog.text
    assert study.user_attrs[IDENTITY]["settings"]["step_cost"] == asdict(OTHER_COST)
    assert load_study(open_storage(run.storage), "s")[1].step_cost == OTHER_COST
    facts = study_facts(study, trial_frame(study), 0.0, run.storage)
    assert f"{OTHER_COST} ns" in facts.values()

    monkeypatch.setattr(
        step_costs, "measure_in_new_process", lambda *_: pytest.fail("measured again")
    )
    launcher = RecordedRun()
    run_phases(run, launcher)
    assert launcher.runs[0].settings.step_cost == OTHER_COST
    run_phases(replace(run, step_cost=OTHER_COST), RecordedRun())
    with pytest.raises(InputError, match=f"--step-cost.*{re.escape(str(OTHER_COST))}"):
        run_phases(replace(run, step_cost=REFERENCE_COST), FakeLauncher(None))


@pytest.mark.parametrize(
    "change", [{"space": part_of_paper("lr")}, {"recipe": "paper", "n_pairs": 64}]
)
def test_a_study_of_equal_costs_measures_nothing(
    change: dict[str, Any], packed_105: Dataset, in_tmp: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(step_costs, "measure_in_new_process", lambda *_: pytest.fail("measured"))
    run = tiny_run(in_tmp, pack_20(packed_105, in_tmp), settings=replace(SEARCH, **change))
    study = run_phases(run, FakeLauncher(None))
    assert study.user_attrs[IDENTITY]["settings"]["step_cost"] == asdict(REFERENCE_COST)


def test_two_processes_that_create_a_study_share_the_costs(
    packed_105: Dataset, in_tmp: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    run = tiny_run(in_tmp, pack_20(packed_105, in_tmp), settings=SEARCH)

    def measure_slowly(*_: object) -> StepCost:
        monkeypatch.setattr(step_costs, "measure_in_new_process", lambda *_: REFERENCE_COST)
        run_phases(run, FakeLauncher(None))  # another process is faster
        return OTHER_COST

    monkeypatch.setattr(step_costs, "measure_in_new_process", measure_slowly)
    launcher = RecordedRun()
    run_phases(run, launcher)
    assert launcher.runs[0].settings.step_cost == REFERENCE_COST


TIMED = replace(SEARCH, step_cost=REFERENCE_COST)


def timed_run(folder: Path, packed: Path, **values: Any) -> StudyConfig:
    """A run whose time budget chooses the length of its fits."""
    run = tiny_run(folder, packed, settings=TIMED, time_budget=3600.0)
    planned: dict[str, Any] = {"max_epochs": None, "n_trials": None}
    return replace(run, **planned | values)


def test_a_time_budget_chooses_the_length_of_the_fits_once(
    packed_105: Dataset, in_tmp: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    run = timed_run(in_tmp, pack_20(packed_105, in_tmp))
    assert run.max_epochs is None
    monkeypatch.setattr(step_costs, "in_new_process", lambda *_: 1.0)
    study = run_phases(run, FakeLauncher(None))
    assert settings_of(study).max_epochs == planned_length(run, 1.0) > run.settings.max_epochs
    assert study.user_attrs[EPOCH_SECONDS] == 1.0

    monkeypatch.setattr(step_costs, "in_new_process", lambda *_: pytest.fail("measured again"))
    launcher = RecordedRun()
    run_phases(replace(run, time_budget=60.0), launcher)
    more_trials: dict[str, Any] = {"time_budget": None, "n_trials": 2}
    without_budget = RecordedRun()
    run_phases(replace(run, **more_trials), without_budget)
    assert without_budget.runs[0].max_epochs == settings_of(study).max_epochs


def test_a_number_of_trials_keeps_the_default_length(
    packed_105: Dataset, in_tmp: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    run = timed_run(in_tmp, pack_20(packed_105, in_tmp), n_trials=2)
    monkeypatch.setattr(step_costs, "in_new_process", lambda *_: 1.0)
    study = run_phases(run, FakeLauncher(None))
    assert settings_of(study).max_epochs == run.settings.max_epochs == DEFAULT_EPOCHS["episode"]


def test_two_processes_that_create_a_study_share_the_length_of_its_fits(
    packed_105: Dataset, in_tmp: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    run = timed_run(in_tmp, pack_20(packed_105, in_tmp))

    def measure_slowly(*_: object) -> float:
        monkeypatch.setattr(step_costs, "in_new_process", lambda *_: 1.0)
        run_phases(run, FakeLauncher(None))  # another process is faster
        return 100.0

    monkeypatch.setattr(step_costs, "in_new_process", measure_slowly)
    launcher = RecordedRun()
    study = run_phases(run, launcher)
    assert launcher.runs[0].max_epochs == planned_length(run, 1.0)
    assert study.user_attrs[EPOCH_SECONDS] == 1.0


def test_a_widened_study_keeps_the_length_of_its_fits(
    packed_105: Dataset, in_tmp: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    run = timed_run(in_tmp, pack_20(packed_105, in_tmp))
    monkeypatch.setattr(step_costs, "in_new_process", lambda *_: 1.0)
    run_phases(run, FakeLauncher(None))
    monkeypatch.setattr(step_costs, "in_new_process", lambda *_: 100.0)
    wider = replace(run, space=part_of_paper("lr", "units", "momentum"))
    study = run_phases(wider, FakeLauncher(None), start=StudyStart(widen=True))
    assert study.study_name == "s-2"
    assert settings_of(study).max_epochs == planned_length(run, 1.0)


def test_a_widened_study_without_time_budget_is_resumed_by_its_own_command(
    packed_105: Dataset, in_tmp: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    run = timed_run(in_tmp, pack_20(packed_105, in_tmp))
    monkeypatch.setattr(step_costs, "in_new_process", lambda *_: 1.0)
    study = run_phases(run, FakeLauncher(None))
    more: dict[str, Any] = {"time_budget": None, "n_trials": 2}
    wider = replace(run, space=part_of_paper("lr", "units", "momentum"), **more)
    for _ in range(2):
        widened = run_phases(wider, FakeLauncher(None), start=StudyStart(widen=True))
        assert widened.study_name == "s-2"
        assert settings_of(widened).max_epochs == settings_of(study).max_epochs


def test_a_widening_that_changes_more_than_the_space_stores_nothing(
    packed_105: Dataset, in_tmp: Path
) -> None:
    run = timed_run(in_tmp, pack_20(packed_105, in_tmp), time_budget=None, n_trials=2)
    run_phases(run, FakeLauncher(None))
    wider = replace(run, space=part_of_paper("lr", "units", "momentum"), seed=5)
    with pytest.raises(InputError, match=r"also changes settings\.seed: 0 → 5"):
        run_phases(wider, FakeLauncher(None), start=StudyStart(widen=True))
    assert optuna.get_all_study_names(run.storage) == ["s"]


def test_costs_are_given_as_a_name_or_as_numbers() -> None:
    assert parse_step_cost("reference") == REFERENCE_COST
    assert parse_step_cost(str(OTHER_COST)) == OTHER_COST
    wrong_costs = ("1,2,3", "1,2,3,4,5,6", "1,2,3,4,-5", "0,0,0,0,0", "1,nan,1,1,1", "1,inf,1,1,1")
    for text in ("fast", *wrong_costs):
        with pytest.raises(ValueError, match="five numbers"):
            parse_step_cost(text)


@pytest.mark.slow
def test_the_costs_are_measured_in_another_process(monkeypatch: pytest.MonkeyPatch) -> None:
    base = SMALL_BASE
    assert measure_in_new_process(base, "cpu", "float32") != REFERENCE_COST
    assert measure_in_new_process(base, "cuda:9", "float32") != REFERENCE_COST, "as on a head node"
    monkeypatch.setattr(step_costs, "measure_here", crash)
    with pytest.warns(UserWarning, match="could not be measured"):
        assert measure_in_new_process(base, "cpu", "float32") == REFERENCE_COST


def test_the_time_of_an_epoch_grows_with_its_steps(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("model.step_cost._step_of", lambda *_: lambda: None)
    monkeypatch.setattr("model.step_cost._seconds", lambda *_: 0.01)
    base = base_config(StudySettings(steps_per_epoch=50))
    assert measure_epoch_seconds(base, ComputeConfig(torch.device("cpu"))) == pytest.approx(0.55)
