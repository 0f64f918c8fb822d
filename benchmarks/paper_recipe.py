"""Fits with the paper's recipe, and with one or more changes of it, against the pairs seen.

A row is ``paper``, the recipe of §3.2, or ``paper`` with changes, for example
``paper+averaging+cosine``. The row ``episode`` is the default of the episode recipe, trained on as
many drawings, two for each pair. Each fit is evaluated on validation after every epoch and on the
official episodes at milestones; validation alone chooses the epoch. Except with ``cosine`` and
``episode``, whose rate follows a cosine, a milestone is what a fit of that length would reach. Fits
are stored; run the same command again to resume.
"""

import argparse
import sys
import time
from dataclasses import dataclass
from pathlib import Path
from statistics import fmean

from harness import add_no_test, compute_from, parser
from paper_recipe_rows import CHANGES, read_list, row_config, row_entry, store_row, write_list

from data.episodes import dense_validation
from data.files import make_folder
from data.load import load_dataset
from data.paths import PROJECT, VAR
from data.splits import Split, split_dataset
from hpo.cli.entry_point import run_command
from hpo.cli.flags import positive_int
from hpo.refit.retrain import log_test_evaluation
from model.config import Config
from model.device import ComputeConfig
from model.evaluate import one_shot_accuracy
from model.fit_state import EpochResult, FitState
from model.train import Validation, fit

RESULTS = PROJECT / "results/paper/rows.json"
N_MILESTONES = 12  # of a fit, each about 1.6 times the pairs of the one before


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

    def curve(self, name: str, config: Config, seed: int) -> list[dict[str, float]]:
        """Return validation and official accuracy of a fit at its milestones.

        Args:
            name: name of the row.
            config: configuration of the fit.
            seed: seed of the fit.
        """
        stem = self.folder / f"{config.digest}-{seed}{'' if self.test else '-no-test'}"
        path = stem.with_suffix(".json")
        points = read_list(path)
        milestones = milestone_epochs(config.fit.max_epochs)
        if points and points[-1]["epoch"] == milestones[-1]:
            return points
        state = FitState(config, seed, self.compute)
        val, started = self.parts.val, time.monotonic()
        validation = Validation(val, dense_validation(val))
        epochs = fit(
            state,
            self.parts.train,
            validation,
            checkpoint_path=stem.with_suffix(".fit.pt"),
            checkpoint_interval=60.0,
        )
        for result in epochs:
            is_known = points and result.epoch <= points[-1]["epoch"]
            is_current = result is state.history[-1]  # a resumed fit repeats its earlier results
            if is_current and not is_known and (result.epoch in milestones or result.stopped):
                points.append(self._point(state, result))
                write_list(path, points)
                print(f"{name} seed {seed} {describe(points[-1], state, started)}", flush=True)
        return points

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


def milestone_epochs(max_epochs: int) -> list[int]:
    """Return the epochs of the milestones, ascending; the last one is the last epoch."""
    return sorted({max(1, round(max_epochs / 1.6**i)) for i in range(N_MILESTONES)})


def describe(point: dict[str, float], state: FitState, started: float) -> str:
    """Return a milestone as text, with the time that is left."""
    left = state.config.fit.max_epochs - point["epoch"]
    minutes = point["seconds"] / point["epoch"] * left / 60
    official = f" · official {point['official']:.1%}" if "official" in point else ""
    return (
        f"{point['pairs_seen'] / 1e6:.2f}M pairs · loss {point['loss']:.3f} · validation "
        f"{point['validation']:.1%} (epoch {point['best_epoch']}){official} · about {minutes:.0f} "
        f"min left, {(time.monotonic() - started) / 60:.0f} min in this run"
    )


def flags() -> argparse.ArgumentParser:
    """Return the parser of the command line."""
    flags = parser(__doc__ or "")
    add_no_test(flags)
    names = ", ".join(CHANGES)
    rows = f"paper, paper+NAME+… or episode; names: {names}"
    flags.add_argument("--rows", nargs="+", default=["paper"], metavar="ROW", help=rows)
    flags.add_argument("--pairs", type=float, default=3e6, help="pairs that a fit sees")
    flags.add_argument("--n-pairs", type=positive_int, default=150_000, help="different pairs")
    flags.add_argument("--image-size", type=positive_int, default=35)
    flags.add_argument("--width", type=float, default=0.5, help="share of the paper's filters")
    flags.add_argument("--lr", type=float, default=0.03, help="of all layers")
    flags.add_argument("--momentum", type=float, default=0.9, help="of all layers")
    flags.add_argument("--l2", type=float, default=1e-4, help="of all layers")
    flags.add_argument(
        "--winner", type=Path, metavar="FILE", help="winner of a study, in place of these settings"
    )
    flags.add_argument("--seeds", type=int, nargs="+", default=[1, 2, 3])
    flags.add_argument("--work", type=Path, default=VAR / "paper_recipe", metavar="FOLDER")
    return flags


def main() -> None:
    """Make the fits that are missing, and write a row for each recipe."""
    args = flags().parse_args()
    if args.quick:
        args.pairs, args.n_pairs, args.width = 512, 256, 0.125
    compute = compute_from(args)
    make_folder(args.work)
    dataset = load_dataset("omniglot", args.data_root, args.image_size)
    fits = Fits(split_dataset(dataset).to(compute.device), compute, args.work, args.test)
    for name in args.rows:
        config = row_config(name, args)
        curves = [fits.curve(name, config, seed) for seed in args.seeds]
        validation = fmean(curve[-1]["validation"] for curve in curves)
        print(f"{name}: {validation:.1%} of validation, mean of {len(curves)}", flush=True)
        if not args.test:
            continue
        official = [curve[-1]["official"] for curve in curves]
        log_test_evaluation(f"paper_recipe.py, {name}, {args.pairs:.0f} pairs", official)
        print(f"{name}: {fmean(official):.1%} official", flush=True)
        command = " ".join(["benchmarks/paper_recipe.py", *sys.argv[1:]])
        entry = row_entry(name, config, dict(zip(args.seeds, curves, strict=True)), compute)
        store_row(args.json or RESULTS, entry | {"command": command})


if __name__ == "__main__":
    run_command(main, "Fits are stored; run the same command again.")
