"""Measure the seconds of training that reach an official accuracy: our code and the plain loop.

Both train the same network on the same drawings: the second starting point of a study, trained as
retrain_best.py trains it. The network with the best validation accuracy so far is evaluated. The
official accuracy chooses nothing and is not part of the time. The time includes training and, for
our code, validation.
"""

import random
from collections.abc import Iterator
from dataclasses import replace

import pandas as pd
import torch
from harness import compute_from, finish, parser
from optuna.trial import FixedTrial
from plain_loop import BATCH, PlainNet, PlainPairs, plain_epochs

from data.drawings import FULL_SIZE, Drawings
from data.episodes import dense_validation
from data.load import load_dataset
from data.splits import Split, split_dataset
from hpo.cli.entry_point import run_command
from hpo.refit.retrain import log_test_evaluation
from hpo.settings.base_config import base_config
from hpo.settings.study_settings import StudySettings
from hpo.space.distributions import suggest_config
from model.config import Config
from model.device import ComputeConfig
from model.evaluate import one_shot_accuracy
from model.fit_state import FitState
from model.siamese import SiameseNet
from model.train import Validation, fit

LEVELS = (0.50, 0.71, 0.85, 0.86, 0.90, 0.91, 0.92)
EVALUATE_EVERY = 20  # steps of the plain loop
PAPER_EPOCHS, PAPER_PAIRS = 200, 30_000  # the shortest training that reimplementations plan

Point = dict[str, float]


def ours(config: Config, seed: int, parts: Split, compute: ComputeConfig) -> Iterator[Point]:
    """Yield time, validation and official accuracy whenever the validation accuracy improves."""
    state, clock = FitState(config, seed, compute), 0.0
    validation = Validation(parts.val, dense_validation(parts.val))
    for result in fit(state, parts.train, validation):
        clock += result.seconds
        if state.best is result:
            official = one_shot_accuracy(state.best_net(), parts.test, parts.official)
            yield {"seconds": clock, "validation": result.accuracy, "official": official}


def plain(config: Config, limit: float, full: Drawings, parts: Split) -> tuple[list[Point], float]:
    """Return the same points for the plain loop (CPU, float32), and its images per second.

    Args:
        config: configuration of the network.
        limit: seconds of training.
        full: training drawings at 105 pixels.
        parts: validation and test, on the CPU.
    """
    torch.manual_seed(1)
    random.seed(1)
    net, ruler = PlainNet(config.conv), SiameseNet(config.conv)
    pairs = PlainPairs(full, config.model.image_size, EVALUATE_EVERY * BATCH)
    episodes, clock, n_images = dense_validation(parts.val), 0.0, 0
    curve: list[Point] = []
    for seconds in plain_epochs(net, pairs):
        clock, n_images = clock + seconds, n_images + 2 * len(pairs)
        ruler.load_state_dict(net.state_dict())
        found = one_shot_accuracy(ruler, parts.val, episodes)
        if not curve or found > curve[-1]["validation"]:
            official = one_shot_accuracy(ruler, parts.test, parts.official)
            curve.append({"seconds": clock, "validation": found, "official": official})
        if clock >= limit:
            break
    return curve, n_images / clock


def first_time(curve: list[Point], level: float) -> float | None:
    """Return the seconds at which a curve first reaches a level, or None."""
    return next((point["seconds"] for point in curve if point["official"] >= level), None)


def held_time(curve: list[Point], level: float) -> float | None:
    """Return the seconds from which a curve stays at or above a level, or None."""
    below = [i for i, point in enumerate(curve) if point["official"] < level]
    after = curve[below[-1] + 1 :] if below else curve
    return after[0]["seconds"] if after else None


def mean(seconds: list[float]) -> str:
    """Return the mean as text; empty for an empty list."""
    return f"{sum(seconds) / len(seconds):.1f}" if seconds else ""


def levels(curves: list[list[Point]], plain_curve: list[Point]) -> pd.DataFrame:
    """Return a row per level: mean and range over the fits that reached it, and the plain loop."""
    lines = []
    for level in LEVELS:
        reached = [t for curve in curves if (t := first_time(curve, level)) is not None]
        held = [t for curve in curves if (t := held_time(curve, level)) is not None]
        theirs = first_time(plain_curve, level)
        lines.append(
            {
                "official accuracy": f"{level:.0%}",
                "ours, mean s": mean(reached),
                "from–to": f"{min(reached):.0f}–{max(reached):.0f}" if reached else "",
                "held from": mean(held),
                "fits that reached it": f"{len(reached)} of {len(curves)}",
                "plain loop, s": f"{theirs:.0f}" if theirs else "not reached",
            }
        )
    return pd.DataFrame(lines)


def extrapolated(plain_curve: list[Point], images_per_second: float) -> str:
    """Return the time that the plain loop would need for a full training, as text."""
    hours = PAPER_EPOCHS * PAPER_PAIRS * 2 / images_per_second / 3600
    best = max((point["official"] for point in plain_curve), default=0.0)
    return (
        f"plain loop: {images_per_second:.0f} images/s, {best:.1%} when it was stopped; "
        f"{PAPER_EPOCHS} epochs of {PAPER_PAIRS} pairs would take it {hours:.1f} h (extrapolated)"
    )


def main() -> None:
    """Run the fits, then the plain loop for a limited time; print and write the tables."""
    flags = parser(__doc__)
    flags.add_argument("--image-size", type=int, default=35, metavar="PIXELS")
    flags.add_argument(
        "--epochs", type=int, help="epochs of a fit (default: as in a retraining; quick: 8)"
    )
    flags.add_argument("--n-seeds", type=int, default=3, help="number of fits; quick: 1")
    flags.add_argument(
        "--plain-minutes", type=float, default=3.0, help="minutes of the plain loop; quick: 0.25"
    )
    args = flags.parse_args()
    compute = compute_from(args)
    settings = StudySettings(image_size=args.image_size)
    epochs = args.epochs or (8 if args.quick else settings.max_epochs)
    base = base_config(settings)
    params = settings.space.starting_points(settings.image_size)[-1]
    config = suggest_config(FixedTrial(params), base, settings.space)
    config = replace(config, fit=replace(config.fit, max_epochs=epochs))
    parts = split_dataset(load_dataset("omniglot", args.data_root, args.image_size))
    there = parts.to(compute.device)
    seeds = range(1, 2 if args.quick else 1 + args.n_seeds)
    curves = [list(ours(config, seed, there, compute)) for seed in seeds]
    full = split_dataset(load_dataset("omniglot", args.data_root, FULL_SIZE)).train
    limit = 60 * (0.25 if args.quick else args.plain_minutes)
    plain_curve, rate = plain(config, limit, full, parts)
    last = pd.DataFrame([curve[-1] for curve in curves]).round(4)
    tables = {
        f"Seconds to an official accuracy, {args.image_size} pixels": levels(curves, plain_curve),
        f"The validation-selected networks of {epochs} epochs": last,
    }
    log_test_evaluation(
        "benchmarks/time_to_accuracy.py", [p["official"] for c in curves for p in c]
    )
    print(extrapolated(plain_curve, rate))
    finish(
        args,
        compute,
        tables,
        ours=curves,
        plain=plain_curve,
        plain_images_per_second=rate,
        config=config.to_dict(),
    )


if __name__ == "__main__":
    run_command(main, "Run the same command again to start over.")
