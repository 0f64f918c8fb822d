"""A network of the user's own: found, made, trained, stored and loaded."""

import copy
import json
import shutil
import sys
from dataclasses import replace
from pathlib import Path
from typing import Any

import own_networks
import pytest
import torch
from commands import ROOT, run_in_process, trials
from tiny import config as tiny_config

from data.episodes import dense_validation
from data.errors import InputError
from data.splits import Split
from model import own_network
from model.checkpoint import load_network, save_network
from model.config import Config, LayerRates
from model.device import ComputeConfig
from model.export import export_network
from model.fit_state import FitState
from model.networks import OwnNet, build_net
from model.own_module import check_network, make_module
from model.own_network import OwnConfig, find_factory, register_network
from model.step_cost import relative_step_cost
from model.train import Validation, fit

pytestmark = pytest.mark.usefixtures("one_thread")

CPU = ComputeConfig(torch.device("cpu"))
MODEL = OwnConfig("own_networks:make", {"width": 4, "depth": 2}, 1, 20)


def own_config(model: OwnConfig = MODEL, **changes: Any) -> Config:
    base = tiny_config(**changes)
    return Config(model, replace(base.fit, rates=(LayerRates(0.05, 0.9, 1e-4),)))


def network(seed: int = 0, model: OwnConfig = MODEL) -> OwnNet:
    net = build_net(model, generator=torch.Generator().manual_seed(seed))
    assert isinstance(net, OwnNet)
    return net


def test_a_configuration_survives_json() -> None:
    config = own_config()
    values = json.loads(json.dumps(config.to_dict()))
    assert values["model"]["params"] == {"width": 4, "depth": 2}
    assert Config.from_dict(values) == config
    assert Config.from_dict(values).digest == config.digest
    wider = replace(config, model=replace(MODEL, params={"width": 5}))
    assert wider.digest != config.digest


@pytest.mark.parametrize("name", ["make", "lazy"])
def test_a_seed_gives_the_same_network_and_changes_no_random_state(name: str) -> None:
    model, state = replace(MODEL, network=f"own_networks:{name}"), torch.get_rng_state()
    first, again, other = (network(seed, model).state_dict() for seed in (1, 1, 2))
    assert all(torch.equal(first[n], again[n]) for n in first)
    assert not all(torch.equal(first[n], other[n]) for n in first)
    assert torch.equal(torch.get_rng_state(), state)


def test_it_has_our_head_and_embeds_in_float32() -> None:
    net = network().eval()
    x = torch.rand(3, 1, 20, 20)
    h = net.embed(x)
    assert h.shape == (3, 16)
    torch.testing.assert_close(net.embed(x[:1]), h[:1])  # no statistics of the batch
    assert net.compare(h[:2], h[1:]).shape == (2,)
    assert net.compare(h[None], h[None]).shape == (1, 3, 3)
    net.precision = "bfloat16"
    assert net.embed(x).dtype == torch.float32
    # Two convolutions of 3×3: 1 → 4 channels at 20 pixels, 4 → 4 at 10; then 100 → 16.
    assert net.flops == 2 * (9 * 4 * 400 + 9 * 16 * 100 + 100 * 16)


def test_all_weights_have_one_group_of_rates() -> None:
    state = FitState(own_config(), 0, CPU)
    (group,) = state.optimizer.param_groups
    assert len(group["params"]) == len(list(state.net.parameters()))
    assert group["weight_decay"] == 2e-4


def trained(state: FitState, parts: Split, path: Path | None = None, n_epochs: int = 9) -> FitState:
    validation = Validation(parts.val, dense_validation(parts.val))
    for result in fit(state, parts.train, validation, checkpoint_path=path):
        if result.epoch == n_epochs:
            break
    return state


def test_a_fit_with_batch_normalisation_and_dropout_resumes_bit_for_bit(
    parts_20: Split, tmp_path: Path
) -> None:
    config = own_config(ema=0.9)
    whole = trained(FitState(config, 3, CPU), parts_20)
    path, global_state = tmp_path / "fit.pt", torch.get_rng_state()
    trained(FitState(config, 3, CPU), parts_20, path, 2)
    torch.rand(5)  # another process has another global random state
    resumed = trained(FitState(config, 3, CPU), parts_20, path)
    assert [r.loss for r in resumed.history] == [r.loss for r in whole.history]
    assert [r.accuracy for r in resumed.history] == [r.accuracy for r in whole.history]
    theirs = resumed.ema_net.state_dict()
    assert all(torch.equal(value, theirs[n]) for n, value in whole.ema_net.state_dict().items())
    assert not torch.equal(torch.get_rng_state(), global_state)  # only by the line above


def test_averaged_weights_have_averaged_statistics(parts_20: Split) -> None:
    state = trained(FitState(own_config(ema=0.9), 0, CPU), parts_20, n_epochs=1)
    mean = "net.layers.1.running_mean"
    average, last = state.ema_net.state_dict()[mean], state.net.state_dict()[mean]
    assert not torch.equal(average, torch.zeros(4))
    assert not torch.equal(average, last)
    assert not state.ema_net.training


def test_a_network_file_is_loaded_and_exported(parts_20: Split, tmp_path: Path) -> None:
    state = trained(FitState(own_config(), 0, CPU), parts_20, n_epochs=1)
    path, net = tmp_path / "net.pt", state.best_net()
    save_network(path, net, state.config, state.metadata())
    loaded, config, metadata = load_network(path)
    assert config == state.config
    assert metadata["flops_per_image"] == net.flops
    x = torch.rand(3, 1, 20, 20)
    assert torch.equal(loaded.embed(x), net.embed(x))
    (embed, _) = export_network(path, "torch")
    graph = torch.export.load(embed).module()
    torch.testing.assert_close(graph(x), net.embed(x))


def test_a_network_that_cannot_be_exported_is_one_line(tmp_path: Path) -> None:
    model = replace(MODEL, network="own_networks:fixed_batch")
    save_network(tmp_path / "net.pt", network(model=model), own_config(model), {})
    with pytest.raises(InputError, match=r"the export raised .*batch"):
        export_network(tmp_path / "net.pt", "torch")


def test_a_network_file_without_its_code_names_the_module(tmp_path: Path) -> None:
    path = tmp_path / "net.pt"
    save_network(path, network(), own_config(replace(MODEL, network="absent_net:make")), {})
    with pytest.raises(InputError, match="no module 'absent_net'"):
        load_network(path)
    save_network(path, network(), own_config(replace(MODEL, params={"width": 4, "depth": 3})), {})
    with pytest.raises(InputError, match="does not fit this version"):
        load_network(path)


def test_a_step_of_a_wider_network_costs_more() -> None:
    wide = own_config(replace(MODEL, params={"width": 96, "depth": 2}))
    assert relative_step_cost(wide, own_config(), CPU) > 1.5
    assert 1 / 3 < relative_step_cost(own_config(), own_config(), CPU) < 3


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("make", "must be MODULE:FUNCTION"),
        (":make", "must be MODULE:FUNCTION"),
        ("absent_net:make", "no module 'absent_net'"),
        ("own_networks.inner:make", "no module 'own_networks.inner'|not a package"),
        ("own_networks:mak", "has no function 'mak'"),
        ("own_networks:NOT_A_FUNCTION", "is not a function"),
        ("os:system", "standard library"),
        ("torch:os.system", "standard library"),
    ],
)
def test_a_name_that_leads_to_no_function_is_an_error(name: str, message: str) -> None:
    with pytest.raises(InputError, match=message) as error:
        find_factory(name)
    assert "\n" not in str(error.value)


@pytest.mark.parametrize(
    ("name", "params", "message"),
    [
        ("no_module", {}, r"torch\.nn\.Module, but returns str"),
        ("without_embed", {}, "embed"),
        ("failing", {}, r"KeyError \('my own message'\) in own_networks\.py, line \d+"),
        ("wrong_size", {"width": 4}, r"1×20×20, raised RuntimeError .* own_networks\.py"),
        ("make", {}, r"KeyError \('width'\) in own_networks\.py"),
        ("returns", {"kind": "int"}, "int32 2×8"),
        ("returns", {"kind": "3d"}, "float32 2×1×8"),
        ("returns", {"kind": "one row"}, "float32 1×8"),
        ("returns", {"kind": "list"}, "returns int"),
    ],
)
def test_a_wrong_network_is_one_line(name: str, params: dict[str, Any], message: str) -> None:
    with pytest.raises(InputError, match=message) as error:
        check_network(OwnConfig(f"own_networks:{name}", params, 1, 20))
    assert "\n" not in str(error.value)


def test_an_error_of_the_users_code_keeps_its_type_in_a_trial() -> None:
    with pytest.raises(KeyError, match="my own message"):
        make_module(OwnConfig("own_networks:failing", {}, 1, 20), 0)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("import absent_library\n", r"ModuleNotFoundError .*absent_library.* in broken_net\.py"),
        ("def make(:\n", r"SyntaxError .* in broken_net\.py, line 1"),
    ],
)
def test_a_module_that_cannot_be_imported_names_its_line(
    text: str, message: str, in_tmp: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (in_tmp / "broken_net.py").write_text(text)
    monkeypatch.syspath_prepend(in_tmp)
    with pytest.raises(InputError, match=message):
        find_factory("broken_net:make")


def test_a_module_is_imported_from_the_current_folder(
    in_tmp: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("sys.path", copy.copy(__import__("sys").path))
    (in_tmp / "net_of_folder.py").write_text("class Nets:\n    make = staticmethod(lambda *a: a)\n")
    assert find_factory("net_of_folder:Nets.make")({}, 1, 20) == ({}, 1, 20)


def test_a_registered_function_needs_no_import(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(own_network, "_registered", {})

    def make_here(params: dict[str, Any], channels: int, image_size: int) -> torch.nn.Module:
        return own_networks.make(params, channels, image_size)

    name = register_network(make_here)
    assert "<locals>" in name
    assert find_factory(name) is make_here
    assert network(model=replace(MODEL, network=name)).embed(torch.rand(2, 1, 20, 20)).shape


@pytest.mark.slow
def test_the_example_of_the_documentation_is_tuned_and_refitted(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("sys.path", copy.copy(sys.path))
    for name in ("my_net.py", "my_net.toml"):
        shutil.copy(ROOT / "docs" / "examples" / name, tmp_path)
    flags = ["--data", "glyphs", "--image-size", "20", "--n-trials", "2", "--max-epochs", "1"]
    flags += ["--steps-per-epoch", "1", "--n-finalists", "0", "--precision", "float32"]
    own = ["--network", "my_net:make", "--space", "my_net.toml"]
    assert run_in_process(tmp_path, monkeypatch, "run_study.py", *flags, *own) is None
    assert [set(t.params) for t in trials(tmp_path, "glyphs-20-episode-my_net.make-my_net")] == [
        {"net.width", "lr", "distort.rotation"}
    ] * 2
    refit = ["--n-seeds", "1", "--max-epochs", "1", "--precision", "float32", "--out", "out"]
    assert run_in_process(tmp_path, monkeypatch, "retrain_best.py", *refit) is None
    assert run_in_process(tmp_path, monkeypatch, "dashboard.py", "--export", "r.html") is None
