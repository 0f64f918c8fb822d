"""Whether a search pays: its winner against defaults that were not searched, over several studies.

A study searches with the defaults of ``run_study.py``. Its winner is refitted with fresh seeds, and
so are three rivals, which start from random weights: the hand-set start of version 0.5.0 for as
many images as the winner, the same for all images of study and refit together, and the default of
the space ``standard``. They are evaluated on drawings that choose neither epoch nor configuration:
of Omniglot, those of three validation alphabets (``benchmarks/held_out.py``); of another set, its
test part. The official test is not used. Studies and fits are stored; run the same command again to
resume.
"""

import argparse
import json
from dataclasses import asdict
from pathlib import Path
from statistics import fmean
from typing import Any

import pandas as pd
from harness import compute_from, parser
from image_sets import UNTUNED
from optuna.trial import FrozenTrial
from search_pays_fits import Fits, store_fits
from search_pays_studies import OMNIGLOT, Searched, rivals, search
from search_pays_table import RIVALS, differences, markdown, name_of

from data.files import make_folder
from data.paths import PROJECT
from hpo.cli.entry_point import run_command
from hpo.search.choice import stored_gain
from hpo.search.winner import choose_trial
from hpo.settings.sections import DEFAULT_SPACE
from hpo.study.trials import default_trial
from model.provenance import provenance
from model.start_weights import load_start_weights

RESULTS = PROJECT / "results/search_pays.json"
MADE_BY = "machine", "commit", "precision"
FIRST_SEED = 100  # of the fits of study 0; no seed of a study or of its own fits


def record(searched: Searched, fits: Fits, rows: dict[str, list[dict[str, Any]]]) -> dict[str, Any]:
    """Return the entry of a study in the results.

    Args:
        searched: the study.
        fits: its fits.
        rows: fits of the winner and of each rival.
    """
    winner, about = choose_trial(searched.study, None), provenance(fits.compute)
    entry: dict[str, Any] = {
        "set": searched.name,
        "start_from": start.name if (start := searched.settings.start_from) else "",
        "space": searched.settings.space.name,
        "n_trials": searched.config.n_trials,
        "max_epochs": searched.settings.max_epochs,
        "seed": searched.config.seed,
        "minutes": round(searched.seconds / 60, 1),
        "embedded_images": searched.n_images,
        "machine": about["cpu"],
        "commit": about["commit"],
        "precision": fits.compute.precision,
        "trial": winner.number,
        "is_default": is_standard_default(searched, winner),
        "point": winner.params,
    }
    if gain := stored_gain(searched.study):
        entry["gain"] = asdict(gain)
    for name, each in rows.items():
        accuracies = [result["accuracy"] for result in each]
        entry |= {name: round(fmean(accuracies), 5), f"{name}_fits": accuracies}
    return entry


def is_standard_default(searched: Searched, winner: FrozenTrial) -> bool:
    """Return whether a winner is the default of the space ``standard``, from random weights."""
    space, start = searched.settings.space.name, searched.settings.start_from
    default = default_trial(searched.study)
    is_default = default is not None and default.number == winner.number
    return is_default and space == DEFAULT_SPACE["episode"] and start is None


def run(name: str, seed: int, args: argparse.Namespace, fits: dict[str, Any]) -> dict[str, Any]:
    """Run a study, fit its winner and the rivals, and return the entry of the results."""
    searched, compute = search(name, seed, args), compute_from(args)
    make_folder(args.work / "fits")
    start = searched.settings.start_from
    weights = load_start_weights(start) if start else None
    mine = Fits(searched.parts.to(compute.device), compute, args.work / "fits", weights, fits)
    rows: dict[str, list[dict[str, Any]]] = {}
    for row, config, n_fits in rivals(searched):
        if row not in ("winner", *args.rivals):
            continue
        seeds = range(FIRST_SEED * (seed + 1), FIRST_SEED * (seed + 1) + n_fits)
        rows[row] = []
        for fit_seed in seeds:
            rows[row].append(mine.evaluate(config, fit_seed))
            store_fits(args.work / "fits.json", fits)
        print(f"{name} {seed} {row}: {[r['accuracy'] for r in rows[row]]}", flush=True)
    return record(searched, mine, rows)


def store(path: Path, content: dict[str, Any], entries: list[dict[str, Any]]) -> None:
    """Add studies to the results, and write the file.

    A study that was stored before keeps the rivals that were fitted then. If its winner's fits are
    the same, it keeps where they were made, too.
    """
    by_study = {(name_of(each), each["seed"]): each for each in content["studies"]}
    for each in entries:
        former = by_study.get((name_of(each), each["seed"]), {})
        if former.get("winner_fits") == each.get("winner_fits"):
            each = former | each | {name: former[name] for name in MADE_BY if name in former}
        by_study[name_of(each), each["seed"]] = each
    content["studies"] = [by_study[key] for key in sorted(by_study)]
    gains = differences(content["studies"]).to_dict("records")
    content["gains"] = [{k: v for k, v in row.items() if pd.notna(v)} for row in gains]
    path.write_text(json.dumps(content, indent=1) + "\n")


def merge(path: Path, content: dict[str, Any], other: dict[str, Any]) -> None:
    """Add the studies of another process, and how it was run, to the results."""
    known = content.setdefault("provenance", [])
    known += [each for each in other["provenance"] if each not in known]
    store(path, content, other["studies"])


def flags() -> argparse.ArgumentParser:
    """Return the parser of the command line."""
    flags = parser(__doc__ or "")
    flags.add_argument("--set", nargs="+", choices=[OMNIGLOT, *UNTUNED], default=[OMNIGLOT])
    flags.add_argument("--sets", type=Path, metavar="FOLDER", help="made by image_sets.py")
    flags.add_argument("--seeds", type=int, nargs="+", default=[*range(6)], help="of the studies")
    flags.add_argument("--rivals", nargs="+", choices=[*RIVALS], default=[*RIVALS], help="to fit")
    flags.add_argument("--merge", type=Path, nargs="+", default=(), help="results to add")
    flags.add_argument(
        "--start-from", metavar="NETWORK", help="network for the studies to start from"
    )
    flags.add_argument("--centres", action="store_true", help="begin at the centres of the ranges")
    flags.add_argument("--work", type=Path, default=Path("var/search_pays"), metavar="FOLDER")
    return flags


def main() -> None:
    """Run the studies and the fits that are missing; print and write the gains."""
    args = flags().parse_args()
    make_folder(args.work)
    path = args.json or RESULTS
    stored = args.work / "fits.json"
    fits = json.loads(stored.read_text()) if stored.exists() else {}
    content = json.loads(path.read_text()) if path.exists() else {}
    content = content if "studies" in content else {"studies": []}
    for other in args.merge:
        merge(path, content, json.loads(other.read_text()))
    if not args.merge:
        content.setdefault("provenance", []).append(provenance(compute_from(args)))
        for name in args.set:
            for seed in args.seeds:
                store(path, content, [run(name, seed, args, fits)])
    print("\n".join(markdown(content["studies"])))


if __name__ == "__main__":
    run_command(main, "Studies and fits are stored; run the same command again.")
