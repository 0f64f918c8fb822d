"""What one epoch came to, and everything a fit is between two epochs."""

import copy
import json
import math
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

import torch

from data.errors import InputError
from model import checkpoint
from model.config import Config
from model.device import ComputeConfig
from model.optim import build_optimizer
from model.schema import SCHEMA, upgrade
from model.seeds import derive_seed
from model.siamese import SiameseNet, build_net

FIT_FORMAT = "siamese-fit-2"  # another whenever equal configurations are trained otherwise


@dataclass(frozen=True)
class EpochResult:
    """What one epoch came to.

    Args:
        epoch: number of completed epochs, from 1.
        loss: mean over the steps.
        accuracy: validation one-shot accuracy in [0, 1]; NaN without validation, chance where the
            loss is not finite.
        n_images: drawings embedded in training, since the start.
        seconds: wall time of the epoch with its validation.
        stopped: why this was the last epoch, or None.
    """

    epoch: int
    loss: float
    accuracy: float
    n_images: int
    seconds: float
    stopped: str | None

    @property
    def diverged(self) -> bool:
        """Whether the fit ended because it could not learn."""
        return self.stopped in ("non-finite loss", "collapsed")


@dataclass
class FitState:
    """Everything a fit is at the end of an epoch; what a checkpoint holds.

    Args:
        config: what is fitted.
        seed: fixes initial weights and batches.
        compute: where it computes, and how.
        history: results of the completed epochs.
        data: what it is trained and validated on; set by :func:`model.train.fit`.

    Beside these: ``net`` and the averaged ``ema_net``, ``optimizer``, ``generator`` (of batches and
    distortions), ``best_weights``, and ``n_steps``, the optimiser steps so far.
    """

    config: Config
    seed: int
    compute: ComputeConfig
    history: list[EpochResult] = field(default_factory=list)
    data: dict[str, Any] = field(default_factory=dict)

    def __post_init__(self) -> None:
        """Draw the initial weights."""
        self.net = self._new_net(torch.Generator().manual_seed(derive_seed(self.seed, 0)))
        self.ema_net = copy.deepcopy(self.net).requires_grad_(False)
        if self.compute.compile:
            self.net.compile_training()
        self.optimizer = build_optimizer(self.net, self.config.fit)
        self.generator = torch.Generator(self.compute.device).manual_seed(derive_seed(self.seed, 1))
        self.best_weights = copy.deepcopy(self.net.state_dict())
        self.n_steps = 0

    def _new_net(self, generator: torch.Generator | None = None) -> SiameseNet:
        net = build_net(self.config.model, generator=generator, precision=self.compute.precision)
        return net.to(self.compute.device)

    @property
    def candidate(self) -> SiameseNet:
        """The network that is validated and kept: the averaged one, where there is averaging."""
        return self.ema_net if self.config.fit.ema else self.net

    @property
    def best(self) -> EpochResult | None:
        """The epoch with the highest accuracy, the first of equals; the last without validation."""
        scored = [result for result in self.history if not math.isnan(result.accuracy)]
        if scored:
            return max(scored, key=lambda result: result.accuracy)
        return self.history[-1] if self.history else None

    def facts(self) -> dict[str, Any]:
        """Return what the fit cost and how it ended, as JSON values; it has at least one epoch."""
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
            "flops_per_image": self.config.model.flops,
            "device": f"{self.compute.device.type} {self.compute.precision}",
        }

    def best_net(self) -> SiameseNet:
        """Return a network with the best epoch's weights."""
        net = self._new_net()
        net.load_state_dict(self.best_weights)
        return net.eval()

    def _identity(self) -> dict[str, Any]:
        """Return what a checkpoint must agree with, as JSON values."""
        identity = {
            "config": self.config.to_dict(),
            "seed": self.seed,
            "device": self.compute.device.type,
            "precision": self.compute.precision,
            "compile": self.compute.compile,
            "data": self.data,
        }
        return dict(json.loads(json.dumps(identity)))

    def save(self, path: Path) -> None:
        """Write a checkpoint from which :meth:`load` goes on as if nothing had happened."""
        about = self._identity() | {
            "schema": SCHEMA,
            "history": [asdict(result) for result in self.history],
            "n_steps": self.n_steps,
        }
        content: dict[str, Any] = {"about": json.dumps(about)}
        content |= {"net": self.net.state_dict(), "ema_net": self.ema_net.state_dict()}
        content |= {"best_weights": self.best_weights, "optimizer": self.optimizer.state_dict()}
        content["generator"] = self.generator.get_state()
        checkpoint.save_checkpoint(path, FIT_FORMAT, content)

    def load(self, path: Path) -> None:
        """Go back to a checkpoint.

        Raises:
            InputError: it is torn, or of another fit, data set or kind of device.
        """
        content = checkpoint.load_checkpoint(path, FIT_FORMAT)
        about = upgrade("checkpoint", json.loads(content["about"]))
        ours = self._identity()
        if other := [name for name in ours if about.get(name) != ours[name]]:
            raise InputError(
                f"Checkpoint {path} is of another {', '.join(other)}. Delete it or move it."
            )
        self.net.load_state_dict(content["net"])
        self.ema_net.load_state_dict(content["ema_net"])
        self.optimizer.load_state_dict(content["optimizer"])
        self.generator.set_state(content["generator"])
        device = self.compute.device
        self.best_weights = {n: t.to(device) for n, t in content["best_weights"].items()}
        self.history = [EpochResult(**result) for result in about["history"]]
        self.n_steps = about["n_steps"]
