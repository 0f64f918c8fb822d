"""Fits with the paper's recipe, and with one or more changes of it, against the pairs seen.

A row is ``paper``, the recipe of §3.2, or ``paper`` with changes, for example
``paper+averaging+cosine``. The row ``episode`` is the default of the episode recipe, trained on as
many drawings, two for each pair. Each fit is evaluated on validation after every epoch and on the
official episodes at milestones; validation alone chooses the epoch. Except with ``cosine`` and
``episode``, whose rate follows a cosine, a milestone is what a fit of that length would reach, and
a longer fit continues a shorter one. Fits are stored; run the same command again to resume.
"""

import argparse
import shlex
import sys
from pathlib import Path
from statistics import fmean

from harness import add_no_test, compute_from, parser
from paper_recipe_fits import Fits
from paper_recipe_rows import CHANGES, Row, row_entry, row_of, store_row

from data.errors import InputError
from data.files import make_folder
from data.load import load_dataset
from data.paths import PROJECT, VAR
from data.splits import split_dataset
from hpo.cli.console import print_log
from hpo.cli.entry_point import run_command
from hpo.cli.flags import positive_int
from hpo.refit.retrain import log_test_evaluation

RESULTS = PROJECT / "results/paper/rows.json"


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
    winner = "winner of a study, in place of these rates and penalties"
    flags.add_argument("--winner", type=Path, metavar="FILE", help=winner)
    flags.add_argument("--init", choices=("scaled", "paper"), default="scaled")
    flags.add_argument("--dense", action="store_true", help="network without convolutions")
    flags.add_argument("--label", metavar="TEXT", help="name of the row (default: its recipe)")
    flags.add_argument(
        "--network",
        type=Path,
        metavar="FILE",
        help="write the network with the best validation accuracy to this file",
    )
    flags.add_argument("--seeds", type=int, nargs="+", default=[1, 2, 3])
    flags.add_argument("--work", type=Path, default=VAR / "paper_recipe", metavar="FOLDER")
    return flags


def add_row(fits: Fits, row: Row, args: argparse.Namespace) -> None:
    """Make the fits of a row that are missing, and write the row."""
    curves = {seed: fits.curve(row, seed) for seed in args.seeds}
    ends = {seed: curve[-1] for seed, curve in curves.items()}
    validation = fmean(end["validation"] for end in ends.values())
    print(f"{row.label}: {validation:.1%} of validation, mean of {len(ends)}", flush=True)
    if not args.test:
        return
    official, n_seen = [end["official"] for end in ends.values()], ends[args.seeds[0]]["pairs_seen"]
    log_test_evaluation(f"paper_recipe.py, {row.label}, {n_seen} pairs", official)
    print(f"{row.label}: {fmean(official):.1%} official", flush=True)
    command = shlex.join(["benchmarks/paper_recipe.py", *sys.argv[1:]])
    store_row(args.json or RESULTS, row_entry(row, curves, fits.compute) | {"command": command})
    if args.network:
        fits.save_network(args.network, row, max(ends, key=lambda seed: ends[seed]["validation"]))


def main() -> None:
    """Make the fits that are missing, and write a row for each recipe."""
    args = flags().parse_args()
    print_log(args)
    if (args.label or args.network) and len(args.rows) > 1:
        raise InputError("--label and --network are of one row. Name one row in --rows.")
    if args.quick:
        args.pairs, args.n_pairs, args.width = 512, 256, 0.125
    compute = compute_from(args)
    make_folder(args.work)
    dataset = load_dataset("omniglot", args.data_root, args.image_size)
    fits = Fits(split_dataset(dataset).to(compute.device), compute, args.work, args.test)
    for recipe in args.rows:
        add_row(fits, row_of(recipe, args), args)


if __name__ == "__main__":
    run_command(main, "Fits are stored; run the same command again.")
