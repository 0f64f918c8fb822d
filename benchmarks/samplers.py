"""Compare samplers with and without pruning on the real objective, at equal compute, over seeds.

The unit of compute is an epoch, because the search gives every network the number of steps per
epoch that has the same cost. As in ``run_study.py``, a study starts with the starting points. The
curves show the best *sampled* trial, since the starting points are the same for all. The accuracy
of every epoch is stored in ``var/samplers.json``: an interrupted run resumes, and a configuration
that two studies share is trained once.
"""

import argparse
import json
import statistics
from collections.abc import Iterator
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

import optuna
import pandas as pd
import plotly.graph_objects as go
from harness import compute_from, finish, parser

from data.episodes import dense_validation
from data.files import write_atomically
from data.load import load_dataset
from data.splits import Split, split_dataset
from hpo.cli.entry_point import run_command
from hpo.settings.base_config import base_config
from hpo.settings.study_settings import StudySettings
from hpo.space.distributions import search_space, suggest_config
from hpo.study.sampler import make_pruner, make_sampler
from model.config import Config
from model.device import ComputeConfig
from model.fit_state import FIT_FORMAT, FitState
from model.train import CHANCE_ACCURACY, Validation, fit

PRUNED = optuna.trial.TrialState.PRUNED
ARMS: list[tuple[Any, Any]] = [
    (sampler, pruner) for sampler in ("random", "tpe", "gp") for pruner in ("none", "median")
]
CURVES = Path("var/samplers.json")


@dataclass
class Curves:
    """Trains configurations and stores the accuracy of every epoch."""

    parts: Split
    compute: ComputeConfig
    known: dict[str, list[float]] = field(default_factory=dict)

    def __post_init__(self) -> None:
        """Read the accuracies of earlier runs and draw the validation episodes."""
        self.validation = Validation(self.parts.val, dense_validation(self.parts.val))
        if CURVES.exists():
            self.known = json.loads(CURVES.read_text())

    def epochs(self, config: Config, seed: int) -> Iterator[float]:
        """Yield the accuracy after each epoch; train only what is not stored."""
        how = [FIT_FORMAT, self.compute.device.type, self.compute.precision]
        what = [self.parts.train.digest, asdict(config), seed, *how]
        key = json.dumps(what, sort_keys=True)
        known = self.known.setdefault(key, [])
        yield from list(known)
        if len(known) == config.fit.max_epochs or (known and known[-1] == CHANCE_ACCURACY):
            return
        state = FitState(config, seed, self.compute)
        for i, result in enumerate(fit(state, self.parts.train, self.validation)):
            if i >= len(known):
                known.append(CHANCE_ACCURACY if result.diverged else result.accuracy)
                write_atomically(CURVES, self._write)
                yield known[-1]

    def _write(self, path: Path) -> None:
        path.write_text(json.dumps(self.known))


def search(settings: StudySettings, budget: int, curves: Curves) -> list[dict[str, Any]]:
    """Run a study of ``budget`` epochs; return a record per trial with the epochs spent so far."""
    base, space = base_config(settings), search_space(settings.space, settings.image_size)
    first = settings.space.starting_points(settings.image_size)
    study = optuna.create_study(
        direction="maximize",
        sampler=make_sampler(settings.sampler, settings.seed, space, first),
        pruner=make_pruner(settings.pruner, settings.max_epochs),
    )
    spent, lines = 0, []
    while spent < budget:
        trial = study.ask()
        config = suggest_config(trial, base, settings.space)
        seen, pruned = [], False
        for epoch, accuracy in enumerate(curves.epochs(config, settings.seed), 1):
            trial.report(accuracy, step=epoch)
            seen.append(accuracy)
            spent += 1
            if pruned := epoch < settings.max_epochs and trial.should_prune():
                break
        value = CHANCE_ACCURACY if seen[-1] == CHANCE_ACCURACY else max(seen)
        study.tell(trial, None if pruned else value, state=PRUNED if pruned else None)
        kind = "anchor" if trial.number < len(first) else "pruned" if pruned else "complete"
        if value == CHANCE_ACCURACY:  # assigned, not measured
            kind = "diverged"
        lines.append({"epochs": spent, "kind": kind, "value": round(value, 4)})
    return lines


def at(lines: list[dict[str, Any]], epochs: int, kind: str = "complete") -> float:
    """Return the best value of a kind of trial within a number of epochs, or 0."""
    mine = [line for line in lines if line["epochs"] <= epochs and line["kind"] == kind]
    return max((line["value"] for line in mine), default=0.0)


def summarise(runs: list[dict[str, Any]], budget: int) -> pd.DataFrame:
    """Return means and standard deviations over the seeds, at half and at the whole budget."""
    table = []
    for sampler, pruner in ARMS:
        mine = [r for r in runs if (r["sampler"], r["pruner"]) == (sampler, pruner)]
        line: dict[str, Any] = {"sampler": sampler, "pruner": pruner, "seeds": len(mine)}
        for epochs in (budget // 2, budget):
            values = [at(run["lines"], epochs) for run in mine]
            spread = statistics.stdev(values) if len(values) > 1 else float("nan")
            line[f"{epochs} epochs"] = f"{statistics.mean(values):.1%} ± {spread:.1%}"
        line["beats the anchors"] = f"{sum(beats_anchors(run, budget) for run in mine)}"
        line["trials"] = round(statistics.mean(len(run["lines"]) for run in mine))
        table.append(line)
    return pd.DataFrame(table)


def beats_anchors(run: dict[str, Any], budget: int) -> bool:
    """Return whether a study sampled a better trial than its starting points."""
    return at(run["lines"], budget) > at(run["lines"], budget, "anchor")


def plot(runs: list[dict[str, Any]], budget: int) -> go.Figure:
    """Return best-so-far curves: the mean over the seeds, and a band from lowest to highest."""
    figure = go.Figure()
    grid = list(range(0, budget + 1, 2))
    colours = {"random": "#777777", "tpe": "#1f6fb2", "gp": "#c4572d"}
    for sampler, pruner in ARMS:
        mine = [r["lines"] for r in runs if (r["sampler"], r["pruner"]) == (sampler, pruner)]
        values = [[at(lines, epochs) for lines in mine] for epochs in grid]
        name, dash = f"{sampler}, {pruner}", "solid" if pruner == "median" else "dot"
        band = [max(v) for v in values] + [min(v) for v in reversed(values)]
        style: dict[str, Any] = {"legendgroup": name, "line": {"color": colours[sampler]}}
        figure.add_scatter(
            x=grid + grid[::-1],
            y=band,
            fill="toself",
            opacity=0.15,
            mode="none",
            fillcolor=colours[sampler],
            legendgroup=name,
            showlegend=False,
        )
        style["line"] |= {"dash": dash, "shape": "hv"}
        figure.add_scatter(x=grid, y=[statistics.mean(v) for v in values], name=name, **style)
    figure.update_xaxes(title="epochs of training")
    figure.add_hline(
        statistics.mean(at(run["lines"], budget, "anchor") for run in runs),
        annotation_text="the better starting point",
        line={"color": "black", "width": 1},
    )
    figure.update_yaxes(
        title="best sampled trial, validation accuracy", tickformat=".0%", range=[0.4, 0.72]
    )
    margin = {"t": 20, "r": 20}
    return figure.update_layout(template="plotly_white", width=900, height=480, margin=margin)


def main() -> None:
    """Run every arm with every seed; print, write and plot the results."""
    flags = parser(__doc__)
    flags.add_argument("--n-seeds", type=int, default=3)
    flags.add_argument("--epochs", type=int, help="epochs of a study (default: 160; quick: 16)")
    flags.add_argument(
        "--plot", type=Path, help="write a plot: .html, or .svg if kaleido is installed"
    )
    args = flags.parse_args()
    optuna.logging.set_verbosity(optuna.logging.WARNING)
    compute = compute_from(args)
    n_epochs, n_steps = (4, 3) if args.quick else (8, 12)
    budget = args.epochs or (16 if args.quick else 160)
    parts = split_dataset(load_dataset("omniglot", args.data_root, 35)).to(compute.device)
    curves = Curves(parts, compute)
    runs = []
    for seed in range(1 if args.quick else args.n_seeds):
        for sampler, pruner in ARMS:
            settings = StudySettings(
                max_epochs=n_epochs,
                steps_per_epoch=n_steps,
                sampler=sampler,
                pruner=pruner,
                seed=seed,
            )
            lines = search(settings, budget, curves)
            runs.append({"sampler": sampler, "pruner": pruner, "seed": seed, "lines": lines})
            print(f"seed {seed} {sampler:6} {pruner:6} {at(lines, budget):.1%}", flush=True)
    if args.plot:
        draw(plot(runs, budget), args)
    title = f"Best sampled trial, studies of {budget} epochs of {n_steps} steps"
    finish(args, compute, {title: summarise(runs, budget)}, runs=runs)


def draw(figure: go.Figure, args: argparse.Namespace) -> None:
    """Write the plot to the file of ``--plot``."""
    write = figure.write_html if args.plot.suffix == ".html" else figure.write_image
    write(args.plot)


if __name__ == "__main__":
    run_command(main, "Trained epochs are saved; run the same command again to resume.")
