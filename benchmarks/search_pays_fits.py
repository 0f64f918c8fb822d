"""The fits of ``benchmarks/search_pays.py``: each is made once and stored."""

import json
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from data.episodes import dense_validation
from data.files import write_atomically
from data.splits import Split
from model.config import Config
from model.device import ComputeConfig
from model.evaluate import one_shot_accuracy
from model.fit_state import FitState
from model.losses import images_per_epoch
from model.start_weights import StartWeights
from model.train import Validation, fit


@dataclass
class Fits:
    """Fits of configurations, evaluated on drawings that choose nothing.

    Args:
        parts: drawings; the validation part chooses the epoch, the test part is held out.
        compute: device and precision.
        folder: folder of the checkpoints of unfinished fits.
        start: weights of the configurations that name a network to start from.
        done: finished fits, by :meth:`key`.
    """

    parts: Split
    compute: ComputeConfig
    folder: Path
    start: StartWeights | None = None
    done: dict[str, dict[str, Any]] = field(default_factory=dict)

    def key(self, config: Config, seed: int) -> str:
        """Return what identifies a fit."""
        kind = f"{self.compute.device.type}-{self.compute.precision}"
        return f"{self.parts.train.digest[:8]}-{config.digest}-{kind}-{seed}"

    def evaluate(self, config: Config, seed: int) -> dict[str, Any]:
        """Return accuracy, curve, images and seconds of a fit; a stored fit is not made again.

        Args:
            config: configuration of the fit.
            seed: seed of the fit.
        """
        key = self.key(config, seed)
        if key not in self.done:
            self.done[key] = self._fit(config, seed, self.folder / f"{key}.fit.pt")
        return self.done[key]

    def _fit(self, config: Config, seed: int, checkpoint: Path) -> dict[str, Any]:
        start = self.start if config.start else None
        state = FitState(config, seed, self.compute, start=start)
        validation = Validation(self.parts.val, dense_validation(self.parts.val))
        for _ in fit(
            state,
            self.parts.train,
            validation,
            checkpoint_path=checkpoint,
            checkpoint_interval=30.0,
        ):
            pass
        episodes = dense_validation(self.parts.test)
        accuracy = one_shot_accuracy(state.best_net(), self.parts.test, episodes)
        checkpoint.unlink(missing_ok=True)
        assert state.best is not None
        return {
            "accuracy": round(accuracy, 5),
            "validation": round(state.best.accuracy, 5),
            "seed": seed,
            "epochs": len(state.history),
            "n_images": state.history[-1].n_images,
            "seconds": round(sum(result.seconds for result in state.history), 1),
            "diverged": state.history[-1].diverged,
            "curve": [round(result.accuracy, 5) for result in state.history],
        }


def with_images(config: Config, n_images: int, n_characters: int) -> Config:
    """Return a configuration that trains for as many images, to the nearest epoch.

    Args:
        config: configuration of a fit.
        n_images: number of drawings that the fit embeds.
        n_characters: number of characters of the training drawings.
    """
    epochs = max(1, round(n_images / images_per_epoch(config.fit, n_characters)))
    return replace(config, fit=replace(config.fit, max_epochs=epochs))


def store_fits(path: Path, fits: dict[str, dict[str, Any]]) -> None:
    """Write finished fits to a file."""
    write_atomically(path, lambda temporary: temporary.write_text(json.dumps(fits, indent=1)))
