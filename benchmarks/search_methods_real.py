"""Compare the searches of ``benchmarks/search_methods.py`` on real fits on Omniglot.

The gain is the accuracy of the chosen configuration minus that of the default, in fresh fits with
equal seeds, on the validation alphabets that choose nothing (``benchmarks/held_out.py``). The
folder of ``--work`` stores every fit and the outcome of every search. Several processes may share
it: each takes every Nth search with ``--part``. Run the same command again to resume.
"""

import json
from dataclasses import asdict
from itertools import product
from pathlib import Path

import optuna
from curves_plan import LENGTH
from harness import compute_from, finish, parser
from held_out import division_without_held_out
from real_training import RealTraining
from search_methods import N_EPOCHS, neps_searches, summarize
from search_methods_optuna import Outcome, searches

from data.files import make_folder, write_atomically
from data.load import load_dataset
from data.splits import split_dataset
from hpo.cli.entry_point import run_command
from hpo.settings.study_settings import StudySettings
from model.config import REFERENCE_COST


def read_outcomes(folder: Path, names: list[str], seeds: list[int]) -> dict[str, list[Outcome]]:
    """Return the stored outcomes by search, of the seeds that all searches have finished."""
    complete = [s for s in seeds if all(path_of(folder, n, s).exists() for n in names)]
    return {
        name: [Outcome(**json.loads(path_of(folder, name, s).read_text())) for s in complete]
        for name in names
    }


def path_of(folder: Path, name: str, seed: int) -> Path:
    """Return the file of the outcome of a search."""
    return folder / f"{name.replace(' ', '_')}-{seed}.json"


def store(path: Path, outcome: Outcome) -> None:
    """Write the outcome of a search."""
    text = json.dumps(asdict(outcome))
    write_atomically(path, lambda temporary: temporary.write_text(text))


def main() -> None:
    """Run the searches that are missing; print the table of those that are finished."""
    flags = parser(__doc__ or "")
    flags.add_argument("--n-epochs", type=int, default=N_EPOCHS, help="of all fits of a search")
    flags.add_argument("--seeds", type=int, nargs="+", default=[0, 1, 2], help="of the searches")
    flags.add_argument(
        "--part", type=int, nargs=2, default=(0, 1), metavar=("K", "N"), help="every Nth from K"
    )
    flags.add_argument("--work", type=Path, default=Path("var/search_methods"), metavar="FOLDER")
    args = flags.parse_args()
    optuna.logging.set_verbosity(optuna.logging.ERROR)
    compute, settings = compute_from(args), StudySettings(step_cost=REFERENCE_COST)
    if args.quick:
        settings = StudySettings(step_cost=REFERENCE_COST, max_epochs=4, steps_per_epoch=1)
    dataset = load_dataset("omniglot", args.data_root, settings.image_size)
    division = division_without_held_out(split_dataset(dataset))
    parts = split_dataset(dataset, division=division).to(compute.device)
    longest = settings.max_epochs
    every = dict([*searches(longest), *neps_searches(longest)])
    make_folder(args.work)
    n_epochs, (part, n_parts) = args.n_epochs * longest // LENGTH, args.part
    for i, (seed, name) in enumerate(product(args.seeds, every)):
        path = path_of(args.work, name, seed)
        if i % n_parts != part or path.exists():
            continue
        training = RealTraining(parts, compute, args.work / "fits", seed, settings)
        outcome = every[name](training, n_epochs, seed)
        store(path, outcome)
        print(f"{name}, seed {seed}: {100 * outcome.gain:+.2f} points", flush=True)
    outcomes = read_outcomes(args.work, list(every), args.seeds)
    n_seeds = len(outcomes["ours"])
    if n_seeds > 1:
        about = {"n_epochs": n_epochs, "n_seeds": n_seeds}
        finish(args, compute, {"Searches on real fits": summarize(outcomes)}, about=about)


if __name__ == "__main__":
    run_command(main, "Finished fits are stored; run the same command again.")
