"""Data that earlier versions stored, written by hand, is read under its current names."""

import json
from dataclasses import replace
from importlib.metadata import version
from pathlib import Path
from typing import Any

import optuna
import pytest
import torch
from commands import SPACES
from tiny import TINY, config, identity_of, url

from data.errors import InputError
from data.splits import Split
from hpo.space.files import read_space
from hpo.study.identity import (
    identity_differences,
    settings_from_dict,
    settings_to_dict,
    upgrade_identity,
    upgrade_settings,
    version_note,
)
from hpo.study.open import IDENTITY, load_study, open_study
from hpo.study.storage import open_storage
from hpo.study.trials import summarize_trials
from model.checkpoint import load_network, save_network
from model.config import Config
from model.device import ComputeConfig
from model.fit_state import FIT_FORMAT, TRAINING_VERSION, EpochResult, FitState
from model.networks import build_net
from model.schema import SCHEMA, upgrade

# TINY with what earlier versions did without a setting.
FORMER = replace(TINY, pruner="median", trial_seeds="shared")
OLD_SETTINGS: dict[str, Any] = {
    "data": "glyphs",
    "image_size": 35,
    "recipe": "episode",
    "max_epochs": 2,
    "epoch_steps": 2,
    "pairs": 30_000,
    "search": ["lr", "units"],
    "init": "scaled",
    "validation": "dense",
    "sampler": "tpe",
    "pruner": "median",
    "seed": 0,
}
OLD_RATES = {"lr": 0.03, "momentum": 0.9, "l2_penalty": 0.0}
OLD_FIT: dict[str, Any] = {
    "recipe": "episode",
    "rates": [OLD_RATES] * 6,
    "max_epochs": 2,
    "patience": 20,
    "epoch_steps": 2,
    "n_characters": 64,
    "n_pairs": 30_000,
    "batch_size": 128,
    "schedule": "cosine",
    "ramp_epochs": 2,
    "nesterov": True,
    "distort": True,
    "turns": True,
    "mirrors": False,
    "ema": 0.999,
}
OLD_MODEL: dict[str, Any] = {
    "image_size": 35,
    "filters": [64, 128, 128, 256],
    "kernels": [4, 3, 2, 2],
    "units": 4096,
    "init": "scaled",
    "channels": 1,
}


def as_old(values: dict[str, Any]) -> dict[str, Any]:
    """A configuration as JSON under its old names."""
    old = json.loads(json.dumps(values))
    old["fit"]["epoch_steps"] = old["fit"].pop("steps_per_epoch")
    return dict(old)


def old_identity(parts: Split, version: str = "0.5.0") -> dict[str, Any]:
    """The identity of FORMER as a version stored it before schema 2."""
    identity = identity_of(FORMER, parts)
    del identity["schema"], identity["training_version"]
    model, fit = dict(OLD_MODEL), dict(OLD_FIT)
    if version == "0.3.0":
        del model["channels"], fit["mirrors"]
    base = {"model": model, "fit": fit}
    return identity | {"settings": OLD_SETTINGS, "base": base, "version": version}


def test_old_settings_are_read() -> None:
    assert settings_from_dict(OLD_SETTINGS) == FORMER
    assert settings_from_dict(settings_to_dict(FORMER)) == FORMER


def test_a_group_that_was_searched_equals_the_same_parameters_in_a_file() -> None:
    old = upgrade_settings(OLD_SETTINGS | {"search": ["lr"]})
    file = read_space(SPACES / "lr.toml")
    assert old["space"] == {"name": "paper-lr", **file.to_dict()}
    old = upgrade_settings(OLD_SETTINGS | {"search": ["lr", "units"]})
    assert old["space"] == {
        "name": "paper-lr-units",
        **read_space(SPACES / "lr_units.toml").to_dict(),
    }


def test_an_old_configuration_is_read() -> None:
    expected = replace(config(), fit=replace(config().fit, steps_per_epoch=7))
    assert Config.from_dict(as_old(expected.to_dict())) == expected
    assert Config.from_dict(expected.to_dict()) == expected


@pytest.mark.parametrize("version", ["0.3.0", "0.5.0"])
def test_an_old_identity_equals_todays(version: str, parts: Split) -> None:
    old, new = old_identity(parts, version), identity_of(FORMER, parts)
    assert new["schema"] == SCHEMA
    assert identity_differences(old, new) != []
    assert identity_differences(upgrade_identity(old), upgrade_identity(new)) == []


def test_a_study_of_an_earlier_version_is_resumed_and_other_settings_are_refused(
    tmp_path: Path, parts: Split
) -> None:
    storage = open_storage(url(tmp_path))
    study = open_study(storage, "s", FORMER, identity_of(FORMER, parts))
    study.set_user_attr(IDENTITY, old_identity(parts, "0.3.0"))
    assert open_study(storage, "s", FORMER, identity_of(FORMER, parts)).study_name == "s"
    assert load_study(storage, None)[1] == FORMER
    changed = replace(FORMER, steps_per_epoch=3)
    with pytest.raises(InputError, match=r"settings\.steps_per_epoch: 2 → 3"):
        open_study(storage, "s", changed, identity_of(changed, parts))


def test_the_version_of_the_program_is_stored_but_not_compared(
    tmp_path: Path, parts: Split
) -> None:
    identity = identity_of(FORMER, parts)
    assert identity["version"] == version("siamese-hpo")
    storage = open_storage(url(tmp_path))
    open_study(storage, "s", FORMER, identity | {"version": "0.0.1"})
    study = open_study(storage, "s", FORMER, identity)
    assert study.user_attrs[IDENTITY]["version"] == "0.0.1"
    assert "created with version 0.0.1;" in version_note(study.user_attrs[IDENTITY])
    assert version_note(identity) == ""


def test_a_study_that_was_trained_differently_is_refused(tmp_path: Path, parts: Split) -> None:
    storage, identity = open_storage(url(tmp_path)), identity_of(FORMER, parts)
    assert identity["training_version"] == TRAINING_VERSION
    assert str(TRAINING_VERSION) in FIT_FORMAT
    open_study(storage, "s", FORMER, identity)
    newer = identity | {"training_version": TRAINING_VERSION + 1}
    with pytest.raises(InputError, match=rf"training_version: {TRAINING_VERSION} → "):
        open_study(storage, "s", FORMER, newer)
    study = open_study(storage, "s", FORMER, identity)
    study.set_user_attr(IDENTITY, old_identity(parts))
    with pytest.raises(InputError, match=r"training_version: 2 → "):
        open_study(storage, "s", FORMER, newer)


def test_the_diverged_trials_of_an_earlier_version_are_recognised(tmp_path: Path) -> None:
    storage = open_storage(url(tmp_path))
    study = optuna.create_study(storage=storage, study_name="s", direction="maximize")
    for reason in (None, "non-finite loss"):
        trial = study.ask()
        trial.set_user_attr("died", reason)
        study.tell(trial, 0.05)
    fine, diverged = summarize_trials(study)
    assert (fine.state, diverged.state) == ("complete", "diverged")
    assert "non-finite loss" in diverged.reason


def test_a_network_of_an_earlier_version_is_loaded(tmp_path: Path) -> None:
    path, expected = tmp_path / "network.pt", config()
    net = build_net(expected.model, generator=torch.Generator().manual_seed(0))
    save_network(path, net, expected, {})
    content = torch.load(path, weights_only=True)
    facts = {"data": "glyphs", "seed": 3, "died": None}
    content["about"] = json.dumps({"config": as_old(expected.to_dict()), "facts": facts})
    torch.save(content, path)
    loaded, loaded_config, metadata = load_network(path)
    assert loaded_config == expected
    assert metadata == {"data": "glyphs", "seed": 3, "diverged": None}
    assert torch.equal(loaded.state_dict()["head.weight"], net.state_dict()["head.weight"])


def test_a_checkpoint_of_an_earlier_version_is_resumed(tmp_path: Path) -> None:
    path, compute = tmp_path / "0.fit.pt", ComputeConfig(torch.device("cpu"))
    state = FitState(config(), 0, compute)
    state.history = [EpochResult(1, 1.0, 0.5, 10, 0.1, None)]
    state.best_weights, state.n_steps = state.net.state_dict(), 3
    state.save(path)
    content = torch.load(path, weights_only=True)
    about = json.loads(content["about"])
    assert about.pop("schema") == SCHEMA
    content["about"] = json.dumps(about | {"config": as_old(about["config"])})
    torch.save(content, path)
    resumed = FitState(config(), 0, compute)
    resumed.load(path)
    assert (resumed.history, resumed.n_steps) == (state.history, 3)


def test_an_old_result_has_todays_names_and_twenty_way_episodes() -> None:
    old = {"worth": "75.4%", "seeds": [{"seed": 1, "died": None}]}
    new = {"value_text": "75.4%", "seeds": [{"seed": 1, "diverged": None}]}
    assert upgrade("result", old) == new | {"n_way": 20}
    assert upgrade("result", new | {"n_way": 5}) == new | {"n_way": 5}


def test_an_upgrade_changes_no_value_of_today(parts: Split) -> None:
    identity = identity_of(FORMER, parts)
    copy = json.loads(json.dumps(identity))
    assert upgrade("identity", identity) | {"schema": SCHEMA} == identity == copy


def test_data_of_a_later_version_is_refused(parts: Split, tmp_path: Path) -> None:
    with pytest.raises(InputError, match=rf"schema <= {SCHEMA}.*identity.*{SCHEMA + 1}.*Update"):
        upgrade("identity", {"schema": SCHEMA + 1})
    storage = open_storage(url(tmp_path))
    study = open_study(storage, "s", FORMER, identity_of(FORMER, parts))
    study.set_user_attr(IDENTITY, identity_of(FORMER, parts) | {"schema": SCHEMA + 1})
    with pytest.raises(InputError, match="Update"):
        load_study(storage, None)
