"""One fit, from random weights to the best epoch's: resumable, bit for bit on one CPU."""

import copy
import math
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from data.drawings import Drawings
from data.episodes import N_WAY, Episodes
from model.evaluate import one_shot_accuracy
from model.fit_state import EpochResult, FitState
from model.losses import LOSSES, chance_loss, images_per_epoch, training_drawings
from model.optim import set_epoch

COLLAPSED_EPOCHS = 3  # so many epochs at the chance loss are enough

COLLAPSED_SHARE = 0.995  # of the chance loss

CHANCE = 1 / N_WAY


@dataclass(frozen=True)
class Validation:
    """The episodes that choose epochs and hyperparameters, and the drawings they use."""

    drawings: Drawings
    episodes: Episodes

    @property
    def chance(self) -> float:
        """Accuracy of a network that has learnt nothing."""
        return 1 / self.episodes.n_way


def fit(
    state: FitState,
    train: Drawings,
    validation: Validation | None,
    *,
    checkpoint_path: Path | None = None,
    checkpoint_interval: float = 0.0,
) -> Iterator[EpochResult]:
    """Train, and yield each epoch's result, first those of the checkpoint; the caller may stop.

    Args:
        state: where to start; afterwards ``state.best_net()`` is the trained network.
        train: drawings of the training alphabets.
        validation: chooses the best epoch; None trains to the end and keeps the last weights.
        checkpoint_path: written after an epoch; if it exists, the fit goes on from there.
        checkpoint_interval: time that must have passed since it was last written.

    Source: Koch 2015 §3.2 "Training": stop after 20 epochs without a gain, keep the best.
    """
    state.data = data_identity(train, validation)
    if checkpoint_path and checkpoint_path.exists():
        state.load(checkpoint_path)
    yield from list(state.history)
    drawings = training_drawings(train, state.config.fit).to(state.compute.device)
    unsaved = 0.0
    while not (state.history and state.history[-1].stopped):
        started = time.perf_counter()
        loss = train_epoch(state, drawings)
        accuracy = _validate(state, validation, loss)
        seconds = time.perf_counter() - started
        result = _epoch_result(state, loss, accuracy, seconds, drawings.n_characters)
        state.history.append(result)
        if state.best is result:
            state.best_weights = copy.deepcopy(state.candidate.state_dict())
        unsaved += result.seconds
        if checkpoint_path and unsaved >= checkpoint_interval:
            state.save(checkpoint_path)
            unsaved = 0.0
        yield result


def data_identity(train: Drawings, validation: Validation | None) -> dict[str, Any]:
    """Return what a checkpoint's data must agree with, as JSON values."""
    return {
        "digest": train.digest,
        "train": list(train.alphabets),
        "validation": list(validation.drawings.alphabets) if validation else None,
        "n_episodes": len(validation.episodes) if validation else 0,
    }


def train_epoch(state: FitState, drawings: Drawings) -> float:
    """Run one epoch; return the mean loss, the only number that leaves the device.

    Args:
        state: its networks and optimiser are moved on.
        drawings: what the recipe trains on, on the state's device.
    """
    config = state.config.fit
    set_epoch(state.optimizer, config, len(state.history))
    total, n_steps = torch.zeros((), device=state.compute.device), 0
    for loss in LOSSES[config.recipe](state.net, drawings, config, generator=state.generator):
        train_step(state, loss)
        total += loss.detach()
        n_steps += 1
    return total.item() / n_steps


def train_step(state: FitState, loss: Tensor) -> None:
    """Move the weights by one loss, and their average after them."""
    state.optimizer.zero_grad()
    loss.backward()
    state.optimizer.step()
    state.n_steps += 1
    update_average(state)


@torch.no_grad()
def update_average(state: FitState) -> None:
    """Move the averaged weights towards the weights; early averages span the last tenth."""
    if state.config.fit.ema:
        decay = min(state.config.fit.ema, (1 + state.n_steps) / (10 + state.n_steps))
        pairs = zip(state.ema_net.parameters(), state.net.parameters(), strict=True)
        for mean, weight in pairs:
            mean.lerp_(weight, 1 - decay)


def _validate(state: FitState, validation: Validation | None, loss: float) -> float:
    """Return the validation accuracy; NaN without validation, chance for a fit that diverged."""
    if validation is None:
        return CHANCE if not math.isfinite(loss) else math.nan
    if not math.isfinite(loss):
        return validation.chance
    return one_shot_accuracy(state.candidate, validation.drawings, validation.episodes)


def _epoch_result(
    state: FitState, loss: float, accuracy: float, seconds: float, n_characters: int
) -> EpochResult:
    """Return the epoch's result with the reason to stop, if there is one."""
    epoch, config = len(state.history) + 1, state.config.fit
    limit = COLLAPSED_SHARE * chance_loss(config, n_characters)
    recent = [r.loss for r in state.history[1 - COLLAPSED_EPOCHS :]] + [loss]
    stopped = None
    if not math.isfinite(loss):
        stopped = "non-finite loss"
    elif len(recent) >= COLLAPSED_EPOCHS and min(recent) >= limit:
        stopped = "collapsed"
    elif epoch >= config.max_epochs:
        stopped = "all epochs done"
    elif _is_out_of_patience(state, epoch, accuracy):
        stopped = f"no gain in {config.patience} epochs"
    n_images = epoch * images_per_epoch(config, n_characters)
    return EpochResult(epoch, loss, accuracy, n_images, seconds, stopped)


def _is_out_of_patience(state: FitState, epoch: int, accuracy: float) -> bool:
    """Return whether too many epochs went by without a gain; a cosine gains most at its end."""
    config, best = state.config.fit, state.best
    if config.schedule == "cosine" or best is None:
        return False
    return accuracy <= best.accuracy and epoch - best.epoch >= config.patience
