"""One fit: training, checkpoints, and the reasons to stop."""

import math
from dataclasses import replace
from pathlib import Path

import pytest
import torch
from tiny import config

from data.episodes import dense_validation
from data.errors import InputError
from data.splits import Split
from model import train
from model.config import Config, LayerRates
from model.device import ComputeConfig
from model.evaluate import one_shot_accuracy
from model.fit_state import FitState
from model.losses import chance_loss
from model.seeds import derive_seed
from model.train import Validation, fit, is_collapsed

CPU = ComputeConfig(torch.device("cpu"))


@pytest.fixture(scope="module")
def validation(parts: Split) -> Validation:
    return Validation(parts.val, dense_validation(parts.val))


def weights(state: FitState) -> dict[str, torch.Tensor]:
    return {n: t.clone() for n, t in state.best_net().state_dict().items()}


@pytest.mark.parametrize(
    ("recipe", "precision"),
    [("episode", "float32"), ("episode", "bfloat16"), ("paper", "float32")],
)
def test_a_resumed_fit_equals_the_uninterrupted_one_bit_for_bit(
    recipe: str, precision: str, parts: Split, validation: Validation, tmp_path: Path
) -> None:
    compute = ComputeConfig(CPU.device, precision)
    made = config(recipe, ema=0.99, max_epochs=3)
    uninterrupted = FitState(made, 3, compute)
    expected = list(fit(uninterrupted, parts.train, validation))

    path = tmp_path / "fit.pt"
    interrupted = FitState(made, 3, compute)
    next(fit(interrupted, parts.train, validation, checkpoint_path=path))
    resumed = FitState(made, 3, compute)
    list(fit(resumed, parts.train, validation, checkpoint_path=path))

    assert [(r.loss, r.accuracy) for r in resumed.history] == [
        (r.loss, r.accuracy) for r in expected
    ]
    for name, tensor in weights(uninterrupted).items():
        assert torch.equal(tensor, weights(resumed)[name]), name


def test_weights_batches_and_pairs_come_from_different_streams() -> None:
    state = FitState(config(), 0, CPU)
    seeds = {derive_seed(0, 0) % 2**32, state.generator.initial_seed() % 2**32, 0}
    assert len(seeds) == 3
    assert derive_seed(0, 0) == derive_seed(0, 0) != derive_seed(1, 0)


def test_building_a_network_does_not_change_the_global_random_state() -> None:
    before = torch.get_rng_state()
    FitState(config(), 0, CPU).best_net()
    assert torch.equal(torch.get_rng_state(), before)


def test_a_finished_fit_yields_its_results_and_trains_no_further(
    parts: Split, validation: Validation, tmp_path: Path
) -> None:
    path = tmp_path / "fit.pt"
    made = config(max_epochs=2)
    results = list(fit(FitState(made, 0, CPU), parts.train, validation, checkpoint_path=path))
    modified = path.stat().st_mtime_ns
    again = FitState(made, 0, CPU)
    assert list(fit(again, parts.train, validation, checkpoint_path=path)) == results
    assert path.stat().st_mtime_ns == modified


def test_a_checkpoint_waits_for_its_interval(
    parts: Split, validation: Validation, tmp_path: Path
) -> None:
    path = tmp_path / "fit.pt"
    state = FitState(config(max_epochs=2), 0, CPU)
    list(fit(state, parts.train, validation, checkpoint_path=path, checkpoint_interval=1e6))
    assert not path.exists()


def test_a_checkpoint_of_another_fit_is_refused_with_what_differs(
    parts: Split, validation: Validation, tmp_path: Path
) -> None:
    path = tmp_path / "fit.pt"
    next(fit(FitState(config(), 0, CPU), parts.train, validation, checkpoint_path=path))
    same = FitState(config(), 0, CPU)
    other_config = FitState(config(n_characters=8), 0, CPU)
    other_precision = FitState(config(), 0, ComputeConfig(CPU.device, "bfloat16"))
    for state, drawings, chosen_by, name in [
        (FitState(config(), 1, CPU), parts.train, validation, "seed"),
        (other_config, parts.train, validation, "config"),
        (other_precision, parts.train, validation, "precision"),
        (same, parts.val, validation, "data"),
        (same, parts.train, None, "data"),
    ]:
        with pytest.raises(InputError, match=rf"fit\.pt.* its {name} differ.*Delete it"):
            next(fit(state, drawings, chosen_by, checkpoint_path=path))


def test_a_truncated_checkpoint_is_refused(
    parts: Split, validation: Validation, tmp_path: Path
) -> None:
    path = tmp_path / "fit.pt"
    FitState(config(), 0, CPU).save(path)
    path.write_bytes(path.read_bytes()[:2000])
    with pytest.raises(InputError, match=r"fit\.pt.*Delete it"):
        next(fit(FitState(config(), 0, CPU), parts.train, validation, checkpoint_path=path))


def test_a_trained_network_is_better_than_the_untrained_one(
    parts: Split, validation: Validation
) -> None:
    state = FitState(config(max_epochs=5, steps_per_epoch=25, n_characters=32), 0, CPU)
    before = one_shot_accuracy(state.net, validation.drawings, validation.episodes)
    results = list(fit(state, parts.train, validation))
    assert results[-1].loss < 0.8 * chance_loss(state.config.fit)
    assert max(r.accuracy for r in results) > before + 0.1


def test_the_weights_of_the_best_epoch_are_kept(
    parts: Split, validation: Validation, monkeypatch: pytest.MonkeyPatch
) -> None:
    accuracies = iter([0.3, 0.5, 0.4])
    monkeypatch.setattr(train, "one_shot_accuracy", lambda *_: next(accuracies))
    state = FitState(config(max_epochs=3, steps_per_epoch=1), 0, CPU)
    weights_by_epoch = []
    for _ in fit(state, parts.train, validation):
        tensors = state.evaluated_net.state_dict().items()
        weights_by_epoch.append({name: tensor.clone() for name, tensor in tensors})
    assert state.best is not None
    assert (state.best.epoch, state.best.accuracy) == (2, 0.5)
    assert state.metadata()["best_epoch"] == 2
    for name, tensor in weights(state).items():
        assert torch.equal(tensor, weights_by_epoch[1][name]), name
    assert not torch.equal(weights_by_epoch[2]["fc1.weight"], weights_by_epoch[1]["fc1.weight"])


def with_lr(lr: float, recipe: str) -> Config:
    made = config(recipe, max_epochs=8, steps_per_epoch=1, n_pairs=32, schedule="exponential")
    rates = (LayerRates(lr, 0.9, 0.0),) * 6
    return replace(made, fit=replace(made.fit, rates=rates))


def test_a_fit_with_a_loss_that_is_not_finite_stops(parts: Split, validation: Validation) -> None:
    made = with_lr(1e30, "episode")
    for chosen_by in (validation, None):
        results = list(fit(FitState(made, 0, CPU), parts.train, chosen_by))
        assert results[-1].stopped == "non-finite loss"
        assert results[-1].diverged
        assert results[-1].accuracy == 1 / 20


@pytest.mark.parametrize("recipe", ["episode", "paper"])
def test_a_fit_that_stays_at_the_chance_loss_stops(
    recipe: str, parts: Split, validation: Validation
) -> None:
    made = with_lr(1e-30, recipe)
    state = FitState(made, 0, CPU)
    with torch.no_grad():
        state.net.head.weight.zero_()
    results = list(fit(state, parts.train, validation))
    assert results[-1].loss == pytest.approx(chance_loss(made.fit), rel=1e-4)
    assert (results[-1].stopped, results[-1].epoch) == ("collapsed", 3)


@pytest.mark.parametrize(
    ("losses", "collapsed"),
    [
        ([0.693, 0.693, 0.6931], True),
        ([2.0, 0.693, 0.6932, 0.6931], True),
        ([0.693, 0.693], False),  # two epochs
        ([10.9, 7.1, 4.2, 2.3], False),  # far above chance, but falling
        ([10.9, 10.9, 10.9], False),  # not at chance
        ([0.696, 0.6945, 0.692], False),  # at chance, but falling
        ([0.693, 0.693, 0.5], False),
    ],
)
def test_only_a_flat_loss_at_chance_is_a_collapse(losses: list[float], collapsed: bool) -> None:
    assert is_collapsed(losses, math.log(2)) == collapsed


@pytest.mark.parametrize(
    ("schedule", "patience", "n_epochs", "reason"),
    [
        ("exponential", 3, 5, "no gain in 3 epochs"),
        ("exponential", 5, 8, "all epochs done"),
        ("cosine", 3, 8, "all epochs done"),
    ],
)
def test_a_fit_stops_when_its_patience_ends(
    schedule: str,
    patience: int,
    n_epochs: int,
    reason: str,
    parts: Split,
    validation: Validation,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    accuracies = iter([0.3, 0.5, 0.4, 0.4, 0.4, 0.4, 0.6, 0.1])
    monkeypatch.setattr(train, "one_shot_accuracy", lambda *_: next(accuracies))
    made = config(max_epochs=8, patience=patience, schedule=schedule, ema=0.0, steps_per_epoch=1)
    results = list(fit(FitState(made, 0, CPU), parts.train, validation))
    assert (len(results), results[-1].stopped) == (n_epochs, reason)


def test_without_validation_the_last_weights_are_kept(parts: Split) -> None:
    state = FitState(config(max_epochs=2), 0, CPU)
    results = list(fit(state, parts.train, None))
    assert len(results) == 2
    assert all(math.isnan(r.accuracy) for r in results)
    for name, tensor in state.ema_net.state_dict().items():
        assert torch.equal(tensor, weights(state)[name])


def test_rates_change_once_per_epoch(parts: Split, monkeypatch: pytest.MonkeyPatch) -> None:
    rates: list[tuple[float, float]] = []
    original = torch.optim.SGD.step

    def recording_step(self: torch.optim.SGD) -> None:
        rates.append((self.param_groups[0]["lr"], self.param_groups[0]["momentum"]))
        original(self)

    monkeypatch.setattr(torch.optim.SGD, "step", recording_step)
    list(fit(FitState(config(), 0, CPU), parts.train, None))
    assert len(rates) == 12
    for epoch in range(4):
        assert len(set(rates[3 * epoch : 3 * epoch + 3])) == 1
    assert [momentum for _, momentum in rates[::3]] == pytest.approx([0.5, 0.7, 0.9, 0.9])
