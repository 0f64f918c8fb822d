"""Flags of run_study.py: budget, finalists, workers, data and training, search."""

import argparse
from pathlib import Path

from hpo.cli.flags import (
    add_own_images,
    cost_of_step,
    duration,
    non_negative_float,
    non_negative_int,
    positive_duration,
    positive_int,
    whole_seconds,
)
from model.architecture import INITS
from model.config import RECIPES


def add_budget(parser: argparse.ArgumentParser) -> None:
    """Add the flags that limit a study or stop it."""
    parser.add_argument(
        "--n-trials",
        type=positive_int,
        default=30,
        metavar="N",
        help="number of trials of the study, over all runs and hosts (default: %(default)s)",
    )
    parser.add_argument(
        "--time-budget",
        type=positive_duration,
        metavar="DURATION",
        help="training time of the trials and the finalists, over all runs and hosts, "
        "for example 90s, 15m or 2h (default: no limit)",
    )
    parser.add_argument(
        "--stop",
        action="store_true",
        help="ask every process of the study, on any host, to finish its trial and exit",
    )


def add_inspection(parser: argparse.ArgumentParser) -> None:
    """Add the flags that show the settings and the data before training."""
    parser.add_argument(
        "--dry-run",
        action="store_true",
        help="print the settings and a summary of the data, and exit without training",
    )
    parser.add_argument(
        "--preview",
        type=Path,
        metavar="FILE",
        help="write the first images of train, val and test to this PNG file (default: none)",
    )


def add_finalists(parser: argparse.ArgumentParser) -> None:
    """Add the flags that say how the winner is chosen and which networks are kept."""
    parser.add_argument(
        "--finalists",
        type=non_negative_int,
        default=5,
        metavar="K",
        help="when all trials have finished, refit the best K of them with new seeds to choose "
        "the winner; 0 or 1 refits none (default: %(default)s)",
    )
    parser.add_argument(
        "--n-finalist-seeds",
        type=positive_int,
        default=2,
        metavar="N",
        help="number of fits of each finalist (default: %(default)s)",
    )
    parser.add_argument(
        "--keep-networks",
        type=non_negative_int,
        default=5,
        metavar="N",
        help="number of best trials whose networks are kept on disk (default: %(default)s)",
    )


def add_workers(parser: argparse.ArgumentParser) -> None:
    """Add the flags that set the number of worker processes and when they are restarted."""
    parser.add_argument(
        "--workers",
        type=positive_int,
        default=1,
        metavar="N",
        help="number of training processes, which share the CPU cores (default: %(default)s)",
    )
    parser.add_argument(
        "--ray",
        nargs="?",
        const="auto",
        metavar="ADDRESS",
        help="run the workers on the Ray cluster at this address; without an address, on the "
        "cluster of this host (default: no Ray)",
    )
    parser.add_argument(
        "--gpus-per-worker",
        type=non_negative_float,
        default=0.0,
        metavar="F",
        help="number of GPUs of each worker on a Ray cluster; a fraction shares a GPU, 0 uses CPUs "
        "(default: 0)",
    )
    parser.add_argument(
        "--epoch-timeout",
        type=positive_duration,
        default="1h",
        metavar="DURATION",
        help="restart a worker that completes no epoch for this long (default: %(default)s)",
    )
    parser.add_argument(
        "--max-retries",
        type=non_negative_int,
        default=2,
        metavar="N",
        help="maximum number of retries of a trial whose worker crashed; then it counts as failed "
        "(default: %(default)s)",
    )
    parser.add_argument(
        "--checkpoint-interval",
        type=duration,
        default="10s",
        metavar="DURATION",
        help="minimum time between two checkpoints of a running trial (default: %(default)s)",
    )
    parser.add_argument(
        "--heartbeat",
        type=whole_seconds,
        default="60s",
        metavar="DURATION",
        help="time between two heartbeats of a running trial; after five missed heartbeats, "
        "another host retries the trial (default: %(default)s)",
    )


def add_task(parser: argparse.ArgumentParser) -> None:
    """Add the flags that choose the data and how a trial trains."""
    parser.add_argument(
        "--data",
        default="omniglot",
        choices=("omniglot", "glyphs"),
        help="data set; glyphs are built in and need no download (default: %(default)s)",
    )
    add_own_images(parser)
    parser.add_argument(
        "--image-size",
        type=positive_int,
        default=35,
        metavar="PIXELS",
        help="height and width of the input; 105 in the paper (default: %(default)s)",
    )
    parser.add_argument(
        "--recipe",
        default="episode",
        choices=RECIPES,
        help="episode trains on the one-shot task itself, paper trains on independent pairs "
        "(default: %(default)s)",
    )
    parser.add_argument(
        "--pairs",
        type=positive_int,
        default=30_000,
        metavar="N",
        help="pairs per epoch of the paper recipe (default: %(default)s)",
    )
    parser.add_argument(
        "--max-epochs",
        type=positive_int,
        metavar="N",
        help="maximum number of epochs of a trial (default: 8 for episode, 200 for paper)",
    )
    parser.add_argument(
        "--steps-per-epoch",
        type=positive_int,
        default=50,
        metavar="N",
        help="steps per epoch of the episode recipe for the default network; a slower network "
        "takes fewer steps (default: %(default)s)",
    )
    parser.add_argument(
        "--step-cost",
        type=cost_of_step,
        metavar="NS",
        help="costs of a step, by which a slower network takes fewer steps: reference, or five "
        "numbers as printed by a new study (default: a new study measures them)",
    )
    parser.add_argument(
        "--init",
        default="scaled",
        choices=INITS,
        help="distribution of the initial weights (default: %(default)s)",
    )


def add_search(parser: argparse.ArgumentParser) -> None:
    """Add the flags that choose the search space, the sampler and the pruner."""
    parser.add_argument(
        "--search",
        nargs="+",
        default=["paper"],
        metavar="GROUP",
        help="groups of parameters to search: lr momentum l2 filters kernels units; paper means "
        "all of them (default: paper)",
    )
    parser.add_argument(
        "--validation",
        default="dense",
        choices=("dense", "paper"),
        help="validation episodes: paper uses 320, as in the paper, dense uses many more "
        "(default: %(default)s)",
    )
    parser.add_argument(
        "--sampler",
        default="tpe",
        choices=("tpe", "gp", "random"),
        help="method that chooses the parameters of a new trial (default: %(default)s)",
    )
    parser.add_argument(
        "--pruner",
        choices=("median", "hyperband", "none"),
        help="rule that stops trials early (default: median; none for gp, which cannot use "
        "pruned trials)",
    )
