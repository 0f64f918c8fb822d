"""The result of one epoch, and the state of a fit between two epochs."""

import copy
import json
import math
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

import torch

from data.errors import InputError
from model.checkpoint import load_checkpoint, save_checkpoint
from model.config import Config
from model.device import ComputeConfig
from model.networks import build_net
from model.optim import build_optimizer
from model.schema import SCHEMA, upgrade
from model.seeds import derive_seed
from model.siamese import SiameseNet
from model.start_weights import StartWeights, load_weights

TRAINING_VERSION = 2  # incremented when equal configurations train differently
FIT_FORMAT = f"siamese-fit-{TRAINING_VERSION}"


@dataclass(frozen=True)
class EpochResult:
    """The result of one epoch.

    Args:
        epoch: number of completed epochs, from 1.
        loss: mean loss of the steps.
        accuracy: one-shot accuracy on the validation episodes, in [0, 1]; NaN without validation,
            the chance accuracy if the loss is not finite.
        n_images: number of drawings embedded in training since the start of the fit.
        seconds: wall-clock seconds of the epoch, validation included.
        stopped: reason why the fit stopped after this epoch, or None.
    """

    epoch: int
    loss: float
    accuracy: float
    n_images: int
    seconds: float
    stopped: str | None

    @property
    def diverged(self) -> bool:
        """Whether the fit stopped because the network does not learn."""
        return self.stopped in ("non-finite loss", "collapsed")


@dataclass
class FitState:
    """The state of a fit at the end of an epoch, which a checkpoint stores.

    Args:
        config: configuration of the fit.
        seed: seed of the random initial weights and of the batches.
        compute: device and precision.
        history: results of the completed epochs.
        data: description of the training and validation data; set by :func:`model.train.fit`.
        start: weights from which the fit starts, those that ``config.start`` names; None for random
            weights.

    Further attributes: ``net`` and its average ``ema_net``, ``optimizer``, ``generator`` (of
    batches and distortions), ``best_weights``, and ``n_steps``, the number of optimiser steps.
    """

    config: Config
    seed: int
    compute: ComputeConfig
    history: list[EpochResult] = field(default_factory=list)
    data: dict[str, Any] = field(default_factory=dict)
    start: StartWeights | None = None

    def __post_init__(self) -> None:
        """Draw the initial weights, or copy those of a trained network."""
        assert self.config.start == (self.start.digest if self.start else None)
        self.net = self._new_net(torch.Generator().manual_seed(derive_seed(self.seed, 0)))
        if self.start is not None:
            load_weights(self.net, self.start)
        self.ema_net = copy.deepcopy(self.net).requires_grad_(False).eval()
        if self.compute.compile:
            self.net.compile_training()
        self.optimizer = build_optimizer(self.net, self.config.fit)
        self.generator = torch.Generator(self.compute.device).manual_seed(derive_seed(self.seed, 1))
        self.best_weights = copy.deepcopy(self.net.state_dict())
        self.n_steps = 0

    @property
    def evaluated_net(self) -> SiameseNet:
        """The network to validate and to save: the averaged one, if the fit averages weights."""
        return self.ema_net if self.config.fit.ema else self.net

    @property
    def best(self) -> EpochResult | None:
        """The first epoch with the highest accuracy; the last epoch without validation."""
        validated = [result for result in self.history if not math.isnan(result.accuracy)]
        if validated:
            return max(validated, key=lambda result: result.accuracy)
        return self.history[-1] if self.history else None

    def best_net(self) -> SiameseNet:
        """Return a network with the weights of the best epoch."""
        net = self._new_net()
        net.load_state_dict(self.best_weights)
        return net.eval()

    def metadata(self) -> dict[str, Any]:
        """Return what the fit cost and how it ended, as JSON values; needs a completed epoch."""
        last, best = self.history[-1], self.best
        assert best is not None
        return {
            "seed": self.seed,
            "stopped": last.stopped,
            "diverged": last.stopped if last.diverged else None,
            "epochs": last.epoch,
            "best_epoch": best.epoch,
            "n_images": last.n_images,
            "seconds": round(sum(result.seconds for result in self.history), 3),
            "n_parameters": sum(p.numel() for p in self.net.parameters()),
            "flops_per_image": self.net.flops,
            "device": f"{self.compute.device.type} {self.compute.precision}",
        }

    def save(self, path: Path) -> None:
        """Write a checkpoint from which :meth:`load` resumes the fit exactly."""
        about = self._identity() | {
            "schema": SCHEMA,
            "history": [asdict(result) for result in self.history],
            "n_steps": self.n_steps,
        }
        content = {
            "about": json.dumps(about),
            "net": self.net.state_dict(),
            "ema_net": self.ema_net.state_dict(),
            "best_weights": self.best_weights,
            "optimizer": self.optimizer.state_dict(),
            "generator": self.generator.get_state(),
        }
        save_checkpoint(path, FIT_FORMAT, content)

    def load(self, path: Path) -> None:
        """Replace this state with a checkpoint.

        Raises:
            InputError: the checkpoint is truncated, or belongs to another configuration, seed, data
                set or kind of device.
        """
        content = load_checkpoint(path, FIT_FORMAT)
        about = upgrade("checkpoint", json.loads(content["about"]))
        differing = [name for name, value in self._identity().items() if about.get(name) != value]
        if differing:
            raise InputError(
                f"Checkpoint {path} must belong to this fit, but its {', '.join(differing)} "
                "differ. Delete it, or move it."
            )
        self.net.load_state_dict(content["net"])
        self.ema_net.load_state_dict(content["ema_net"])
        self.optimizer.load_state_dict(content["optimizer"])
        self.generator.set_state(content["generator"])
        device = self.compute.device
        self.best_weights = {n: t.to(device) for n, t in content["best_weights"].items()}
        self.history = [EpochResult(**result) for result in about["history"]]
        self.n_steps = about["n_steps"]

    def _new_net(self, generator: torch.Generator | None = None) -> SiameseNet:
        net = build_net(self.config.model, generator=generator, precision=self.compute.precision)
        return net.to(self.compute.device)

    def _identity(self) -> dict[str, Any]:
        """Return what this fit and a checkpoint must have in common, as JSON values."""
        identity = {
            "config": self.config.to_dict(),
            "seed": self.seed,
            "device": self.compute.device.type,
            "precision": self.compute.precision,
            "compile": self.compute.compile,
            "data": self.data,
        }
        return dict(json.loads(json.dumps(identity)))
