"""A study of a network of the user's own, its refit and its evaluation, through the scripts."""

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import optuna
import pytest
from commands import REFIT, SMALL, SPACES, run_in_process, trials
from tiny import TINY, identity_of, objective, opened

from data.errors import InputError
from data.splits import Split
from hpo.refit.plan import refit_config
from hpo.runtime.requeue import requeue
from hpo.search import configuration
from hpo.search.configuration import settings_of_trial
from hpo.settings.base_config import base_config, check_settings
from hpo.space.files import built_in_space, read_space
from hpo.space.space import Space
from hpo.study.identity import identity_differences, settings_from_dict, settings_to_dict
from hpo.study.trials import RETRY_OF, STEPS
from model.config import Config
from model.own_network import OwnConfig

pytestmark = pytest.mark.usefixtures("one_thread")

NETWORK = "own_networks:make"
SPACE = SPACES / "own.toml"
NAME = "glyphs-20-episode-own_networks.make-own"
OWN = replace(TINY, image_size=20, network=NETWORK, space=read_space(SPACE), steps_per_epoch=4)


def relative_cost(config: Config, base: Config, compute: Any) -> float:
    """A cost that is proportional to the width."""
    assert isinstance(config.model, OwnConfig)
    assert isinstance(base.model, OwnConfig)
    return float(config.model.params["width"] / base.model.params["width"])


@pytest.mark.slow
def test_a_study_is_run_resumed_refitted_evaluated_and_exported(
    in_tmp: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(configuration, "relative_step_cost", relative_cost)
    flags = [*SMALL, "--network", NETWORK, "--space", str(SPACE), "--max-epochs", "2"]
    flags += ["--n-finalists", "2", "--n-finalist-seeds", "1", "--steps-per-epoch", "8"]
    assert run_in_process(in_tmp, monkeypatch, "run_study.py", *flags, "--n-trials", "2") is None
    assert run_in_process(in_tmp, monkeypatch, "run_study.py", *flags, "--n-trials", "3") is None
    done = trials(in_tmp, NAME)
    assert len(done) == 3
    for trial in done:
        steps = min(32, max(1, round(8 * 4 / trial.params["net.width"])))
        assert trial.user_attrs[STEPS] == steps
        assert trial.user_attrs["flops_per_image"] > 0
    refit = [*REFIT, "--n-seeds", "1", "--trial", "1", "--no-test"]
    capsys.readouterr()
    assert run_in_process(in_tmp, monkeypatch, "retrain_best.py", *refit) is None
    refit.remove("--no-test")
    assert run_in_process(in_tmp, monkeypatch, "retrain_best.py", *refit) is None
    (result,) = in_tmp.glob("var/retrain/*/result.json")
    values = json.loads(result.read_text())
    assert values["config"]["model"]["network"] == NETWORK
    assert values["config"]["fit"]["steps_per_epoch"] == done[1].user_attrs[STEPS]
    assert values["settings"]["training"]["steps_per_epoch"] == done[1].user_attrs[STEPS]
    network = str(result.parent / "seed-2.pt")
    if not Path(network).exists():
        network = str(next(result.parent.glob("seed-?.pt")))
    capsys.readouterr()
    evaluate = ["--checkpoint", network, "--precision", "float32"]
    assert run_in_process(in_tmp, monkeypatch, "retrain_best.py", *evaluate) is None
    assert "1-NN" in capsys.readouterr().out
    repeat = ["--config", str(result), "--out", "again", "--storage", "sqlite:///none.db"]
    repeat += ["--precision", "float32"]  # it belongs to the machine
    assert run_in_process(in_tmp, monkeypatch, "retrain_best.py", *repeat) is None
    again = json.loads((in_tmp / "again" / "result.json").read_text())
    assert again["config"] == values["config"]
    assert again["summary"] == values["summary"]
    assert run_in_process(in_tmp, monkeypatch, "dashboard.py", "--export", "page.html") is None


def test_a_retry_has_the_steps_of_its_trial(
    parts_20: Split, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    study = opened(tmp_path, parts_20, OWN)
    run = objective(parts_20, tmp_path, settings=OWN)
    study.enqueue_trial({"net.width": 16})
    monkeypatch.setattr(configuration, "relative_step_cost", lambda *_: 2.0)
    study.optimize(run, n_trials=1)
    (first,) = (t for t in study.trials if t.state.is_finished())
    requeue(study, first.number)
    monkeypatch.setattr(configuration, "relative_step_cost", lambda *_: 0.5)
    study.optimize(run, n_trials=2)  # the retry waits behind the starting point
    [retry] = [t for t in study.trials if t.user_attrs.get(RETRY_OF) == first.number]
    assert retry.params == first.params
    assert retry.user_attrs[STEPS] == first.user_attrs[STEPS]
    assert retry.user_attrs["config_digest"] == first.user_attrs["config_digest"]
    settings = settings_of_trial(OWN, first)
    rebuilt = refit_config(settings, first.params, max_epochs=OWN.max_epochs, mirrors=False)
    assert rebuilt.digest == first.user_attrs["config_digest"]
    assert settings_of_trial(TINY, first) == TINY
    larger = refit_config(settings, first.params, image_size=40)
    assert larger.model == replace(rebuilt.model, image_size=40)


def test_the_base_point_is_the_start_of_the_space(parts_20: Split) -> None:
    base = base_config(OWN)
    assert base.model == OwnConfig(
        NETWORK, {"width": 4, "depth": 2, "act": "relu", "bias": True}, 1, 20
    )
    assert len(base.fit.rates) == 1
    assert base_config(replace(OWN, recipe="paper")).fit.schedule == "exponential"
    restored = settings_from_dict(json.loads(json.dumps(settings_to_dict(OWN))))
    assert restored == OWN
    old = {n: v for n, v in settings_to_dict(TINY).items() if n != "network"}
    assert settings_from_dict(old) == TINY
    other = replace(OWN, network="own_networks:lazy")
    lines = identity_differences(identity_of(OWN, parts_20), identity_of(other, parts_20))
    assert lines[-1].startswith("settings.network:")


def with_parameter(name: str) -> Space:
    own = read_space(SPACE)
    return replace(own, parameters={**own.parameters, name: own.parameters["lr"]})


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"network": None}, "'net.width' needs a network of your own. Add --network"),
        ({"space": with_parameter("conv1.lr")}, r"'conv1\.lr' is not .* net\.\* can be searched"),
        ({"space": with_parameter("head.lr_factor")}, r"'head\.lr_factor' is not"),
        ({"space": with_parameter("model.init")}, r"'model\.init' is not"),
        ({"space": built_in_space("paper")}, "Give --space FILE"),
        ({"init": "paper"}, "Remove --init"),
        ({"network": "absent_net:make"}, "no module 'absent_net'"),
    ],
)
def test_settings_that_do_not_fit_the_network_are_one_line(
    changes: dict[str, Any], message: str
) -> None:
    check_settings(OWN)
    with pytest.raises(InputError, match=message) as error:
        check_settings(replace(OWN, **changes))
    assert "\n" not in str(error.value)


def test_a_network_is_made_before_the_search(
    in_tmp: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    flags = [*SMALL, "--network", "own_networks:failing", "--space", str(SPACE)]
    end = run_in_process(in_tmp, monkeypatch, "run_study.py", *flags)
    assert end is not None
    assert end.code == 2
    assert "my own message" in capsys.readouterr().err
    assert not (in_tmp / "study.db").exists()


def test_a_network_that_fails_in_a_trial_fails_the_trial(parts_20: Split, tmp_path: Path) -> None:
    settings = replace(OWN, network="own_networks:failing")
    study = opened(tmp_path, parts_20, settings)
    with pytest.raises(KeyError, match="my own message"):
        study.optimize(objective(parts_20, tmp_path, settings=settings), n_trials=1)
    assert study.trials[0].state == optuna.trial.TrialState.FAIL
