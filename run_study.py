"""Start or resume a study that tunes a siamese network.

Repeat the same command to resume; a finished study says so. See README.md.
"""

import argparse
import time

from hpo.cli.entry_point import run_command
from hpo.cli.flags import (
    add_data_and_device,
    add_storage,
    add_tensorboard,
    non_negative_float,
    non_negative_int,
    positive_float,
    positive_int,
)
from hpo.runtime.processes import start_forkserver
from model.architecture import INITS
from model.config import RECIPES


def flags() -> argparse.ArgumentParser:
    """Return the command line's flags."""
    parser = argparse.ArgumentParser(
        description="Start or resume a study that tunes a siamese network for one-shot recognition."
    )
    add_storage(parser, "named after its data and what is searched")
    parser.add_argument("--seed", type=int, default=0, help="of the study and of every fit")
    add_budget(parser)
    add_workers(parser)
    add_data_and_device(parser, "Omniglot, or a folder of images of your own")
    add_tensorboard(parser)
    add_task(parser)
    add_search(parser)
    return parser


def add_budget(parser: argparse.ArgumentParser) -> None:
    """Add the flags that say how long the study goes on, and what is kept."""
    parser.add_argument(
        "--n-trials", type=positive_int, default=30, help="trials of the study in all"
    )
    parser.add_argument(
        "--time-budget",
        type=positive_float,
        metavar="SECONDS",
        help="of work on the study in all, whichever run did it; then no further trial begins",
    )
    parser.add_argument(
        "--stop",
        action="store_true",
        help="ask every process of the study, on any host, to finish its trial and end",
    )
    parser.add_argument(
        "--finalists",
        type=non_negative_int,
        default=5,
        metavar="K",
        help="of a finished study, fit the best K trials again to choose the winner (default: 5); "
        "also so many networks are kept",
    )
    parser.add_argument(
        "--n-finalist-seeds",
        type=positive_int,
        default=2,
        metavar="N",
        help="fits of each (default: 2)",
    )


def add_workers(parser: argparse.ArgumentParser) -> None:
    """Add the flags that say how many processes work, and when one is given up."""
    parser.add_argument(
        "--workers", type=positive_int, default=1, help="training processes that share the cores"
    )
    parser.add_argument(
        "--ray",
        nargs="?",
        const="auto",
        metavar="ADDRESS",
        help="place the workers on a Ray cluster: at an address, else the one of this host",
    )
    parser.add_argument(
        "--gpus-per-worker",
        type=non_negative_float,
        default=0.0,
        metavar="F",
        help="of a Ray cluster; a fraction shares a GPU (default: 0, CPUs)",
    )
    parser.add_argument(
        "--epoch-timeout",
        type=positive_float,
        default=3600.0,
        metavar="SECONDS",
        help="without a finished epoch, after which a worker is replaced (default: 3600)",
    )
    parser.add_argument(
        "--max-retries",
        type=non_negative_int,
        default=2,
        help="of a trial whose worker died or was interrupted (default: 2)",
    )
    parser.add_argument(
        "--checkpoint-interval",
        type=non_negative_float,
        default=10.0,
        metavar="SECONDS",
        help="between two checkpoints of a trial under way (default: 10)",
    )
    parser.add_argument(
        "--heartbeat",
        type=positive_int,
        default=60,
        metavar="SECONDS",
        help="between two signs of life; after five missed ones other hosts take a trial over",
    )


def add_task(parser: argparse.ArgumentParser) -> None:
    """Add the flags that say what a trial trains on, and how."""
    parser.add_argument(
        "--data", default="omniglot", choices=("omniglot", "glyphs"), help="glyphs: built-in ones"
    )
    parser.add_argument(
        "--split-by",
        choices=("group", "class"),
        help="of a --data-root with images of your own in folders group/class or class: what is "
        "divided among train, val and test (default: group, where there are three)",
    )
    parser.add_argument("--colour", action="store_true", help="keep the colours of such images")
    parser.add_argument(
        "--image-size", type=positive_int, default=35, metavar="PIXELS", help="105 is the paper's"
    )
    parser.add_argument(
        "--recipe",
        default="episode",
        choices=RECIPES,
        help="episode trains the one-shot task itself, paper on independent pairs",
    )
    parser.add_argument(
        "--pairs", type=positive_int, default=30_000, help="pairs per epoch (paper recipe)"
    )
    parser.add_argument("--max-epochs", type=positive_int, help="default: 8 (episode), 200 (paper)")
    parser.add_argument(
        "--steps-per-epoch",
        type=positive_int,
        default=50,
        help="steps per epoch of the base network; a costlier one gets fewer (episode recipe)",
    )
    parser.add_argument("--init", default="scaled", choices=INITS, help="initial weights")


def add_search(parser: argparse.ArgumentParser) -> None:
    """Add the flags that say what is searched, and how."""
    parser.add_argument(
        "--search",
        nargs="+",
        default=["paper"],
        metavar="GROUP",
        help="groups of lr momentum l2 filters kernels units, or paper = all (default)",
    )
    parser.add_argument(
        "--validation", default="dense", choices=("dense", "paper"), help="paper: 320 episodes"
    )
    parser.add_argument(
        "--sampler", default="tpe", choices=("tpe", "gp", "random"), help="default: tpe"
    )
    parser.add_argument(
        "--pruner",
        choices=("median", "hyperband", "none"),
        help="what ends hopeless trials (default: median; none for gp, which ignores them)",
    )


def main() -> None:
    """Run the study and say what came of it."""
    started, args = time.monotonic(), flags().parse_args()
    # After parsing: --help and a wrong flag need not wait for torch and optuna.
    start_forkserver()
    from hpo.cli.study import launcher_from, print_start, print_summary, run_config_from, stop_study
    from hpo.dashboard.updates import DashboardUpdates
    from hpo.runtime.supervisor import run_study

    if args.stop:
        stop_study(args)
        return
    run = run_config_from(args)
    launcher = launcher_from(args)
    print_start(run)
    print_summary(run_study(run, launcher, [DashboardUpdates]), run, time.monotonic() - started)


if __name__ == "__main__":
    run_command(main, "Finished trials are kept; run the same command again to resume.")
