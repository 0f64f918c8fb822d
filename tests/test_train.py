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
from model.train import Validation, fit

CPU = ComputeConfig(torch.device("cpu"))


@pytest.fixture(scope="module")
def validation(parts: Split) -> Validation:
    return Validation(parts.val, dense_validation(parts.val))


def weights(state: FitState) -> dict[str, torch.Tensor]:
    return {n: t.clone() for n, t in state.best_net().state_dict().items()}


@pytest.mark.parametrize("recipe", ["episode", "paper"])
@pytest.mark.parametrize("precision", ["float32", "bfloat16"])
def test_a_resumed_fit_equals_the_uninterrupted_one_bit_for_bit(
    recipe: str, precision: str, parts: Split, validation: Validation, tmp_path: Path
) -> None:
    compute = ComputeConfig(CPU.device, precision)
    whole = FitState(config(recipe, ema=0.99), 3, compute)
    expected = list(fit(whole, parts.train, validation))

    path = tmp_path / "fit.pt"
    state = FitState(config(recipe, ema=0.99), 3, compute)
    killed = fit(state, parts.train, validation, checkpoint_path=path)
    next(killed), next(killed)
    resumed = FitState(config(recipe, ema=0.99), 3, compute)
    list(fit(resumed, parts.train, validation, checkpoint_path=path))

    assert [(r.loss, r.accuracy) for r in resumed.history] == [
        (r.loss, r.accuracy) for r in expected
    ]
    for name, tensor in weights(whole).items():
        assert torch.equal(tensor, weights(resumed)[name]), name


def test_weights_batches_and_pairs_come_from_different_streams() -> None:
    state = FitState(config(), 0, CPU)
    seeds = {derive_seed(0, 0) % 2**32, state.generator.initial_seed() % 2**32, 0}
    assert len(seeds) == 3
    assert derive_seed(0, 0) == derive_seed(0, 0) != derive_seed(1, 0)


def test_building_a_network_leaves_the_global_random_state_alone() -> None:
    before = torch.get_rng_state()
    FitState(config(), 0, CPU).best_net()
    assert torch.equal(torch.get_rng_state(), before)


def test_a_finished_fit_repeats_its_results_and_trains_no_more(
    parts: Split, validation: Validation, tmp_path: Path
) -> None:
    path = tmp_path / "fit.pt"
    results = list(fit(FitState(config(), 0, CPU), parts.train, validation, checkpoint_path=path))
    written = path.stat().st_mtime_ns
    again = FitState(config(), 0, CPU)
    assert list(fit(again, parts.train, validation, checkpoint_path=path)) == results
    assert path.stat().st_mtime_ns == written


def test_a_checkpoint_is_written_no_oftener_than_asked(
    parts: Split, validation: Validation, tmp_path: Path
) -> None:
    path = tmp_path / "fit.pt"
    state = FitState(config(), 0, CPU)
    list(fit(state, parts.train, validation, checkpoint_path=path, checkpoint_interval=1e6))
    assert not path.exists()


def test_a_checkpoint_of_another_configuration_or_seed_is_refused(
    parts: Split, validation: Validation, tmp_path: Path
) -> None:
    path = tmp_path / "fit.pt"
    next(fit(FitState(config(), 0, CPU), parts.train, validation, checkpoint_path=path))
    same, tiny = FitState(config(), 0, CPU), FitState(config(n_characters=8), 0, CPU)
    rough = FitState(config(), 0, ComputeConfig(CPU.device, "bfloat16"))
    for other, train_on, chosen_by, named in [
        (FitState(config(), 1, CPU), parts.train, validation, "seed"),
        (tiny, parts.train, validation, "config"),
        (
            rough,
            parts.train,
            validation,
            "precision",
        ),
        (same, parts.val, validation, "data"),
        (same, parts.train, None, "data"),
    ]:
        with pytest.raises(InputError, match=f"is of another {named}.*Delete it"):
            next(fit(other, train_on, chosen_by, checkpoint_path=path))


def test_a_torn_checkpoint_is_named(parts: Split, validation: Validation, tmp_path: Path) -> None:
    path = tmp_path / "fit.pt"
    next(fit(FitState(config(), 0, CPU), parts.train, validation, checkpoint_path=path))
    path.write_bytes(path.read_bytes()[:2000])
    with pytest.raises(InputError, match=r"fit\.pt is torn.*Delete it"):
        next(fit(FitState(config(), 0, CPU), parts.train, validation, checkpoint_path=path))


def test_training_beats_the_untrained_network(parts: Split, validation: Validation) -> None:
    state = FitState(config(max_epochs=5, steps_per_epoch=25, n_characters=32), 0, CPU)
    results = list(fit(state, parts.train, validation))
    assert results[-1].loss < 0.8 * chance_loss(state.config.fit)
    untrained = FitState(state.config, 0, CPU).net
    before = one_shot_accuracy(untrained, validation.drawings, validation.episodes)
    assert max(r.accuracy for r in results) > before + 0.1


def test_the_best_epochs_weights_are_kept(parts: Split, validation: Validation) -> None:
    state = FitState(config(max_epochs=6), 0, CPU)
    list(fit(state, parts.train, validation))
    assert state.best is not None
    net = state.best_net()
    again = one_shot_accuracy(net, validation.drawings, validation.episodes)
    assert again == state.best.accuracy == max(r.accuracy for r in state.history)


def with_lr(lr: float, recipe: str) -> Config:
    made = config(recipe, max_epochs=8)
    rates = (LayerRates(lr, 0.9, 0.0),) * 6
    return replace(made, fit=replace(made.fit, rates=rates))


def test_a_fit_whose_loss_is_not_finite_ends_with_its_reason(
    parts: Split, validation: Validation
) -> None:
    state = FitState(with_lr(1e30, "episode"), 0, CPU)
    results = list(fit(state, parts.train, validation))
    assert results[-1].stopped == "non-finite loss"
    assert results[-1].diverged
    assert results[-1].accuracy == 1 / 20


@pytest.mark.parametrize("recipe", ["episode", "paper"])
def test_a_fit_stuck_at_the_chance_loss_ends_with_its_reason(
    recipe: str, parts: Split, validation: Validation
) -> None:
    made = with_lr(1e-30, recipe)
    state = FitState(replace(made, fit=replace(made.fit, schedule="exponential")), 0, CPU)
    with torch.no_grad():
        state.net.head.weight.zero_()
    results = list(fit(state, parts.train, validation))
    assert results[-1].loss == pytest.approx(chance_loss(made.fit), rel=1e-4)
    assert (results[-1].stopped, results[-1].epoch) == ("collapsed", 3)


def test_a_fit_stops_after_its_patience_and_a_patient_one_does_not(
    parts: Split, validation: Validation, monkeypatch: pytest.MonkeyPatch
) -> None:
    scores = [0.3, 0.5, 0.4, 0.4, 0.4, 0.4, 0.6, 0.1]
    for schedule, patience, n_epochs, reason in [
        ("exponential", 3, 5, "no gain in 3 epochs"),
        ("exponential", 5, 8, "all epochs done"),
        ("cosine", 3, 8, "all epochs done"),
    ]:
        given = iter(scores)
        monkeypatch.setattr(train, "one_shot_accuracy", lambda *_: next(given))  # noqa: B023
        made = config(
            max_epochs=8, patience=patience, schedule=schedule, ema=0.0, steps_per_epoch=1
        )
        results = list(fit(FitState(made, 0, CPU), parts.train, validation))
        assert (len(results), results[-1].stopped) == (n_epochs, reason)


def test_without_validation_the_last_weights_are_kept(parts: Split) -> None:
    state = FitState(config(), 0, CPU)
    results = list(fit(state, parts.train, None))
    assert len(results) == 4
    assert all(math.isnan(r.accuracy) for r in results)
    for name, tensor in state.ema_net.state_dict().items():
        assert torch.equal(tensor, weights(state)[name])


def test_rates_change_once_per_epoch(
    parts: Split, validation: Validation, monkeypatch: pytest.MonkeyPatch
) -> None:
    seen: list[tuple[float, float]] = []
    original = torch.optim.SGD.step

    def spy(self: torch.optim.SGD) -> None:
        seen.append((self.param_groups[0]["lr"], self.param_groups[0]["momentum"]))
        original(self)

    monkeypatch.setattr(torch.optim.SGD, "step", spy)
    list(fit(FitState(config(), 0, CPU), parts.train, validation))
    assert len(seen) == 12
    for epoch in range(4):
        assert len(set(seen[3 * epoch : 3 * epoch + 3])) == 1
    assert [momentum for _, momentum in seen[::3]] == pytest.approx([0.5, 0.7, 0.9, 0.9])
