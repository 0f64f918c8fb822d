"""Settings: files, flags that override them, and what is written so that a run can be repeated."""

import json
import runpy
import tomllib
from argparse import Namespace
from dataclasses import fields, replace
from pathlib import Path
from typing import Any

import pytest
from commands import ROOT, SPACES, run_in_process
from tiny import TINY, part_of_paper

from data.errors import InputError
from hpo.cli.parser import described_settings
from hpo.cli.retrain_settings import retrain_config
from hpo.cli.study import study_config
from hpo.refit.settings import RETRAIN_SECTIONS, RetrainConfig
from hpo.settings.config_file import ConfigFile, make_config, read_config_file
from hpo.settings.config_text import format_config, study_sections, without_password
from hpo.settings.study_settings import SECTIONS, StudyConfig, StudySettings
from hpo.space.files import built_in_space
from model.config import StepCost

FILE = """
[data]
image_size = 20
train = ["a", "b"]
val = ["c"]
test = ["d"]

[training]
max_epochs = 3
step_cost = "1,2,3,4,5"

[search]
seed = 7

[run]
time_budget = "15m"

[machine]
storage = "sqlite:///mine.db"
"""


def config_of(text: str, folder: Path, *flags: str) -> StudyConfig:
    """The configuration of a settings file and flags of run_study.py."""
    path = folder / "study.toml"
    path.write_text(text)
    parser = runpy.run_path(str(ROOT / "run_study.py"), run_name="docs")["flags"]()
    return study_config(parser.parse_args(["--config", str(path), *flags]))


def test_a_file_sets_what_it_names_and_flags_override_it(tmp_path: Path) -> None:
    config = config_of(FILE, tmp_path, "--seed", "8", "--n-trials", "3")
    assert (config.image_size, config.max_epochs, config.time_budget) == (20, 3, 900.0)
    assert (config.seed, config.n_trials) == (8, 3)
    assert (config.train, config.val, config.test) == (("a", "b"), ("c",), ("d",))
    assert config.step_cost == StepCost(1, 2, 3, 4, 5)
    assert config.storage == "sqlite:///mine.db"
    assert (config.recipe, config.workers) == ("episode", 1), "the rest has its defaults"


def test_a_setting_that_depends_on_another_follows_the_flag(tmp_path: Path) -> None:
    paper = config_of("", tmp_path, "--recipe", "paper")
    assert paper.max_epochs is None, "a stored study, or a time budget, may decide"
    assert paper.settings.max_epochs == 200
    assert config_of("[search]\nsampler = 'gp'\n", tmp_path).pruner == "none"


def test_every_setting_has_one_section_and_one_description() -> None:
    names = [f.name for classes in SECTIONS.values() for c in classes for f in fields(c)]
    assert len(names) == len(set(names))
    internal = {"var", "packed", "stop_requests"}
    assert {*names, *internal} == {f.name for f in fields(StudyConfig)}
    for classes in [*SECTIONS.values(), *RETRAIN_SECTIONS.values()]:
        for c in classes:
            described = list(described_settings(c))
            assert [s.name for s in described] == [f.name for f in fields(c)]
            assert all(s.help for s in described)


@pytest.mark.parametrize("space", [built_in_space("recipe"), part_of_paper("lr", "units")])
def test_the_printed_settings_give_the_same_configuration(space: Any, tmp_path: Path) -> None:
    config = replace(StudyConfig.from_settings(TINY), space=space, time_budget=90.0, seed=3)
    config = replace(config, n_finalists=0, n_networks=0, checkpoint_interval=0.0)
    text = format_config(study_sections(config, machine=True))
    again = config_of(text, tmp_path)
    assert again == config
    assert tomllib.loads(text).get("space", {"name": space.name})["name"] == space.name


def test_settings_without_a_value_and_internal_ones_are_left_out() -> None:
    text = format_config(study_sections(StudyConfig(), machine=True))
    assert "null" not in text
    for name in ("time_budget", "ray", "var", "packed", "stop_requests", "train"):
        assert f"\n{name} =" not in text


def test_a_file_may_contain_the_space_and_name_a_file_beside_it(tmp_path: Path) -> None:
    inline = "[space.lr]\nlow = 0.01\nhigh = 0.1\nlog = true\n"
    config = config_of(inline, tmp_path)
    assert (config.space.name, list(config.space.parameters)) == ("study", ["lr"])
    (tmp_path / "narrow.toml").write_text(inline.replace("space.", ""))
    named = config_of("[search]\nspace = 'narrow.toml'\n", tmp_path)
    assert named.space == replace(config.space, name="narrow")
    overridden = config_of(inline, tmp_path, "--space", "paper")
    assert overridden.space == built_in_space("paper")


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("[trainings]\n", r"\[trainings\] is not a section.*\[training\]"),
        ("[space.lr]\nlow=0.1\nhigh=1.0\n[search]\nspace='paper'\n", r"space must be given once"),
        ("[space.rl]\nlow=0.1\n", r"study\.toml: space: 'rl' is not a parameter"),
        ("[training]\nmax_epoch = 3\n", r"training\.max_epoch is not a setting.*max_epochs"),
        ("[training]\nseed = 3\n", r"training\.seed is not a setting"),
        ("[training]\nmax_epochs = 'x'\n", r"study\.toml: max_epochs must be an integer"),
        ("[training]\nrecipe = 'fast'\n", r"study\.toml: recipe must be 'episode' or 'paper'"),
        ("[run]\ntime_budget = '2 days'\n", r"time_budget must be a duration .* 2 days"),
        ("training = 3\n", r"'training' must be a section"),
        ("[machine]\nstorage = 'postgresql+psycopg://me:pw@host/db'\n", r"password.*PGPASSWORD"),
        ("[data\n", r"is not a settings file in TOML"),
        ("[data]\ntrain = ['a']\n", r"val has none"),
        ("[search]\nobjective = ['flops']\n", r"--objective must be accuracy"),
        ("[training]\nn_pairs = 150\n", r"--n-pairs 150 has no effect with the recipe episode"),
    ],
)
def test_a_mistake_in_a_file_is_one_line(text: str, message: str, tmp_path: Path) -> None:
    with pytest.raises(InputError, match=message) as raised:
        config_of(text, tmp_path)
    assert "\n" not in str(raised.value)
    assert "pw" not in str(raised.value)


def test_one_file_serves_both_commands(tmp_path: Path) -> None:
    path = tmp_path / "both.toml"
    path.write_text(
        "[machine]\nworkers = 2\nout = 'results'\n[retrain]\nn_seeds = 1\n[point.conv1]\nlr = 0.1\n"
    )
    study = read_config_file(path, SECTIONS, RETRAIN_SECTIONS)
    assert study.values == {"workers": 2}
    assert study.point == {"conv1.lr": 0.1}
    retrain = read_config_file(path, RETRAIN_SECTIONS, SECTIONS)
    assert make_config(RetrainConfig, replace(retrain, point=None)).n_seeds == 1
    assert retrain.values == {"out": "results", "n_seeds": 1}


def test_a_point_is_refitted_without_a_study(tmp_path: Path) -> None:
    path = tmp_path / "point.toml"
    path.write_text("[data]\ndata = 'glyphs'\n[point.conv1]\nlr = 0.1\n")
    flags = {"config": path, "again": False}
    assert retrain_config(Namespace(**flags)).point == {"conv1.lr": 0.1}
    with pytest.raises(InputError, match="Leave out --study-name, or choose a trial"):
        retrain_config(Namespace(**flags, study_name="glyphs-20"))
    assert retrain_config(Namespace(**flags, study_name="glyphs-20", trial=3)).point is None


def test_a_result_is_a_settings_file(tmp_path: Path) -> None:
    settings = study_sections(TINY, {"fc1.units": 128}) | {"retrain": {"n_seeds": 2}}
    path = tmp_path / "result.json"
    path.write_text(json.dumps({"seeds": [], "settings": settings}))
    file = read_config_file(path, SECTIONS, RETRAIN_SECTIONS)
    assert file.point == {"fc1.units": 128}
    assert make_config(StudyConfig, file).settings == TINY
    path.write_text("{}")
    with pytest.raises(InputError, match=r"result\.json contains no settings"):
        read_config_file(path, SECTIONS)


def test_no_password_is_written() -> None:
    config = StudyConfig(storage="postgresql+psycopg://me:secret@host/db?sslpassword=other&x=1")
    text = format_config(study_sections(config, machine=True))
    assert "secret" not in text
    assert "other" not in text
    assert without_password("postgresql://me:a%40b@host:5432/db") == "postgresql://me@host:5432/db"
    assert without_password("sqlite:///a b.db") == "sqlite:///a b.db"


def test_the_settings_of_a_study_are_what_its_identity_contains() -> None:
    config = StudyConfig.from_settings(TINY, storage="sqlite:///x.db", n_trials=2)
    assert config.settings == TINY
    assert type(config.settings) is StudySettings
    assert make_config(StudySettings, ConfigFile("x")) == StudySettings()


def test_run_study_prints_settings_and_space_without_data(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    flags = ["--space", str(SPACES / "lr_units.toml"), "--image-size", "52"]
    assert run_in_process(tmp_path, monkeypatch, "run_study.py", *flags, "--show") is None
    lines = capsys.readouterr().out.splitlines()
    assert lines[0] == "space 'lr_units': 7 parameters, 2 starting points, at 52 pixels"
    assert lines[2].split() == ["conv1.lr", "0.0001", "…", "0.1,", "logarithmic", "0.03", "–"]
    assert run_in_process(tmp_path, monkeypatch, "run_study.py", *flags, "--print-config") is None
    assert tomllib.loads(capsys.readouterr().out)["data"]["image_size"] == 52
    assert list(tmp_path.iterdir()) == []


def test_the_printed_settings_of_a_retraining_give_the_same_retraining(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    flags = ["--no-test", "--no-mirrors", "--n-seeds", "2", "--device", "cpu"]
    script = ["retrain_best.py", *flags, "--print-config"]
    assert run_in_process(tmp_path, monkeypatch, *script) is None
    (tmp_path / "retrain.toml").write_text(capsys.readouterr().out)
    file = read_config_file(tmp_path / "retrain.toml", RETRAIN_SECTIONS, SECTIONS)
    config = make_config(RetrainConfig, file)
    assert config == RetrainConfig(test=False, mirrors=False, n_seeds=2, device="cpu")
