import re
import subprocess
import sys
from dataclasses import replace
from pathlib import Path
from typing import Any

import optuna
import pytest
import torch
from optuna.pruners import HyperbandPruner, ThresholdPruner
from optuna.trial import TrialState

from data.episodes import Packed, dense_validation
from data.errors import InputError
from data.splits import Split
from hpo.objective import Objective
from hpo.owner import OWNER, claim, put_back_orphans
from hpo.sampler import make_sampler
from hpo.settings import StudySettings, base_config, differences, identity
from hpo.space import anchors
from hpo.storage import open_storage
from hpo.study import count_ended, count_taken, load_study, open_study
from hpo.winner import choose_trial, retrain_config
from hpo.workers import Job, prepare
from model.config import Config
from model.device import Machine
from model.state import EpochResult
from model.train import Validation

TINY = StudySettings(data="glyphs", max_epochs=2, epoch_steps=2, search=("lr", "units"))


def url(folder: Path) -> str:
    return f"sqlite:///{folder}/study.db"


def identity_of(settings: StudySettings, parts: Split) -> dict[str, Any]:
    return identity(settings, parts.train, parts.val, dense_validation(parts.val))


def opened(folder: Path, parts: Split, settings: StudySettings = TINY) -> optuna.Study:
    return open_study(open_storage(url(folder)), "s", settings, identity_of(settings, parts))


def objective(parts: Split, settings: StudySettings = TINY) -> Objective:
    validation = Validation(parts.val, dense_validation(parts.val))
    return Objective(
        settings, parts.train, validation, Machine(torch.device("cpu")), lambda *_: None
    )


def test_a_trial_records_what_it_cost_and_reports_every_epoch(tmp_path: Path, parts: Split) -> None:
    study = opened(tmp_path, parts)
    study.optimize(objective(parts), n_trials=1)
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
    assert (attrs["stopped"], attrs["died"]) == ("all epochs done", None)
    assert attrs["config"]["model"]["units"] == 4096


def test_the_same_parameters_give_the_same_value(parts: Split) -> None:
    values = []
    for _ in range(2):
        study = optuna.create_study(direction="maximize", sampler=make_sampler("random", 5))
        study.optimize(objective(parts), n_trials=1)
        values.append(study.best_value)
    assert values[0] == values[1]


def test_the_objective_of_a_study_is_handed_no_test_drawing(
    in_tmp: Path, packed: Packed, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("hpo.workers.load", lambda *_: packed)
    job = Job(TINY, url(in_tmp), "s", None, 1, None, "cpu", "float32", 1)
    _, made, _ = prepare(job)
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
    pruner: optuna.pruners.BasePruner, parts: Split
) -> None:
    study = optuna.create_study(
        direction="maximize", sampler=make_sampler("random", 0), pruner=pruner
    )
    study.optimize(objective(parts), n_trials=4)
    pruned = [t for t in study.trials if t.state == TrialState.PRUNED]
    if isinstance(pruner, ThresholdPruner):
        assert len(pruned) == 4
        assert [list(t.intermediate_values) for t in pruned] == [[1]] * 4
    for trial in study.trials:
        assert trial.user_attrs["epochs"] == len(trial.intermediate_values)
        assert trial.user_attrs["seconds"] > 0


def test_a_diverging_trial_completes_at_chance_with_its_reason(
    parts: Split, monkeypatch: pytest.MonkeyPatch
) -> None:
    dead = EpochResult(1, float("nan"), 0.05, 10, 0.1, "non-finite loss")

    def dying(state: Any, *_: Any) -> Any:
        state.history.append(replace(dead, accuracy=0.6, stopped=None))
        state.history.append(dead)
        yield dead

    monkeypatch.setattr("hpo.objective.fit", dying)
    study = optuna.create_study(direction="maximize")
    study.optimize(objective(parts), n_trials=1)
    assert study.trials[0].value == 1 / 20
    assert study.trials[0].user_attrs["died"] == "non-finite loss"


def test_reopening_adds_nothing_and_anchors_are_queued_once(tmp_path: Path, parts: Split) -> None:
    first = opened(tmp_path, parts, StudySettings(data="glyphs"))
    n = len(first.trials)
    assert n == 2
    assert first.trials[0].system_attrs["fixed_params"]["conv1.filters"] == 64
    assert len(opened(tmp_path, parts, StudySettings(data="glyphs")).trials) == n


@pytest.mark.parametrize(
    ("changed", "named"),
    [
        ({"seed": 1}, r"settings\.seed: 0 → 1"),
        ({"recipe": "paper"}, r"settings\.recipe: episode → paper"),
        ({"image_size": 28}, r"settings\.image_size: 35 → 28"),
        ({"search": ("lr",)}, r"space\.fc1\.units"),
        ({"pruner": "none"}, r"pruner\.name: median → none"),
        ({"sampler": "gp"}, r"sampler\.name: tpe → gp"),
    ],
)
def test_a_study_is_not_resumed_as_something_else(
    changed: dict[str, Any], named: str, tmp_path: Path, parts: Split
) -> None:
    opened(tmp_path, parts)
    with pytest.raises(InputError, match=r"made otherwise.*--study-name") as caught:
        opened(tmp_path, parts, replace(TINY, **changed))
    lines = differences(identity_of(TINY, parts), identity_of(replace(TINY, **changed), parts))
    assert any(re.search(named, line) for line in lines), lines
    assert "→" in str(caught.value)


def test_other_data_of_the_same_name_is_refused(tmp_path: Path, parts: Split) -> None:
    opened(tmp_path, parts)
    other = replace(parts, train=replace(parts.train, digest="another"))
    with pytest.raises(InputError, match=r"data_digest: [0-9a-f]+ → another"):
        opened(tmp_path, other)


def test_a_study_of_the_wrong_direction_is_refused(tmp_path: Path, parts: Split) -> None:
    storage = open_storage(url(tmp_path))
    optuna.create_study(storage=storage, study_name="s", direction="minimize")
    with pytest.raises(InputError, match=r"not made by run_study\.py.*minimize"):
        opened(tmp_path, parts)


def sampled(sampler: str, sessions: list[int], folder: Path) -> list[dict[str, Any]]:
    """Run a toy study in several sessions; return its parameters."""
    for n in sessions:
        study = optuna.create_study(
            storage=open_storage(url(folder)),
            study_name=sampler,
            sampler=make_sampler(sampler, 0),
            load_if_exists=True,
        )
        study.optimize(
            lambda t: abs(t.suggest_float("x", 0, 1) - 0.37) + t.suggest_float("y", -1, 1) ** 2,
            n_trials=n,
        )
    return [trial.params for trial in study.trials]


@pytest.mark.parametrize("sampler", ["tpe", "gp", "random"])
def test_a_resumed_study_samples_what_the_uninterrupted_one_does(
    sampler: str, tmp_path: Path
) -> None:
    for name in ("a", "b"):
        (tmp_path / name).mkdir()
    whole = sampled(sampler, [14], tmp_path / "a")
    resumed = sampled(sampler, [5, 6, 3], tmp_path / "b")
    assert resumed == whole
    assert len({tuple(params.items()) for params in whole}) == 14


def test_a_dead_owners_trial_is_ended_and_put_back_once(tmp_path: Path, parts: Split) -> None:
    study = opened(tmp_path, parts)
    trial = study.ask({"x": optuna.distributions.FloatDistribution(0, 1)})
    gone = subprocess.Popen([sys.executable, "-c", "pass"])
    gone.wait()
    claim(trial)
    host, _, started = study.trials[trial.number].user_attrs[OWNER]
    assert put_back_orphans(study) == [], "we are alive"
    trial.set_user_attr(OWNER, [host, gone.pid, started])
    assert put_back_orphans(study) == [trial.number]
    assert put_back_orphans(study) == []
    waiting = [t for t in study.trials if t.user_attrs.get("retry_of") == trial.number]
    assert [t.system_attrs["fixed_params"]["x"] for t in waiting] == [trial.params["x"]]
    assert count_ended(study) == count_taken(study) == 0


def test_parameters_that_kill_their_process_each_time_are_given_up(
    tmp_path: Path, parts: Split
) -> None:
    study = opened(tmp_path, parts)
    n_asked = 0
    while any(t.state == TrialState.WAITING for t in study.trials):
        trial = study.ask()
        claim(trial)
        host, pid, _ = study.trials[trial.number].user_attrs[OWNER]
        trial.set_user_attr(OWNER, [host, pid, "1"])
        assert put_back_orphans(study) == [trial.number]
        n_asked += 1
    assert n_asked == 3 * len(anchors(base_config(TINY), TINY.search))
    assert count_ended(study) == n_asked // 3


def test_a_reused_process_id_is_not_taken_for_the_owner(tmp_path: Path, parts: Split) -> None:
    study = opened(tmp_path, parts)
    trial = study.ask()
    claim(trial)
    host, pid, _ = study.trials[trial.number].user_attrs[OWNER]
    trial.set_user_attr(OWNER, [host, pid, "1"])
    assert put_back_orphans(study) == [trial.number]


def test_an_interrupted_trial_is_put_back(
    tmp_path: Path, parts: Split, monkeypatch: pytest.MonkeyPatch
) -> None:
    def interrupted(*_: Any) -> Any:
        raise KeyboardInterrupt
        yield

    monkeypatch.setattr("hpo.objective.fit", interrupted)
    study = opened(tmp_path, parts)
    first = dict(study.trials[0].system_attrs["fixed_params"])
    with pytest.raises(KeyboardInterrupt):
        study.optimize(objective(parts), n_trials=1)
    assert study.trials[0].state == TrialState.FAIL
    assert study.trials[-1].state == TrialState.WAITING
    assert study.trials[-1].system_attrs["fixed_params"] == first
    assert count_ended(study) == 0


def test_the_winner_is_rebuilt_as_the_search_built_it(tmp_path: Path, parts: Split) -> None:
    study = opened(tmp_path, parts)
    study.optimize(objective(parts), n_trials=2)
    again, settings = load_study(open_storage(url(tmp_path), create=False), None)
    assert settings == TINY
    trial = choose_trial(again, None)
    assert trial.value == study.best_value
    config = retrain_config(settings, trial, max_epochs=2)
    assert config == Config.from_dict(trial.user_attrs["config"])
    assert retrain_config(settings, trial, None).fit.max_epochs == 12
    with pytest.raises(InputError, match=r"--trial must be a complete trial.*99"):
        choose_trial(again, 99)


def test_a_study_that_is_not_there_is_named_with_those_that_are(
    tmp_path: Path, parts: Split
) -> None:
    opened(tmp_path, parts)
    storage = open_storage(url(tmp_path))
    with pytest.raises(InputError, match="must hold study 'other', but it holds s"):
        load_study(storage, "other")
