"""Trained networks by configuration and seed: each is trained once, then loaded from its file."""

import hashlib
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

from data.episodes import dense_validation
from data.errors import InputError
from data.seen_classes import TRAIN, training_metadata
from data.splits import Split
from model.checkpoint import load_network, save_network
from model.config import Config
from model.device import ComputeConfig
from model.fit_state import FIT_FORMAT, EpochResult, FitState
from model.provenance import provenance
from model.siamese import SiameseNet
from model.train import Validation, fit

CHECKPOINT_INTERVAL_SECONDS = 30

Show = Callable[[Iterable[EpochResult], int, int], Iterator[EpochResult]]


def show_nothing(
    epochs: Iterable[EpochResult], seed: int, max_epochs: int
) -> Iterator[EpochResult]:
    """Yield the results of a fit."""
    yield from epochs


@dataclass(frozen=True)
class NetworkCache:
    """Trains networks on the training alphabets; the best epoch is chosen on validation episodes.

    Args:
        split: data set.
        compute: device and precision.
        folder: folder of the networks and of the checkpoints of unfinished fits.
        show: yields the results of a fit, given its seed and maximum number of epochs, too.
    """

    split: Split
    compute: ComputeConfig
    folder: Path
    show: Show = show_nothing

    def networks(self, config: Config, n_seeds: int) -> Iterator[SiameseNet]:
        """Yield a trained network for each seed, from 1."""
        for seed in range(1, n_seeds + 1):
            yield self.network(config, seed)

    def network(self, config: Config, seed: int) -> SiameseNet:
        """Return a trained network; it is trained only if its file does not exist.

        Raises:
            InputError: the fit diverged, or a file cannot be read or written.
        """
        path = self.folder / f"{self._name(config)}-{seed}.pt"
        if not path.exists():
            self._fit(config, seed, path)
        net, _, _ = load_network(path)
        net.precision = self.compute.precision
        return net.to(self.compute.device)

    def _name(self, config: Config) -> str:
        """Return a name that identifies everything that a fit depends on, except its seed."""
        identity = (
            self.compute.device.type,
            self.compute.precision,
            self.split.train.digest,
            FIT_FORMAT,
        )
        digest = hashlib.sha256(" ".join(identity).encode()).hexdigest()
        return f"{config.digest}-{digest[:12]}"

    def _fit(self, config: Config, seed: int, path: Path) -> None:
        state = FitState(config, seed, self.compute)
        train, val = self.split.train, self.split.val
        checkpoint_path = path.with_suffix(".fit.pt")
        epochs = fit(
            state,
            train,
            Validation(val, dense_validation(val)),
            checkpoint_path=checkpoint_path,
            checkpoint_interval=CHECKPOINT_INTERVAL_SECONDS,
        )
        for _ in self.show(epochs, seed, config.fit.max_epochs):
            pass
        last = state.history[-1]
        if last.diverged:
            raise InputError(
                f"The fit of {config.digest} with seed {seed} diverged: {last.stopped}. "
                "Leave out its table, or choose another --scale."
            )
        metadata = state.metadata() | training_metadata(train)
        metadata |= {"train_on": TRAIN, "provenance": provenance(self.compute)}
        save_network(path, state.best_net(), config, metadata)
        checkpoint_path.unlink(missing_ok=True)
