"""The paper's three tables, one command each, beside what it reports. See README.md."""

import argparse
from dataclasses import replace
from pathlib import Path

from hpo.cli.entry_point import run_command
from hpo.cli.flags import add_data_and_device, positive_int

SCALE_NAMES = ("smoke", "reduced", "full")


def flags() -> argparse.ArgumentParser:
    """Return the command line's flags."""
    parser = argparse.ArgumentParser(description="Reproduce the tables of Koch et al. (2015).")
    parser.add_argument(
        "--table",
        type=int,
        nargs="+",
        choices=(1, 2, 3),
        default=[1, 2, 3],
        help="1 verification, 2 official 20-way, 3 MNIST (default: all)",
    )
    parser.add_argument(
        "--scale",
        choices=SCALE_NAMES,
        default="reduced",
        help="smoke: a minute; reduced: 35 pixels, for two CPU cores (default); "
        "full: 105 pixels, the paper's pairs and filters",
    )
    parser.add_argument(
        "--n-seeds", type=positive_int, help="fits of each row (default: the scale's)"
    )
    parser.add_argument(
        "--out", type=Path, default=Path("var/reproduce"), metavar="DIR", help="of the tables"
    )
    add_data_and_device(parser)
    return parser


def main() -> None:
    """Make the tables one after another."""
    args = flags().parse_args()
    from hpo.paper.reproduction import ReproductionRequest, reproduce
    from hpo.paper.tables import SCALES
    from model.device import choose_compute

    scale = SCALES[args.scale]
    scale = replace(scale, n_seeds=args.n_seeds or scale.n_seeds)
    compute = choose_compute(args.device, args.precision)
    asked = ReproductionRequest(
        scale, args.data_root, compute, args.out, Path("var/reproduce/networks")
    )
    for number in args.table:
        reproduce(asked, number)


if __name__ == "__main__":
    run_command(main, "Finished fits are kept; run the same command again to go on.")
