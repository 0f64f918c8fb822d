"""Seconds from random weights to an official accuracy: ours, and the plain loop's.

Both train the same network on the same drawings; counted is the one that validation prefers so
far. The network is the narrow one that a study tries second, trained as retrain_best.py would. The
official episodes are only looked at, beside the clock, and decide nothing; the clock
counts training and, for ours, validation.
"""

import random
from collections.abc import Iterator
from dataclasses import replace

import pandas as pd
import torch
from harness import finish, machine_of, parser
from optuna.trial import FixedTrial
from plain_loop import BATCH, PlainNet, PlainPairs, plain_epochs

from data.drawings import FULL_SIZE, Drawings
from data.episodes import dense_validation
from data.load import load_dataset
from data.splits import Split, split_dataset
from hpo.cli.entry_point import run_command
from hpo.refit.plan import EPOCHS_FACTOR
from hpo.refit.test_log import log_test_evaluation
from hpo.space.configuration import starting_points, suggest_config
from hpo.study.settings import StudySettings, base_config
from model.config import Config
from model.device import ComputeConfig
from model.evaluate import one_shot_accuracy
from model.fit_state import FitState
from model.siamese import SiameseNet
from model.train import Validation, fit

LEVELS = (0.50, 0.71, 0.85, 0.86, 0.90, 0.91, 0.92)
EVALUATE_EVERY = 20  # steps of the plain loop
PAPER_EPOCHS, PAPER_PAIRS = 200, 30_000  # the least that reimplementations set out to do

Point = dict[str, float]


def ours(config: Config, seed: int, parts: Split, compute: ComputeConfig) -> Iterator[Point]:
    """Yield clock, validation and official accuracy whenever validation finds a better network."""
    state, clock = FitState(config, seed, compute), 0.0
    validation = Validation(parts.val, dense_validation(parts.val))
    for result in fit(state, parts.train, validation):
        clock += result.seconds
        if state.best is result:
            official = one_shot_accuracy(state.best_net(), parts.test, parts.official)
            yield {"seconds": clock, "validation": result.accuracy, "official": official}


def plain(config: Config, limit: float, full: Drawings, parts: Split) -> tuple[list[Point], float]:
    """Return the same for the plain loop on the CPU in float32, and its images per second.

    Args:
        config: whose network is trained.
        limit: seconds of training.
        full: training drawings at 105 pixels.
        parts: validation and test, on the CPU.
    """
    torch.manual_seed(1)
    random.seed(1)
    net, ruler = PlainNet(config.conv), SiameseNet(config.model)
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
    """Return when a curve first reaches a level, or None."""
    return next((point["seconds"] for point in curve if point["official"] >= level), None)


def held_time(curve: list[Point], level: float) -> float | None:
    """Return from when on a curve does not fall below a level again, or None."""
    below = [i for i, point in enumerate(curve) if point["official"] < level]
    after = curve[below[-1] + 1 :] if below else curve
    return after[0]["seconds"] if after else None


def mean(seconds: list[float]) -> str:
    """Return the mean as text, empty without any."""
    return f"{sum(seconds) / len(seconds):.1f}" if seconds else ""


def levels(curves: list[list[Point]], plain_curve: list[Point]) -> pd.DataFrame:
    """Return one line per level: mean and range of the fits that reached it, the plain loop's."""
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
    """Say what the plain loop would take for the epochs that reimplementations set out to do."""
    hours = PAPER_EPOCHS * PAPER_PAIRS * 2 / images_per_second / 3600
    best = max((point["official"] for point in plain_curve), default=0.0)
    return (
        f"plain loop: {images_per_second:.0f} images/s, {best:.1%} when it was stopped; "
        f"{PAPER_EPOCHS} epochs of {PAPER_PAIRS} pairs would take it {hours:.1f} h (extrapolated)"
    )


def main() -> None:
    """Run the fits one after another, then the plain loop for a while."""
    flags = parser(__doc__)
    flags.add_argument("--image-size", type=int, default=35, metavar="PIXELS")
    flags.add_argument("--epochs", type=int, help="default: a retraining's; quick: 8")
    flags.add_argument("--n-seeds", type=int, default=3, help="number of fits; quick: 1")
    flags.add_argument("--plain-minutes", type=float, default=3.0, help="quick: 0.25")
    args = flags.parse_args()
    compute = machine_of(args)
    settings = StudySettings(image_size=args.image_size)
    epochs = args.epochs or (8 if args.quick else settings.max_epochs * EPOCHS_FACTOR["episode"])
    base = base_config(settings)
    params = starting_points(base, settings.search)[-1]
    config = suggest_config(FixedTrial(params), base, settings.search)
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
    run_command(main, "Run the same command again.")
