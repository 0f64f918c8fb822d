"""What one change of the default is worth on several sets of images, and how soon it shows.

The search must find such changes on images that it was not tuned for, so they are measured on sets
for its design: ``few``, four training alphabets of Omniglot in place of 30, and ``sprites`` (see
``benchmarks/image_sets.py``). Fits are stored; run the same command again to resume.
"""

import argparse
import json
from dataclasses import replace
from itertools import product
from pathlib import Path
from typing import Any

import pandas as pd
from harness import compute_from, parser
from held_out import HELD_OUT
from image_sets import COLOUR, folder_of
from search_pays_fits import Fits, store_fits

from data.files import make_folder
from data.load import load_dataset
from data.splits import split_dataset
from hpo.cli.entry_point import run_command
from hpo.cli.flags import positive_int
from hpo.refit.plan import refit_config
from hpo.settings.study_settings import StudyConfig
from hpo.space.files import built_in_space
from hpo.space.space import Point
from hpo.study.dataset import load_data, resolve_data, split_data
from model.config import REFERENCE_COST
from model.provenance import provenance

RESULTS = Path(__file__).parent / "results" / "leverage.json"
FEW, N_FEW = "few", 4  # Omniglot with this many training alphabets
SETS = (FEW, "sprites")
EPOCHS, RUNGS = 27, (3, 9)
_WITHOUT_NORM: Point = {"lr": 0.03, "l2": 1e-6, "model.conv_norm": "none"}
_PLAIN: Point = {"fit.turns": False, "distort.rotation": 5.0, "distort.shear": 0.1}
DEFAULT = "default"
CHANGES: dict[str, Point] = {
    DEFAULT: {},
    "no norm, rate 0.03, no penalty": _WITHOUT_NORM,
    "no turns, weak distortions": _PLAIN,
    "no turns": {"fit.turns": False},
    "mirrors": {"fit.mirrors": True},
    "unit length": {"model.head_norm": "unit"},
    "penalty 1e-3": {"l2": 1e-3},
    "rate 0.03": {"lr": 0.03},
    "strong distortions": {
        "distort.rotation": 20.0,
        "distort.shear": 0.5,
        "distort.scale": 0.35,
        "distort.probability": 1.0,
    },
    "no distortions": {"distort.probability": 0.0},
    "32 characters": {"fit.n_characters": 32},
    "32 characters, 4 drawings": {"fit.n_characters": 32, "fit.n_drawings": 4},
    "group normalisation": {"model.conv_norm": "group"},
    "width 1": {"width": 1.0},
    "width 0.25": {"width": 0.25},
    "1,024 units": {"fc1.units": 1024},
    "batch normalisation of embeddings": {"model.head_norm": "batch"},
    "shifts of 6 pixels": {"distort.shift": 6.0, "distort.probability": 1.0},
    "no norm and no turns": _WITHOUT_NORM | _PLAIN,
    "penalty 5e-3": {"l2": 5e-3},
    "rate 0.3": {"lr": 0.3},
}


def config_of(name: str, args: argparse.Namespace) -> StudyConfig:
    """Return the settings of a study of a set.

    Args:
        name: one of :data:`SETS`.
        args: flags.
    """
    config = StudyConfig(step_cost=REFERENCE_COST, max_epochs=EPOCHS)
    if args.quick:
        config = replace(config, max_epochs=1, steps_per_epoch=1)
    if name != FEW:
        folder = folder_of(name, args.sets)
        return resolve_data(replace(config, data_root=folder, colour=name in COLOUR))
    parts = split_dataset(load_dataset("omniglot", args.data_root, config.image_size))
    train = sorted(parts.train.alphabets)
    val = [alphabet for alphabet in parts.val.alphabets if alphabet not in HELD_OUT]
    return resolve_data(
        replace(
            config,
            data_root=args.data_root,
            train=tuple(train[:: -(-len(train) // N_FEW)]),
            val=tuple(val[:4]),
            test=tuple(val[4:]),
        )
    )


def fits_of(config: StudyConfig, args: argparse.Namespace, done: dict[str, Any]) -> Fits:
    """Return what makes the fits of a set.

    Args:
        config: settings of a study of the set.
        args: flags.
        done: finished fits.
    """
    compute = compute_from(args)
    parts = split_data(config, load_data(config, config.data_root)).to(compute.device)
    return Fits(parts, compute, args.work, done=done)


def run(args: argparse.Namespace, done: dict[str, Any]) -> list[dict[str, Any]]:
    """Make the fits that are missing, change by change, and return all of them.

    Args:
        args: flags.
        done: finished fits; new ones are added, and stored.
    """
    configs = {name: config_of(name, args) for name in args.set}
    fits = {name: fits_of(config, args, done) for name, config in configs.items()}
    rows = []
    changes = list(dict.fromkeys([DEFAULT, *args.changes]))  # the others are compared with it
    for change, (name, config) in product(changes, configs.items()):
        for seed in range(args.n_seeds + (change == DEFAULT)):
            default = built_in_space("standard").starting_points(config.image_size)[0]
            point = default | CHANGES[change]
            result = fits[name].evaluate(refit_config(config, point), seed)
            store_fits(args.work / "fits.json", done)
            rows.append({"set": name, "change": change} | result)
            print(f"{name}, {change}, seed {seed}: {result['validation']:.1%}", flush=True)
    return rows


def differences(rows: list[dict[str, Any]]) -> pd.DataFrame:
    """Return by change and set how many points it gains, at each rung and at the end.

    Args:
        rows: fits of :func:`run`; the last column is the gain on the test part.
    """
    fits = pd.DataFrame(rows)
    for rung in RUNGS:
        fits[f"epoch {rung}"] = [curve[min(rung, len(curve)) - 1] for curve in fits["curve"]]
    columns = [*(f"epoch {rung}" for rung in RUNGS), "validation", "accuracy"]
    means = fits.groupby(["set", "change"], sort=False)[columns].mean() * 100
    gains = means - means.xs(DEFAULT, level="change").reindex(means.index, level="set")
    return gains.rename(columns={"accuracy": "test"}).round(1)


def flags() -> argparse.ArgumentParser:
    """Return the parser of the command line."""
    flags = parser(__doc__ or "")
    flags.add_argument("--set", nargs="+", choices=SETS, default=[*SETS])
    flags.add_argument("--sets", type=Path, metavar="FOLDER", help="made by image_sets.py")
    flags.add_argument("--changes", nargs="+", choices=CHANGES, default=[*CHANGES])
    flags.add_argument(
        "--n-seeds", type=positive_int, default=1, help="of a change; the default has one more"
    )
    flags.add_argument("--work", type=Path, default=Path("var/leverage"), metavar="FOLDER")
    return flags


def main() -> None:
    """Make the fits that are missing; print and write what the changes gain."""
    args = flags().parse_args()
    make_folder(args.work)
    stored = args.work / "fits.json"
    done = json.loads(stored.read_text()) if stored.exists() else {}
    rows = run(args, done)
    print(differences(rows).to_string())
    content = {"provenance": provenance(compute_from(args)), "fits": rows}
    (args.json or RESULTS).write_text(json.dumps(content) + "\n")


if __name__ == "__main__":
    run_command(main, "Fits are stored; run the same command again.")
