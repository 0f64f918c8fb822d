"""The fits of ``benchmarks/paper_recipe.py``, which resume, and whose milestones are evaluated."""

import time
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

from paper_recipe_rows import Row, read_list, write_list

from data.episodes import dense_validation
from data.files import make_folder
from data.seen_classes import TRAIN, training_metadata
from data.splits import Split
from hpo.refit.progress import show_epochs
from model.checkpoint import save_network
from model.device import ComputeConfig
from model.evaluate import one_shot_accuracy
from model.fit_state import EpochResult, FitState
from model.provenance import provenance
from model.train import Validation, data_identity, fit

Curve = list[dict[str, float]]
GROWTH = 1.5  # ratio of successive milestones


@dataclass(frozen=True)
class Fits:
    """Makes the fits of the rows.

    Args:
        parts: the drawings.
        compute: device and precision.
        folder: folder of checkpoints and curves.
        test: whether the milestones are evaluated on the official episodes.
    """

    parts: Split
    compute: ComputeConfig
    folder: Path
    test: bool = True

    def curve(self, row: Row, seed: int) -> Curve:
        """Return validation and official accuracy of a fit at its milestones.

        A fit that has made more epochs than the row asks for is not repeated, and one that has made
        fewer continues.

        Args:
            row: name, configuration and number of epochs.
            seed: seed of the fit.
        """
        path = self._stem(row, seed).with_suffix(".json")
        points, milestones = read_list(path), milestone_epochs(row.n_epochs)
        state, checkpoint = self._state(row, seed), self._checkpoint(row, seed)
        started = time.monotonic()
        epochs = fit(state, self.parts.train, self._validation, checkpoint_path=checkpoint)
        for result in show_epochs(epochs, seed, row.n_epochs):
            is_known = points and result.epoch <= points[-1]["epoch"]
            is_current = result is state.history[-1]  # a resumed fit repeats its earlier results
            if is_current and not is_known and (result.epoch in milestones or result.stopped):
                points.append(self._point(state, result))
                write_list(path, points)
                print(f"{row.label} seed {seed} {describe(points[-1], row, started)}", flush=True)
            if result.epoch == row.n_epochs:
                break
        return [point for point in points if point["epoch"] <= row.n_epochs]

    def save_network(self, path: Path, row: Row, seed: int) -> None:
        """Write the network of the best epoch of a fit, as far as it has come, in half precision.

        Args:
            path: file to write.
            row: name and configuration.
            seed: seed of the fit, which :meth:`curve` has made.
        """
        state = self._state(row, seed)
        state.data = data_identity(self.parts.train, self._validation)
        state.load(self._checkpoint(row, seed))
        net = state.best_net().half()
        net.precision = "float32"  # a network that is loaded from its file computes in float32
        official = one_shot_accuracy(net.float(), self.parts.test, self.parts.official)
        metadata = state.metadata() | training_metadata(self.parts.train)
        metadata |= {"train_on": TRAIN, "row": row.label, "official": official}
        metadata |= {"precision": "float16", "provenance": provenance(self.compute)}
        make_folder(path.parent)
        save_network(path, net.half(), row.config, metadata)
        print(f"wrote    {path}: {official:.1%} official, {path.stat().st_size / 1e6:.1f} MB")

    @cached_property
    def _validation(self) -> Validation:
        return Validation(self.parts.val, dense_validation(self.parts.val))

    def _state(self, row: Row, seed: int) -> FitState:
        return FitState(row.config, seed, self.compute)

    def _stem(self, row: Row, seed: int) -> Path:
        return self.folder / f"{row.config.digest}-{seed}{'' if self.test else '-no-test'}"

    def _checkpoint(self, row: Row, seed: int) -> Path:
        return self._stem(row, seed).with_suffix(".fit.pt")

    def _point(self, state: FitState, result: EpochResult) -> dict[str, float]:
        """Return the accuracies of the best epoch so far."""
        assert state.best is not None
        point = {
            "epoch": result.epoch,
            "pairs_seen": result.n_images // 2,
            "loss": round(result.loss, 4),
            "validation": round(state.best.accuracy, 4),
            "best_epoch": state.best.epoch,
            "seconds": round(sum(each.seconds for each in state.history), 1),
        }
        if self.test:
            net, test = state.best_net(), self.parts.test
            point["official"] = round(one_shot_accuracy(net, test, self.parts.official), 4)
        return point


def milestone_epochs(n_epochs: int) -> list[int]:
    """Return the epochs of the milestones, ascending; the last one is the last epoch."""
    epochs = {n_epochs}
    milestone = 1.0
    while milestone < n_epochs:
        epochs.add(round(milestone))
        milestone *= GROWTH
    return sorted(epochs)


def describe(point: dict[str, float], row: Row, started: float) -> str:
    """Return a milestone as text, with the time that is left."""
    minutes = point["seconds"] / point["epoch"] * (row.n_epochs - point["epoch"]) / 60
    official = f" · official {point['official']:.1%}" if "official" in point else ""
    return (
        f"{point['pairs_seen'] / 1e6:.2f}M pairs · loss {point['loss']:.3f} · validation "
        f"{point['validation']:.1%} (epoch {point['best_epoch']}){official} · about {minutes:.0f} "
        f"min left, {(time.monotonic() - started) / 60:.0f} min in this run"
    )
