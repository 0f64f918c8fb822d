"""Measure seconds per training step by batch, image size, filters and kernel; fit a cost model."""

import statistics
from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd
from harness import compute_from, finish, interleaved, parser
from scipy.optimize import nnls

from data.load import load_dataset
from data.splits import split_dataset
from hpo.cli.entry_point import run_command
from hpo.settings.base_config import base_config
from hpo.settings.study_settings import StudySettings
from model.config import Config
from model.device import ComputeConfig
from model.fit_state import FitState
from model.losses import LOSSES
from model.train import train_step

SIZES, CHARACTERS, SHARES = (28, 35, 52, 70, 105), (16, 32, 64, 128, 256), (0.25, 0.5, 1.0, 2.0)
KERNELS, UNITS = (1, 2, 3, 5), (512, 2048, 4096, 8192)
TERMS = ("FLOPs", "activations", "comparisons", "weights", "steps")


def variants(quick: bool) -> dict[str, dict[int, Config]]:
    """Return configurations that differ from the base in one field, by field and value."""
    base = base_config(StudySettings(steps_per_epoch=10**6))
    sizes, characters = (SIZES[:3], CHARACTERS[:4]) if quick else (SIZES, CHARACTERS)

    def wide(share: float) -> Config:
        f1, f2, f3, f4 = (int(share * f) for f in base.conv.filters)
        return replace(base, model=replace(base.conv, filters=(f1, f2, f3, f4)))

    def kernel(size: int) -> Config:
        k1, _, k3, k4 = base.conv.kernels
        return replace(base, model=replace(base.conv, kernels=(k1, size, k3, k4)))

    return {
        "characters": {n: replace(base, fit=replace(base.fit, n_characters=n)) for n in characters},
        "pixels": {
            s: base_config(StudySettings(image_size=s, steps_per_epoch=10**6)) for s in sizes
        },
        "conv1.filters": {int(s * base.conv.filters[0]): wide(s) for s in SHARES},
        "fc1.units": {n: replace(base, model=replace(base.conv, units=n)) for n in UNITS},
        "conv2.kernel": {k: kernel(k) for k in KERNELS},
    }


def seconds_per_step(
    config: Config, data_root: Path | None, compute: ComputeConfig, rounds: int
) -> float:
    """Return the median seconds of a step on the real drawings."""
    train = split_dataset(load_dataset("omniglot", data_root, config.model.image_size)).train.to(
        compute.device
    )
    state = FitState(config, 0, compute)
    losses = LOSSES["episode"](state.net, train, config.fit, generator=state.generator)
    times = interleaved({"step": lambda: train_step(state, next(losses))}, rounds, compute.device)
    return statistics.median(times["step"])


def line_through(table: pd.DataFrame) -> tuple[pd.Series, float]:
    """Return the non-negative seconds per unit of each term, and the median relative error."""
    x, y = table[list(TERMS)].to_numpy(), table["seconds"].to_numpy()
    found, _ = nnls(x / y[:, None], np.ones(len(y)))  # minimise relative errors
    error = float(np.median(np.abs(x @ found / y - 1)))
    return pd.Series(found, index=list(TERMS)), error


def plot(table: pd.DataFrame, path: Path) -> None:
    """Write a plot of the seconds per step as one HTML file that opens offline."""
    import plotly.express as px

    long = table.rename(columns={"seconds": "measured", "cost": "line"}).melt(
        ["varied", "value"], ["measured", "line"], "which", "seconds per step"
    )
    figure = px.line(
        long, x="value", y="seconds per step", color="which", facet_col="varied", markers=True
    )
    figure.update_xaxes(matches=None, rangemode="tozero").update_yaxes(rangemode="tozero")
    path.parent.mkdir(parents=True, exist_ok=True)
    figure.write_html(path, include_plotlyjs=True)
    print(f"wrote {path}")


def main() -> None:
    """Time the variants, fit the cost model, write the plot."""
    flags = parser(__doc__)
    flags.add_argument("--html", type=Path, default=Path("var/scaling.html"), help="the plot")
    args = flags.parse_args()
    compute = compute_from(args)
    records = [
        {"varied": varied, "value": value}
        | config.work
        | {"steps": 1}
        | {"seconds": seconds_per_step(config, args.data_root, compute, 5 if args.quick else 15)}
        for varied, configs in variants(args.quick).items()
        for value, config in configs.items()
    ]
    table = pd.DataFrame(records)
    per_unit, error = line_through(table)
    table["cost"] = table[list(TERMS)].to_numpy() @ per_unit.to_numpy()
    table["line / measured"] = (table["cost"] / table["seconds"]).round(2)
    line = pd.DataFrame({"term": TERMS, "ns each": (1e9 * per_unit).round(5)})
    plot(table, args.html)
    shown = table.drop(columns=["cost"]).round({"seconds": 4})
    finish(args, compute, {"Seconds per step": shown, f"Median error {error:.0%}": line})


if __name__ == "__main__":
    run_command(main, "Run the same command again to start over.")
