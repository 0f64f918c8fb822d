"""Studies that start from the weights of a stored network: settings, identity, space and runs."""

import json
import tomllib
from dataclasses import replace
from pathlib import Path
from typing import Any, Literal

import optuna
import pytest
import torch
from commands import REFIT, SMALL, SPACES, run_in_process, trials
from started import MODEL_20, metadata_of, stored_network
from tiny import TINY, TINY_20, identity_of, part_of_paper

from data.episodes import Dataset
from data.errors import InputError
from data.splits import Split
from hpo.api import run_study
from hpo.settings.base_config import base_config, check_settings
from hpo.settings.config_file import ConfigFile, make_config, read_config_file
from hpo.settings.config_text import format_config, study_sections
from hpo.settings.start_space import resolve_start
from hpo.settings.study_settings import SECTIONS, StudyConfig, StudySettings
from hpo.space.files import built_in_space, read_space
from hpo.study.identity import (
    identity_differences,
    settings_from_dict,
    settings_to_dict,
    upgrade_identity,
)
from model.checkpoint import load_network
from model.config import REFERENCE_COST
from model.own_network import OwnConfig

pytestmark = pytest.mark.usefixtures("one_thread")

NAME = "glyphs-20-episode-from-a-slow"
SLOW = """\
[lr]
low = 1e-12
high = 2e-12
[width]
low = 0.25
high = 1.0
"""


def config_from(path: Path, **values: Any) -> StudyConfig:
    return StudyConfig(data="glyphs", start_from=str(path), **values)  # type: ignore[arg-type]


@pytest.mark.parametrize(("conv_norm", "lr"), [("none", 0.03), ("batch", 0.1)])
def test_the_first_rate_suits_the_normalisation_of_the_network(
    conv_norm: Literal["none", "batch"], lr: float, tmp_path: Path
) -> None:
    stored_network(tmp_path / "a.pt", replace(MODEL_20, conv_norm=conv_norm))
    config = resolve_start(config_from(tmp_path / "a.pt"))
    assert config.space.starting_points(20)[0]["lr"] == lr
    assert len(config.space.starting_points(20)) > 1, "the others remain"


@pytest.fixture
def network(tmp_path: Path) -> Path:
    path = tmp_path / "a.pt"
    stored_network(path)
    return path


def own_network(path: Path, **params: Any) -> None:
    stored_network(path, OwnConfig("own_networks:make", params, 1, 20))


def test_the_image_size_is_that_of_the_network(network: Path) -> None:
    config = config_from(network)
    assert (config.image_size, config.name) == (20, "glyphs-20-episode-from-a")
    assert config_from(network, image_size=20) == config
    with pytest.raises(InputError, match=r"--image-size must be 20.* a\.pt .* Remove --image-size"):
        config_from(network, image_size=35)
    assert StudyConfig().image_size == 35
    assert make_config(StudyConfig, ConfigFile("x"), {"start_from": str(network)}) == replace(
        config, data="omniglot"
    )


def test_the_base_configuration_has_the_architecture_of_the_network(network: Path) -> None:
    config = config_from(network)
    base = base_config(config.settings)
    assert config.start_from is not None
    assert (base.model, base.start) == (MODEL_20, config.start_from.digest)
    colour = base_config(replace(config.settings, data="signs+colour"))
    assert colour.model == replace(MODEL_20, channels=3)
    assert base.fit == base_config(replace(config.settings, start_from=None)).fit
    assert base_config(replace(config.settings, recipe="paper")).fit.schedule == "exponential"


def test_the_architecture_is_not_searched(network: Path, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level("INFO", "hpo")
    config = resolve_start(config_from(network))
    [line] = caplog.messages
    names = "width, conv1.filters, conv2.filters, conv3.filters, conv4.filters, fc1.units"
    assert line.endswith(f"a.pt; not searched: {names}, model.conv_norm, model.head_norm")
    standard = built_in_space("standard")
    assert [n for n in standard.parameters if n not in config.space.parameters] == [
        *names.split(", "),
        "model.conv_norm",
        "model.head_norm",
    ]
    assert config.space.name == "standard"
    check_settings(config.settings)
    assert resolve_start(config) == config
    assert len(caplog.messages) == 1, "nothing more is left out"
    plain = StudyConfig(data="glyphs")
    assert resolve_start(plain) is plain
    paper = resolve_start(config_from(network, space=built_in_space("paper")))
    assert len(paper.space.starting_points(20)) == 1
    with pytest.raises(InputError, match=r"'paper-units' .* Add one, for example \[lr\]"):
        resolve_start(config_from(network, space=part_of_paper("units")))


@pytest.mark.parametrize(
    ("values", "message"),
    [
        (
            {"network": "own_networks:make"},
            "built-in network.* trains the network own_.*Remove --n",
        ),
        ({"init": "paper"}, "--init paper has no effect"),
    ],
)
def test_settings_that_do_not_fit_the_network_are_one_line(
    values: dict[str, Any], message: str, network: Path
) -> None:
    with pytest.raises(InputError, match=message) as error:
        config_from(network, **values)
    assert "\n" not in str(error.value)


def test_a_network_of_ones_own_keeps_its_function_and_its_parameters(tmp_path: Path) -> None:
    path, space = tmp_path / "own.pt", read_space(SPACES / "own.toml")
    own_network(path, width=8, depth=2, act="relu", bias=True)
    own: dict[str, Any] = {"network": "own_networks:make", "space": space}
    config = resolve_start(config_from(path, **own))
    assert [name for name in config.space.parameters if name.startswith("net.")] == []
    model = base_config(config.settings).model
    assert isinstance(model, OwnConfig)
    assert model.params["width"] == 8
    check_settings(config.settings)
    with pytest.raises(InputError, match=r"own_networks:make.*Add --network own_networks:make"):
        config_from(path)
    with pytest.raises(
        InputError, match=r"the network own_networks:make, but .* own_networks:lazy"
    ):
        config_from(path, **own | {"network": "own_networks:lazy"})
    with pytest.raises(InputError, match="must be a network for 3 channels"):
        resolve_start(replace(config, data="signs+colour", space=space))
    own_network(path, width=1000, depth=2, act="relu", bias=True)
    with pytest.raises(InputError, match=r"net\.width .* 1000, but is"):
        resolve_start(config_from(path, **own))
    own_network(path, width=8)
    with pytest.raises(InputError, match=r"net\.depth .* None, but is"):
        resolve_start(config_from(path, **own))


def test_settings_with_a_network_survive_file_and_storage(network: Path, tmp_path: Path) -> None:
    config = resolve_start(config_from(network, step_cost=REFERENCE_COST))
    text = format_config(study_sections(config, machine=True))
    assert tomllib.loads(text)["training"]["start_from"] == str(network)
    (tmp_path / "study.toml").write_text(text)
    file = read_config_file(tmp_path / "study.toml", SECTIONS)
    assert make_config(StudyConfig, file) == config
    stored = json.loads(json.dumps(settings_to_dict(config.settings)))
    network.unlink()
    assert settings_from_dict(stored) == config.settings, "the file is not needed"


def test_another_network_is_a_readable_difference(
    network: Path, tmp_path: Path, parts_20: Split
) -> None:
    def identity(settings: StudySettings) -> dict[str, Any]:
        return upgrade_identity(identity_of(settings, parts_20))

    config = resolve_start(config_from(network))
    assert config.start_from is not None
    stored, digest = identity(config.settings), config.start_from.digest
    moved = replace(config.start_from, source="moved/b.pt")
    same = replace(config.settings, start_from=moved)
    assert identity_differences(stored, identity(same)) == []
    stored_network(tmp_path / "b.pt", seed=6)
    other = resolve_start(config_from(tmp_path / "b.pt"))
    assert other.start_from is not None
    lines = identity_differences(stored, identity(other.settings))
    changed = f"{digest} → {other.start_from.digest}"
    assert lines == [f"base.start: {changed}", f"settings.start_from.digest: {changed}"]
    random = identity(replace(config.settings, start_from=None))
    lines = [n for n in identity_differences(random, stored) if n.startswith("settings.")]
    assert lines == [f"settings.start_from.digest: None → {digest}"]


def test_a_study_of_an_earlier_version_has_random_weights(parts_20: Split) -> None:
    old = identity_of(TINY_20, parts_20)
    del old["settings"]["start_from"]
    assert settings_from_dict(old["settings"]) == TINY_20
    new = upgrade_identity(identity_of(TINY_20, parts_20))
    assert identity_differences(upgrade_identity(old), new) == []
    assert "start" not in new["base"]
    assert TINY.start_from is None


@pytest.fixture
def small_glyphs(monkeypatch: pytest.MonkeyPatch, packed_105: Dataset) -> None:
    monkeypatch.setattr("data.glyphs.make_glyphs", lambda: packed_105)


@pytest.mark.usefixtures("small_glyphs")
def test_every_fit_starts_from_the_network_even_if_its_file_is_gone(
    in_tmp: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    parts_20: Split,
) -> None:
    def run(script: str, *flags: str) -> str:
        end = run_in_process(in_tmp, monkeypatch, script, *flags)
        output, error = capsys.readouterr()
        assert (end is None) == (not error), error
        return output + error

    net = stored_network(in_tmp / "a.pt", metadata=metadata_of(parts_20))
    (in_tmp / "slow.toml").write_text(SLOW)
    flags = ["--data", "glyphs", "--validation", "paper", "--start-from", "a.pt"]
    flags += ["--space", "slow.toml", "--step-cost", "reference", "--precision", "float32"]
    flags += ["--max-epochs", "1", "--steps-per-epoch", "1", "--n-networks", "1"]
    flags += ["--n-finalists", "2", "--n-finalist-seeds", "1", "--pruner", "none"]
    output = run("run_study.py", *flags, "--n-trials", "1")
    assert "not searched: width" in output
    assert "start_from a.pt" in output
    (in_tmp / "point.toml").write_text("[point]\nlr = 1.5e-12\n")
    output = run("run_study.py", *flags, "--n-trials", "2", "--enqueue", "point.toml")
    assert "finalists: none, because no trial is better than trial 0" in output
    assert [[*trial.params] for trial in trials(in_tmp, NAME)] == [["lr"]] * 2
    assert trials(in_tmp, NAME)[1].params["lr"] == 1.5e-12
    names = optuna.get_all_study_names(f"sqlite:///{in_tmp}/study.db")
    assert len(names) == 2, "search and winner"
    for name in names:
        values = {trial.value for trial in trials(in_tmp, name)}
        assert len(values) == 1, "all fits have the weights of the network, whatever their seeds"

    stored_network(in_tmp / "b.pt", metadata=metadata_of(parts_20), seed=6)
    again = [*flags, "--study-name", NAME, "--start-from", "b.pt"]
    assert "settings.start_from.digest: " in run("run_study.py", *again)
    (in_tmp / "a.pt").unlink()
    kept = list(in_tmp.glob("var/trials/*/?.network.pt"))
    assert len(kept) == 3, "of two trials and the winner"
    output = run("retrain_best.py", *REFIT, "--n-seeds", "1", "--study-name", NAME)
    [refitted] = in_tmp.glob("var/retrain/*/seed-1.pt")
    for path in (*kept, refitted):
        loaded, config, metadata = load_network(path)
        assert config.start is not None
        torch.testing.assert_close(loaded.state_dict(), dict(net.state_dict()))
        assert tuple(metadata["classes"]) == parts_20.train.classes
        assert metadata["started_from"][0]["data"] == "glyphs"
    larger = ["--study-name", NAME, "--image-size", "30"]
    assert "--image-size must be 20" in run("retrain_best.py", *larger)
    for copy in in_tmp.glob("var/trials/*/start.network.pt"):
        copy.unlink()
    missing = run("retrain_best.py", *REFIT, "--study-name", NAME, "--out", "new")
    assert "a.pt does not exist" in missing


@pytest.mark.usefixtures("small_glyphs")
def test_the_space_that_is_shown_is_the_one_that_is_searched(
    in_tmp: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    stored_network(in_tmp / "a.pt")
    flags = ["--space", "standard", "--start-from", "a.pt", "--show"]
    run_in_process(in_tmp, monkeypatch, "run_study.py", *SMALL, *flags)
    shown = capsys.readouterr().out
    assert "\nlr " in shown
    assert "\nwidth " not in shown


@pytest.mark.usefixtures("small_glyphs")
def test_a_network_that_saw_the_test_is_refused_before_anything_is_stored(
    in_tmp: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    parts_20: Split,
) -> None:
    seen = metadata_of(replace(parts_20, train=parts_20.test))
    stored_network(in_tmp / "a.pt", metadata=seen)
    flags = [*SMALL, "--start-from", "a.pt"]
    for more in (["--dry-run"], []):
        end = run_in_process(in_tmp, monkeypatch, "run_study.py", *flags, *more)
        assert end is not None
        assert end.code == 2
        assert "'test01/character01'" in capsys.readouterr().err
    config = config_from(in_tmp / "a.pt", validation="paper", step_cost="reference")
    with pytest.raises(InputError, match="'test01/character01'"):
        run_study(config)
    assert not (in_tmp / "study.db").exists()
