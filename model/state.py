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
from model.optim import build_optimizer
from model.siamese import SiameseNet


@dataclass(frozen=True)
class EpochResult:
    """What one epoch came to.

    Args:
        epoch: number of completed epochs, from 1.
        loss: mean over the steps.
        accuracy: validation one-shot accuracy in [0, 1], the better of the next two; NaN without
            validation, chance where the loss is not finite.
        raw_accuracy: of the weights themselves.
        ema_accuracy: of the averaged weights; NaN without averaging.
        n_images: drawings embedded in training, since the start.
        seconds: wall time of the epoch with its validation.
        stopped: why this was the last epoch, or None.
    """

    epoch: int
    loss: float
    accuracy: float
    raw_accuracy: float
    ema_accuracy: float
    n_images: int
    seconds: float
    stopped: str | None

    @property
    def died(self) -> bool:
        """Whether the fit ended because it could not learn."""
        return self.stopped in ("non-finite loss", "collapsed")


@dataclass
class FitState:
    """Everything a fit is at the end of an epoch; what a checkpoint holds.

    Args:
        config: what is fitted.
        seed: fixes initial weights and batches.
        device: where it computes.
        precision: ``"float32"`` or ``"bfloat16"``.
    """

    config: Config
    seed: int
    device: torch.device
    precision: str = "float32"
    history: list[EpochResult] = field(default_factory=list)

    def __post_init__(self) -> None:
        """Draw the initial weights."""
        weights_rng = torch.Generator().manual_seed(self.seed)
        self.net = self._new_net(weights_rng)
        self.ema_net = copy.deepcopy(self.net).requires_grad_(False)
        self.optimizer = build_optimizer(self.net, self.config.fit)
        self.generator = torch.Generator(self.device).manual_seed(self.seed + 2**32)
        self.best_weights = copy.deepcopy(self.net.state_dict())
        self.n_steps = self.n_images = 0

    def _new_net(self, generator: torch.Generator | None = None) -> SiameseNet:
        net = SiameseNet(self.config.model, generator=generator, precision=self.precision)
        return net.to(self.device)

    @property
    def best(self) -> EpochResult | None:
        """The epoch with the highest accuracy, the first of equals; the last without validation."""
        scored = [result for result in self.history if not math.isnan(result.accuracy)]
        if scored:
            return max(scored, key=lambda result: result.accuracy)
        return self.history[-1] if self.history else None

    def best_net(self) -> SiameseNet:
        """Return a network with the best epoch's weights."""
        net = self._new_net()
        net.load_state_dict(self.best_weights)
        return net.eval()

    def save(self, path: Path) -> None:
        """Write a checkpoint from which :meth:`load` goes on as if nothing had happened."""
        about = {
            "config": self.config.to_dict(),
            "seed": self.seed,
            "history": [asdict(result) for result in self.history],
            "n_steps": self.n_steps,
            "n_images": self.n_images,
        }
        content: dict[str, Any] = {"format": "siamese-fit-1", "about": json.dumps(about)}
        content |= {"net": self.net.state_dict(), "ema_net": self.ema_net.state_dict()}
        content |= {"best_weights": self.best_weights, "optimizer": self.optimizer.state_dict()}
        checkpoint.save(path, content | {"generator": self.generator.get_state()})

    def load(self, path: Path) -> None:
        """Go back to a checkpoint.

        Raises:
            InputError: it is torn, or of another configuration or seed.
        """
        content = checkpoint.load(path)
        about = json.loads(content.get("about", "{}"))
        ours = json.loads(json.dumps({"config": self.config.to_dict(), "seed": self.seed}))
        if {key: about.get(key) for key in ours} != ours:
            raise InputError(
                f"Checkpoint {path} is of another configuration or seed. Delete it or move it."
            )
        self.net.load_state_dict(content["net"])
        self.ema_net.load_state_dict(content["ema_net"])
        self.optimizer.load_state_dict(content["optimizer"])
        self.generator.set_state(content["generator"])
        self.best_weights = {n: t.to(self.device) for n, t in content["best_weights"].items()}
        self.history = [EpochResult(**result) for result in about["history"]]
        self.n_steps, self.n_images = about["n_steps"], about["n_images"]
