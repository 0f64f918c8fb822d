"""Networks by configuration and seed: fitted once, kept, and found again."""

import hashlib
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from data.episodes import dense_validation
from data.errors import InputError
from data.splits import Split
from model.checkpoint import load_network, save_network
from model.config import Config
from model.device import ComputeConfig
from model.fit_state import FIT_FORMAT, FitState
from model.provenance import provenance
from model.siamese import SiameseNet
from model.train import Validation, fit


@dataclass(frozen=True)
class NetworkCache:
    """Fits on the training alphabets; validation chooses the epoch.

    Args:
        parts: the data set.
        compute: where to compute, and how.
        folder: of the networks, and of the checkpoints of fits under way.
    """

    parts: Split
    compute: ComputeConfig
    folder: Path

    def networks(self, config: Config, n_seeds: int) -> Iterator[SiameseNet]:
        """Yield a trained network per seed, from 1."""
        for seed in range(1, n_seeds + 1):
            yield self.network(config, seed)

    def network(self, config: Config, seed: int) -> SiameseNet:
        """Return a trained network; it is fitted only where its file is not there yet.

        Raises:
            InputError: the fit could not learn, or a file cannot be read or written.
        """
        path = self.folder / f"{self._name(config)}-{seed}.pt"
        if not path.exists():
            self._fit(config, seed, path)
        net, _, _ = load_network(path)
        net.precision = self.compute.precision
        return net.to(self.compute.device)

    def _name(self, config: Config) -> str:
        """Return what tells fits apart beside their seeds, so that none is taken for another."""
        made = (
            self.compute.device.type,
            self.compute.precision,
            self.parts.train.digest,
            FIT_FORMAT,
        )
        return f"{config.digest}-{hashlib.sha256(' '.join(made).encode()).hexdigest()[:12]}"

    def _fit(self, config: Config, seed: int, path: Path) -> None:
        state = FitState(config, seed, self.compute)
        validation = Validation(self.parts.val, dense_validation(self.parts.val))
        under_way = path.with_suffix(".fit.pt")
        for _ in fit(
            state, self.parts.train, validation, checkpoint_path=under_way, checkpoint_interval=30
        ):
            pass
        if state.history[-1].diverged:
            raise InputError(
                f"The fit of {config.digest}, seed {seed}, died: {state.history[-1].stopped}. "
                "Leave out its table, or choose another --scale or study."
            )
        facts = state.facts() | {"data": self.parts.train.name, "train_on": "train"}
        facts |= {"data_digest": self.parts.train.digest, "provenance": provenance(self.compute)}
        save_network(path, state.best_net(), config, facts)
        under_way.unlink(missing_ok=True)
