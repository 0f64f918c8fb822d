"""Compare searches on a surrogate of training, at equal compute and over many seeds.

Every search gets the same number of epochs, the space ``standard`` and its default as the first
point; ours also tries the other starting points of the space. A search ends with a configuration;
the table shows its expected accuracy after the longest fit, as the gain over the default, and the
paired difference from the search of this program. NePS takes part if it is installed
(``uv pip install neural-pipeline-search``).
"""

from collections.abc import Iterator
from functools import partial
from pathlib import Path
from statistics import fmean
from typing import Any

import numpy as np
import optuna
import pandas as pd
from harness import compute_from, finish, parser
from scipy.stats import t as student
from search_methods_optuna import Outcome, Search, searches
from surrogate import leave_one_out
from surrogate_table import read_surrogate

from hpo.cli.entry_point import run_command
from hpo.study.plan import halving_rungs

RESULTS = Path(__file__).parent / "results"
N_EPOCHS = 340  # of all fits of a search


def neps_searches(longest: int) -> Iterator[tuple[str, Search]]:
    """Yield the searches of NePS, if it is installed."""
    try:
        from search_methods_neps import priorband
    except ImportError:
        print("NePS is not installed and takes no part")
        return
    for base in ("hyperband", "asha"):
        search = partial(priorband, base=base, lowest=halving_rungs(longest)[0])
        yield f"NePS PriorBand, {base}", search


def summarize(outcomes: dict[str, list[Outcome]]) -> pd.DataFrame:
    """Return the gain of every search over the default, and ours minus its gain.

    The intervals are 95 % t intervals over the seeds; the difference is paired by seed.

    Args:
        outcomes: outcome of each seed by search, ours first; the seeds are the same for all.
    """
    gains = {name: np.array([o.gain for o in each]) for name, each in outcomes.items()}
    first = next(iter(gains.values()))
    rows = []
    for name, each in outcomes.items():
        row: dict[str, Any] = {"search": name, "gain": points(gains[name])}
        row["ours − it"] = points(first - gains[name]) if gains[name] is not first else ""
        row["worst"] = f"{100 * gains[name].min():+.2f}"
        row["trials"] = round(fmean(o.n_trials for o in each))
        row["complete"] = round(fmean(o.n_full for o in each), 1)
        rows.append(row)
    return pd.DataFrame(rows)


def points(values: np.ndarray) -> str:
    """Return the mean of accuracies in percentage points, with its 95 % t interval."""
    mean, error = 100 * values.mean(), 100 * values.std(ddof=1) / np.sqrt(len(values))
    half = error * student.ppf(0.975, len(values) - 1)
    return f"{mean:+.2f} ({mean - half:+.2f} to {mean + half:+.2f})"


def main() -> None:
    """Fit the surrogate, run every search, and print the table."""
    flags = parser(__doc__ or "")
    flags.add_argument("--curves", type=Path, default=RESULTS / "curves.json", metavar="FILE")
    flags.add_argument("--n-epochs", type=int, default=N_EPOCHS, help="of all fits of a search")
    flags.add_argument("--n-seeds", type=int, default=30)
    args = flags.parse_args()
    optuna.logging.set_verbosity(optuna.logging.ERROR)
    surrogate, configurations, accuracies = read_surrogate(args.curves)
    seen = accuracies[surrogate.is_learning_N]
    correlation = np.corrcoef(leave_one_out(surrogate, configurations), seen)[0, 1]
    print(f"{len(configurations)} configurations, noise {surrogate.noise}, correlation of each")
    print(f"accuracy with its prediction from the other configurations: {correlation:.2f}")
    longest = surrogate.epochs[-1]
    n_seeds = 3 if args.quick else args.n_seeds
    outcomes = {
        name: [search(surrogate, args.n_epochs, seed) for seed in range(n_seeds)]
        for name, search in (*searches(longest), *neps_searches(longest))
    }
    table = summarize(outcomes)
    about = {"configurations": len(configurations), "correlation": round(float(correlation), 3)}
    about |= {"n_epochs": args.n_epochs, "n_seeds": n_seeds}
    finish(args, compute_from(args), {"Searches on the surrogate": table}, about=about)


if __name__ == "__main__":
    run_command(main, "Run the same command again.")
