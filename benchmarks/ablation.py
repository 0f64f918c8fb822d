"""Ablations: the validation accuracy without each ingredient, at equal compute, over seeds.

The base is the configuration of a study's winner; each row changes one thing. A row with a costlier
network or batch is trained for fewer steps, so that all rows take about the same time. Only the
row with the other precision keeps the number of steps. The test alphabets are not used.
"""

import math
import statistics
from collections.abc import Callable
from dataclasses import dataclass, replace

import pandas as pd
import torch
from harness import compute_from, finish, parser

from data.distortions import NO_DISTORTIONS
from data.episodes import dense_validation
from data.load import load_dataset
from data.splits import Split, split_dataset
from hpo.cli.entry_point import run_command
from hpo.cli.flags import add_storage
from hpo.refit.plan import refit_config
from hpo.search.winner import choose_trial
from hpo.space.kernels import resize_model
from hpo.study.open import open_stored_study, storage_or_reference
from model.config import Config, LayerRates
from model.device import ComputeConfig
from model.fit_state import FitState
from model.train import Validation, fit

Change = Callable[[Config], Config]


def fitted(**values: object) -> Change:
    """Return a change that replaces fields of the fit."""
    return lambda config: replace(config, fit=replace(config.fit, **values))  # type: ignore[arg-type]


def one_rate(config: Config) -> Config:
    """Use in all layers the geometric mean of rates and penalties, and the mean momentum."""
    rates = config.fit.rates

    def mean(values: list[float]) -> float:
        return math.exp(statistics.fmean(map(math.log, values))) if min(values) > 0 else 0.0

    shared = LayerRates(
        lr=mean([r.lr for r in rates]),
        momentum=statistics.fmean(r.momentum for r in rates),
        l2_penalty=mean([r.l2_penalty for r in rates]),
    )
    return replace(config, fit=replace(config.fit, rates=(shared,) * len(rates)))


def pairs_recipe(config: Config) -> Config:
    """Train on independent pairs, with the same number of images."""
    n_pairs = config.fit.steps_per_epoch * config.fit.n_characters
    return fitted(recipe="paper", n_pairs=n_pairs, turns=False)(config)


def paper_start(config: Config) -> Config:
    """Use the initial weights of the paper."""
    return replace(config, model=replace(config.conv, init="paper"))


def at_size(pixels: int) -> Change:
    """Return a change to another image size; the kernels are scaled with it."""
    return lambda config: replace(config, model=resize_model(config.conv, pixels))


ROWS: dict[str, Change] = {
    "the winner": lambda config: config,
    "pairs in place of episodes, no turns, 12 drawers": pairs_recipe,
    "one global rate, momentum and penalty": one_rate,
    "no momentum ramp": fitted(ramp_epochs=0),
    "no distortions": fitted(distort=NO_DISTORTIONS),
    "no turned alphabets": fitted(turns=False),
    "no averaged weights": fitted(ema=0.0),
    "twice the characters a step": lambda c: fitted(n_characters=2 * c.fit.n_characters)(c),
    "the paper's initial weights": paper_start,
    "28 pixels": at_size(28),
    "52 pixels": at_size(52),
}
OTHER_PRECISION = "the other precision"


@dataclass
class Bench:
    """Fits configurations; the data set is loaded once per image size."""

    compute: ComputeConfig
    data_root: object
    loaded: dict[int, Split]

    def accuracy(self, config: Config, seed: int, compute: ComputeConfig) -> float | None:
        """Return the validation accuracy of the best epoch; None if the fit diverged."""
        size = config.model.image_size
        if size not in self.loaded:
            packed = load_dataset("omniglot", self.data_root, size)  # type: ignore[arg-type]
            self.loaded[size] = split_dataset(packed).to(compute.device)
        parts = self.loaded[size]
        state = FitState(config, seed, compute)
        validation = Validation(parts.val, dense_validation(parts.val))
        results = list(fit(state, parts.train, validation))
        return None if results[-1].diverged else max(r.accuracy for r in results)


def equal_compute(config: Config, base: Config) -> Config:
    """Return the configuration with the number of steps that costs as much as the base."""
    if config.fit.recipe == "paper":
        return config
    steps = max(1, round(base.fit.steps_per_epoch * base.cost / config.cost))
    return replace(config, fit=replace(config.fit, steps_per_epoch=steps))


def other_precision(compute: ComputeConfig) -> ComputeConfig:
    """Return the same device with the other precision."""
    other = "float32" if compute.precision == "bfloat16" else "bfloat16"
    return replace(compute, precision=other)


def main() -> None:
    """Fit every row with every seed; print and write the table."""
    flags = parser(__doc__)
    add_storage(flags)
    flags.add_argument(
        "--trial", type=int, metavar="N", help="number of the trial (default: the winner)"
    )
    flags.add_argument(
        "--epochs", type=int, help="epochs of a fit (default: as in the study; quick: 1)"
    )
    flags.add_argument(
        "--n-seeds", type=int, default=3, help="number of fits of each row; quick: 1"
    )
    args = flags.parse_args()
    compute = compute_from(args)
    with open_stored_study(storage_or_reference(args.storage), args.study_name) as (
        _,
        study,
        settings,
    ):
        epochs = 1 if args.quick else args.epochs or settings.max_epochs
        base = refit_config(settings, choose_trial(study, args.trial).params, epochs)
    if args.quick:
        base = replace(base, fit=replace(base.fit, steps_per_epoch=5))
    bench = Bench(compute, args.data_root, {})
    found: dict[str, list[float | None]] = {}
    for seed in range(1, 2 if args.quick else 1 + args.n_seeds):
        jobs = [(name, equal_compute(change(base), base), compute) for name, change in ROWS.items()]
        for name, config, place in [*jobs, (OTHER_PRECISION, base, other_precision(compute))]:
            accuracy = bench.accuracy(config, seed, place)
            found.setdefault(name, []).append(accuracy)
            text = "diverged" if accuracy is None else f"{accuracy:.1%}"
            print(f"seed {seed}  {text}  {name}", flush=True)
    finish(args, compute, {"Validation accuracy": table(found)}, seeds=found, config=base.to_dict())


def table(found: dict[str, list[float | None]]) -> pd.DataFrame:
    """Return mean, standard deviation and difference from the first row, in percent.

    A row with a fit that diverged has no mean: an accuracy of such a fit was not measured.
    """
    first = torch.tensor(next(iter(found.values())))
    rows = []
    for name, values in found.items():
        if n_diverged := values.count(None):
            row = {"": name, "mean": f"{n_diverged} of {len(values)} diverged"}
            rows.append({**row, "sd": "–", "difference": "–"})
            continue
        share = torch.tensor(values)
        difference = 100 * (share - first)
        rows.append(
            {
                "": name,
                "mean": f"{100 * share.mean():.1f}",
                "sd": f"{100 * share.std():.1f}" if len(values) > 1 else "–",
                "difference": f"{difference.mean():+.1f}",
            }
        )
    return pd.DataFrame(rows)


if __name__ == "__main__":
    run_command(main, "Run the same command again to start over.")
