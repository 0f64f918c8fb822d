"""Reproduce the three tables of Koch et al. (2015), next to the published accuracies.

See README.md.
"""

import argparse
from dataclasses import replace
from pathlib import Path

from data.paths import VAR
from hpo.cli.console import print_log
from hpo.cli.entry_point import run_command
from hpo.cli.flags import add_data_and_device, parse_args, positive_int

SCALE_NAMES = ("smoke", "reduced", "day", "full")


def flags() -> argparse.ArgumentParser:
    """Return the parser of the command line."""
    parser = argparse.ArgumentParser(
        description="Reproduce the tables of Koch et al. (2015), next to the published accuracies."
    )
    parser.add_argument(
        "--table",
        type=int,
        nargs="+",
        choices=(1, 2, 3),
        default=[1, 2, 3],
        help="tables to reproduce: 1 is verification, 2 is 20-way one-shot on the official "
        "episodes, 3 is MNIST (default: all)",
    )
    parser.add_argument(
        "--scale",
        choices=SCALE_NAMES,
        default="reduced",
        help="size of the networks and length of training: smoke takes a minute; reduced uses "
        "35 pixels, for two CPU cores; day trains 20 times as long, about a day; full uses "
        "105 pixels and the pairs and filters of the paper (default: %(default)s)",
    )
    parser.add_argument(
        "--n-seeds",
        type=positive_int,
        help="number of fits of each row (default: 3 with reduced and day, otherwise 1)",
    )
    parser.add_argument(
        "--out",
        type=Path,
        default=VAR / "reproduce",
        metavar="DIR",
        help="folder of the tables, as JSON files (default: %(default)s)",
    )
    add_data_and_device(parser)
    return parser


def main() -> None:
    """Reproduce the tables one after another."""
    args = parse_args(flags())
    print_log(args)
    # Imports come after parsing: --help and a wrong flag need not wait for torch and optuna.
    from hpo.paper.reproduction import ReproductionRequest, reproduce
    from hpo.paper.scales import SCALES
    from model.device import choose_compute

    scale = SCALES[args.scale]
    request = ReproductionRequest(
        scale=replace(scale, n_seeds=args.n_seeds or scale.n_seeds),
        data_root=args.data_root,
        compute=choose_compute(args.device, args.precision),
        out=args.out,
        networks=VAR / "reproduce" / "networks",
    )
    for number in args.table:
        reproduce(request, number)


if __name__ == "__main__":
    run_command(main, "Finished epochs are saved; run the same command again to resume.")
