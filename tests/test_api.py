"""The Python interface: the lines of its documentation run, and its objects are what they say."""

import logging
import re
import shutil
import subprocess
import sys
import types
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import optuna
import pytest
import torch
from commands import ROOT

import hpo
from data.errors import InputError
from hpo.api import BestConfig, StudyStart
from hpo.refit.result import RetrainResult
from hpo.runtime import step_costs
from hpo.space.files import built_in_space
from model.config import REFERENCE_COST

CODE = re.findall(r"```python\n(.*?)```", (ROOT / "docs" / "python.md").read_text(), re.DOTALL)
TINY: dict[str, Any] = {
    "data": "glyphs",
    "image_size": 20,
    "n_trials": 2,
    "max_epochs": 2,
    "steps_per_epoch": 1,
    "n_finalists": 0,
    "validation": "paper",
    "space": built_in_space("paper").only(["lr"]),
    "step_cost": REFERENCE_COST,
    "precision": "float32",
}


@pytest.fixture(autouse=True)
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """Run in an empty folder, on one thread."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(step_costs, "measure_here", lambda *_: REFERENCE_COST)
    n_threads, verbosity = torch.get_num_threads(), optuna.logging.get_verbosity()
    torch.set_num_threads(1)
    yield tmp_path
    torch.set_num_threads(n_threads)
    optuna.logging.set_verbosity(verbosity)


def test_the_ten_lines_run(here: Path, capsys: pytest.CaptureFixture[str]) -> None:
    shutil.copytree(ROOT / "docs" / "examples", here / "docs" / "examples")
    names: dict[str, Any] = {}
    exec(
        compile(
            CODE[0].replace("n_trials=3", "n_trials=2, steps_per_epoch=1"), "ten lines", "exec"
        ),
        names,
    )
    assert isinstance(names["study"], optuna.Study)
    assert isinstance(names["best"], BestConfig)
    assert isinstance(names["result"], RetrainResult)
    assert (here / "study.db").exists()
    out, err = capsys.readouterr()
    assert re.fullmatch(r"trial \d: \d+\.\d% of the test episodes\n", out), "only what is asked"
    assert err == ""


def test_a_study_resumes_and_calls_back(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO, "hpo")
    epochs: list[tuple[int, int]] = []
    ended: list[int] = []

    def run(n_trials: int) -> optuna.Study:
        study: optuna.Study = hpo.run_study(
            hpo.StudyConfig(**TINY | {"n_trials": n_trials}),
            on_epoch=lambda trial, result: epochs.append((trial.number, result.epoch)),
            on_trial=lambda _, trial: ended.append(trial.number),
        )
        return study

    run(2)
    assert "trial   1" in caplog.text
    study = run(3)
    assert epochs == [(n, e) for n in range(3) for e in (1, 2)]
    assert ended == [0, 1, 2]
    assert len(study.trials) == 3
    best = hpo.best_config(study)
    assert best.params == study.best_params
    assert best.config.fit.max_epochs == 2, "as retrain uses it"
    point = {f"{layer}.lr": 0.02 for layer in ("conv1", "conv2", "conv3", "conv4", "fc1", "head")}
    config = hpo.StudyConfig(**TINY | {"n_trials": 4})
    study = hpo.run_study(config, start=StudyStart(points=[point]))
    assert study.trials[3].params == point


def test_an_interrupted_study_resumes_its_trial() -> None:
    def stop(trial: optuna.Trial, result: Any) -> None:
        if (trial.number, result.epoch) == (1, 1):
            raise KeyboardInterrupt

    config = hpo.StudyConfig(**TINY, checkpoint_interval=0.0)
    with pytest.raises(KeyboardInterrupt):
        hpo.run_study(config, on_epoch=stop)
    study = hpo.run_study(config)
    assert [t.state.name for t in study.trials] == ["COMPLETE", "FAIL", "COMPLETE"]
    whole = hpo.run_study(replace(config, storage="sqlite:///other.db"))
    assert [t.value for t in whole.trials] == [study.trials[0].value, study.trials[2].value]


def test_images_may_be_arrays() -> None:
    rng = np.random.default_rng(0)
    images = rng.integers(0, 256, (96, 18, 18), dtype=np.uint8)
    labels, groups = np.arange(96) // 8, np.arange(96) // 24
    data = hpo.register_arrays(images, labels, groups)
    config = hpo.StudyConfig(**TINY | {"data": data, "n_trials": 1, "validation": "dense"})
    study = hpo.run_study(config)
    assert study.study_name == f"{data}-20-episode-paper-lr"
    result = hpo.retrain(config, n_seeds=1, max_epochs=1)
    assert result.data == data
    with pytest.raises(InputError, match="From Python, test must be True"):
        hpo.retrain(config, test=False)
    with pytest.raises(InputError, match="labels"):
        hpo.register_arrays(images, labels[:5])
    with pytest.raises(InputError, match="Other images are registered"):
        hpo.register_arrays(255 - images, labels, groups)
    assert hpo.register_arrays(images, labels, groups) == data


def test_what_cannot_run_in_one_process_is_refused() -> None:
    with pytest.raises(InputError, match="workers must be 1"):
        hpo.run_study(hpo.StudyConfig(**TINY, workers=2))
    with pytest.raises(InputError, match="image_size >= 16"):
        hpo.run_study(hpo.StudyConfig(**TINY | {"image_size": 8}))
    for wrong in ({"n_trials": 0}, {"sampler": "xyz"}, {"storage": "postgres://x"}):
        with pytest.raises(InputError, match=next(iter(wrong))):
            hpo.run_study(hpo.StudyConfig(**TINY | wrong))
    with pytest.raises(InputError, match="'nonsense' is not a parameter"):
        hpo.run_study(hpo.StudyConfig(**TINY), start=StudyStart(points=[{"nonsense": 1.0}]))
    with pytest.raises(InputError, match="--study-name"):
        hpo.run_study(hpo.StudyConfig(**TINY), start=StudyStart(widen=True))
    with pytest.raises(AttributeError, match="no attribute 'tune'"):
        hpo.tune  # noqa: B018


def test_the_example_logs_to_mlflow(monkeypatch: pytest.MonkeyPatch) -> None:
    logged: list[Any] = []

    @contextmanager
    def start_run(**arguments: Any) -> Iterator[None]:
        logged.append(arguments["run_name"])
        yield

    stand_in: Any = types.ModuleType("mlflow")
    stand_in.start_run = start_run
    stand_in.log_params = lambda params: logged.append(set(params))
    stand_in.log_metric = lambda name, value, step=None: logged.append((name, step))
    monkeypatch.setitem(sys.modules, "mlflow", stand_in)
    names: dict[str, Any] = {}
    [example] = [code for code in CODE if "mlflow" in code]
    exec(compile(example, "MLflow", "exec"), names)
    names["tune"](hpo.StudyConfig(**TINY | {"n_trials": 1}))
    name = "glyphs-20-episode-paper-lr"
    trial = f"{name}, trial 0"
    assert logged[:4] == [name, (trial, 1), (trial, 2), trial]
    assert logged[5] == ("accuracy", None)


@pytest.fixture
def installed(here: Path) -> Path:
    """The packages as an installation has them, beside nothing else of the repository."""
    site, skipped = here / "site", shutil.ignore_patterns("__pycache__")
    for name in ("data", "model", "hpo", "siamese_hpo"):
        shutil.copytree(ROOT / name, site / name, ignore=skipped)
    shutil.copytree(ROOT / "results" / "pretrained", site / "siamese_hpo" / "pretrained")
    return site


PROGRAM = """
from siamese_hpo import PRETRAINED, StudyConfig, load_network, run_study
net, config, metadata = load_network(PRETRAINED)
assert "site" in str(PRETRAINED), PRETRAINED
run_study(StudyConfig(data="glyphs", image_size=20, n_trials=1, max_epochs=1, steps_per_epoch=1,
                      n_finalists=0, validation="paper", step_cost=None))
print("done")
"""


@pytest.mark.slow
def test_an_installed_package_runs_beside_modules_of_the_same_names(installed: Path) -> None:
    folder = installed.parent / "mine"
    (folder / "data").mkdir(parents=True)
    (folder / "model.py").write_text("raise RuntimeError('not this one')\n")
    (folder / "program.py").write_text(PROGRAM)
    command = [sys.executable, "program.py"]
    environment = {"PYTHONPATH": str(installed), "PATH": "/usr/bin:/bin", "HOME": str(folder)}
    done = subprocess.run(command, cwd=folder, env=environment, capture_output=True, text=True)
    assert done.stdout == "done\n", done.stderr
    (folder / "model.py").write_text("")
    (folder / "program.py").write_text("import model\n" + PROGRAM)
    clash = subprocess.run(command, cwd=folder, env=environment, capture_output=True, text=True)
    assert "ImportError: siamese_hpo needs its own package 'model'" in clash.stderr
    assert "model.py was imported under this name" in clash.stderr
