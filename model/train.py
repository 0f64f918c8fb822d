"""One fit, from the initial weights to the best epoch.

A resumed fit gives bit-identical results on the same CPU.
"""

import copy
import math
import time
from collections.abc import Iterator, Sequence
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
from model.normalisation import average_buffers
from model.optim import set_epoch

COLLAPSED_EPOCHS = 3  # a fit stops after this many epochs with a flat loss at chance
# Largest relative distance from the chance loss, and largest decrease over these epochs.
CHANCE_TOLERANCE, FLAT_TOLERANCE = 5e-3, 1e-3
CHANCE_ACCURACY = 1 / N_WAY


@dataclass(frozen=True)
class Validation:
    """The validation episodes and their drawings; epochs and hyperparameters are chosen on them.

    Args:
        drawings: validation drawings, on the device of the network.
        episodes: R × Q episodes as positions in ``drawings``.
    """

    drawings: Drawings
    episodes: Episodes

    @property
    def chance(self) -> float:
        """Accuracy in [0, 1] of a network that does not depend on its input."""
        return 1 / self.episodes.n_way


def fit(
    state: FitState,
    train: Drawings,
    validation: Validation | None,
    *,
    checkpoint_path: Path | None = None,
    checkpoint_interval: float = 0.0,
) -> Iterator[EpochResult]:
    """Train, and yield the result of each epoch; a resumed fit first yields its stored results.

    The caller may stop the iteration.

    Args:
        state: initial state, or the loaded state of a checkpoint; afterwards, ``state.best_net()``
            is the trained network.
        train: drawings of the training alphabets.
        validation: data on which the best epoch is chosen; with None, the fit trains to the end and
            keeps the last weights.
        checkpoint_path: file that is written after epochs; if it exists, the fit resumes from it.
        checkpoint_interval: minimum seconds of training between two checkpoints.

    Source: Koch 2015 §3.2 "Training": stop after 20 epochs without improvement, keep the best
    (with the schedules exponential and constant).
    """
    state.data = data_identity(train, validation)
    if checkpoint_path and checkpoint_path.exists() and not state.history:
        state.load(checkpoint_path)
    yield from list(state.history)
    drawings = training_drawings(train, state.config.fit).to(state.compute.device)
    unsaved_seconds = 0.0
    while not (state.history and state.history[-1].stopped):
        start = time.perf_counter()
        loss = train_epoch(state, drawings)
        accuracy = _validate(state, validation, loss)
        seconds = time.perf_counter() - start
        result = _epoch_result(state, loss, accuracy, seconds, drawings.n_characters)
        state.history.append(result)
        if state.best is result:
            state.best_weights = copy.deepcopy(state.evaluated_net.state_dict())
        unsaved_seconds += result.seconds
        if checkpoint_path and unsaved_seconds >= checkpoint_interval:
            state.save(checkpoint_path)
            unsaved_seconds = 0.0
        yield result


def data_identity(train: Drawings, validation: Validation | None) -> dict[str, Any]:
    """Return what the data of a fit and of its checkpoint must have in common, as JSON values."""
    return {
        "digest": train.digest,
        "train": list(train.alphabets),
        "validation": list(validation.drawings.alphabets) if validation else None,
        "n_episodes": len(validation.episodes) if validation else 0,
        "n_way": validation.episodes.n_way if validation else 0,
        "n_shot": validation.episodes.n_shot if validation else 0,
    }


def train_epoch(state: FitState, drawings: Drawings) -> float:
    """Train for one epoch, and return the mean loss, the only value copied from the device.

    Args:
        state: state of the fit; its networks and its optimiser change.
        drawings: drawings that the recipe trains on, on the device of the state.
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
    """Update the weights with the gradient of a loss, then update their moving average.

    Args:
        state: state of the fit; its networks and its optimiser change.
        loss: scalar float32.
    """
    state.optimizer.zero_grad()
    loss.backward()
    state.optimizer.step()
    state.n_steps += 1
    update_ema(state)


@torch.no_grad()
def update_ema(state: FitState) -> None:
    """Update the moving average of the weights.

    Early in a fit, the average spans about the last tenth of the steps so far.
    """
    if state.config.fit.ema:
        decay = min(state.config.fit.ema, (1 + state.n_steps) / (10 + state.n_steps))
        pairs = zip(state.ema_net.parameters(), state.net.parameters(), strict=True)
        for average, weight in pairs:
            average.lerp_(weight, 1 - decay)
        average_buffers(state.ema_net, state.net, 1 - decay)


def _validate(state: FitState, validation: Validation | None, loss: float) -> float:
    """Return the validation accuracy; NaN without validation, chance if the loss is not finite."""
    if validation is None:
        return math.nan if math.isfinite(loss) else CHANCE_ACCURACY
    if not math.isfinite(loss):
        return validation.chance
    state.net.eval()
    accuracy = one_shot_accuracy(state.evaluated_net, validation.drawings, validation.episodes)
    state.net.train()
    return accuracy


def is_collapsed(losses: Sequence[float], chance: float) -> bool:
    """Return whether the loss of the last epochs is flat at the loss of a constant network.

    A fit whose loss falls may still learn, even from far above the chance loss: with the paper's
    initial weights, it begins at 10.9 instead of 0.69.

    Args:
        losses: mean training loss of every epoch.
        chance: loss of a constant network.
    """
    recent = losses[-COLLAPSED_EPOCHS:]
    is_at_chance = all(abs(loss - chance) <= CHANCE_TOLERANCE * chance for loss in recent)
    is_flat = recent[0] - recent[-1] <= FLAT_TOLERANCE * chance
    return len(recent) == COLLAPSED_EPOCHS and is_at_chance and is_flat


def _epoch_result(
    state: FitState, loss: float, accuracy: float, seconds: float, n_characters: int
) -> EpochResult:
    """Return the result of an epoch, with the reason to stop if there is one."""
    epoch, config = len(state.history) + 1, state.config.fit
    losses, stopped = [result.loss for result in state.history] + [loss], None
    if not math.isfinite(loss):
        stopped = "non-finite loss"
    elif is_collapsed(losses, chance_loss(config, n_characters)):
        stopped = "collapsed"
    elif epoch >= config.max_epochs:
        stopped = "all epochs done"
    elif _is_out_of_patience(state, epoch, accuracy):
        stopped = f"no gain in {config.patience} epochs"
    n_images = epoch * images_per_epoch(config, n_characters)
    return EpochResult(epoch, loss, accuracy, n_images, seconds, stopped)


def _is_out_of_patience(state: FitState, epoch: int, accuracy: float) -> bool:
    """Return whether the accuracy has not improved for ``patience`` epochs.

    Always False with a schedule that falls to 0: the accuracy improves most at its end.
    """
    config, best = state.config.fit, state.best
    if config.schedule in ("cosine", "trapezoid") or best is None:
        return False
    return accuracy <= best.accuracy and epoch - best.epoch >= config.patience
