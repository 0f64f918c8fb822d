"""Learning curves of many configurations at the length of a refit, under several schedules.

The table shows which schedule of a short fit predicts a long fit, how similarly two lengths rank
configurations, and how large the noise between seeds is. Finished fits are stored; run the same
command again to resume. Accuracies are recorded by alphabet, so that some alphabets can be held
out from all choices. The test alphabets are not used.
"""

import json
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from harness import compute_from, parser

from data.episodes import dense_validation
from data.files import write_atomically
from data.load import load_dataset
from data.splits import Split, split_dataset
from hpo.cli.entry_point import run_command
from hpo.settings.base_config import base_config
from hpo.settings.study_settings import StudySettings
from hpo.settings.value_types import parse_step_cost
from hpo.space.configuration import build_config
from hpo.space.distributions import sample_near, sample_uniform, search_space
from hpo.space.files import built_in_space
from hpo.space.space import Point
from model.config import Config
from model.device import ComputeConfig
from model.evaluate import correctness, episode_logits
from model.fit_state import FitState
from model.provenance import provenance
from model.train import Validation, fit

RESULTS = Path(__file__).parent / "results" / "curves.json"
LENGTH = 36  # epochs of a refit of the default study
FIT = (LENGTH, "cosine")  # epochs and schedule of a fit of every configuration
# Further fits of the first configurations. The first 27 epochs of a trapezoid are those of a
# constant schedule.
SCHEDULES = ((LENGTH, "trapezoid"), (4, "cosine"), (12, "cosine"))
N_SCHEDULED = 6  # configurations that are fitted under all schedules
# Epochs at which alphabets are told apart.
RUNGS = (1, 2, 3, 4, 6, 8, 10, 12, 16, 20, 24, 27, 32, 36)
N_CONFIGURATIONS = 60
N_FIRST = 20  # configurations that are fitted before other schedules and seeds
N_REPEATED = 4  # configurations that are fitted with further seeds
CHANGED_SHARE = 0.25  # share of the parameters in which a neighbour differs from a start
SEED = 2015
# Where configurations come from, by turns: neighbours of the default of the space "standard", or
# random points of a space.
KINDS = (*["neighbour"] * 3, "standard", "recipe", *["neighbour"] * 3, "standard", "paper")


@dataclass(frozen=True)
class Plan:
    """One fit of the table.

    Args:
        kind: where the point comes from.
        number: number of the configuration.
        space: space of the point.
        point: values of all searched parameters of the space.
        seed: seed of the fit.
        epochs: length of the fit.
        schedule: schedule of the learning rate.
    """

    kind: str
    number: int
    space: str
    point: Point
    seed: int
    epochs: int
    schedule: str

    @property
    def key(self) -> tuple[int, int, int, str]:
        """What identifies the fit."""
        return self.number, self.seed, self.epochs, self.schedule


def configurations(n: int, image_size: int) -> Iterator[tuple[str, str, Point]]:
    """Yield kind, space and point of starts, neighbours of the default, and random points.

    Args:
        n: number of configurations; the first ones do not depend on it.
        image_size: height and width of the images in pixels.
    """
    standard = built_in_space("standard")
    default = standard.starting_points(image_size)[0]
    yield "start", "standard", default
    yield "start", "standard", default | {"width": 1.0}
    for number in range(2, n):
        rng = np.random.default_rng([SEED, number])
        kind = KINDS[number % len(KINDS)]
        name = "standard" if kind == "neighbour" else kind
        distributions = search_space(built_in_space(name), image_size)
        point = {p: sample_uniform(distribution, rng) for p, distribution in distributions.items()}
        if kind == "neighbour":
            point = {
                p: sample_near(distribution, default[p], standard.spreads[p], rng)
                if rng.random() < CHANGED_SHARE
                else default[p]
                for p, distribution in distributions.items()
            }
        yield kind, name, point


def plans(n: int, n_seeds: int, image_size: int) -> Iterator[Plan]:
    """Yield all fits in an order in which a part of them is useful."""
    points = list(configurations(n, image_size))

    def plan(number: int, seed: int, epochs: int, schedule: str) -> Plan:
        kind, space, point = points[number]
        return Plan(kind, number, space, point, seed, epochs, schedule)

    first = min(n, N_FIRST)
    yield from (plan(number, 0, *FIT) for number in range(first))
    for number in range(min(n, N_SCHEDULED)):
        yield from (plan(number, 0, *schedule) for schedule in SCHEDULES)
    for seed in range(1, n_seeds):
        yield from (plan(number, seed, *FIT) for number in range(min(n, N_REPEATED)))
    yield from (plan(number, 0, *FIT) for number in range(first, n))


def config_of(plan: Plan, settings: StudySettings) -> Config:
    """Return the configuration of a fit: its schedule is that of the plan, not of the point."""
    base = base_config(replace(settings, max_epochs=plan.epochs))
    config = build_config(base, built_in_space(plan.space).resolve(plan.point))
    return replace(config, fit=replace(config.fit, schedule=plan.schedule, patience=10**6))


def alphabet_accuracies(state: FitState, validation: Validation) -> dict[str, float]:
    """Return the accuracy of the averaged weights by alphabet."""
    drawings, episodes = validation.drawings, validation.episodes
    logits_RQS = episode_logits(state.evaluated_net.eval(), drawings, episodes).cpu()
    correct_R = correctness(logits_RQS, episodes.target_RQ).mean(1)
    alphabet_R = drawings.alphabet_N.cpu()[episodes.query_RQ[:, 0]]
    names = drawings.alphabets
    return {
        name: round(float(correct_R[alphabet_R == i].mean()), 5) for i, name in enumerate(names)
    }


def run_fit(
    plan: Plan, settings: StudySettings, parts: Split, compute: ComputeConfig
) -> dict[str, Any]:
    """Return the curve of one fit."""
    config = config_of(plan, settings)
    state = FitState(config, plan.seed, compute)
    validation = Validation(parts.val.to(compute.device), dense_validation(parts.val))
    curve = []
    for result in fit(state, parts.train, validation):
        row: dict[str, Any] = {
            "epoch": result.epoch,
            "loss": result.loss,
            "accuracy": round(result.accuracy, 5),
        }
        if result.epoch in RUNGS or result.stopped:
            row["alphabets"] = alphabet_accuracies(state, validation)
        curve.append(row)
    last = state.history[-1]
    return {
        **{name: getattr(plan, name) for name in ("kind", "number", "seed", "epochs", "schedule")},
        "steps_per_epoch": config.fit.steps_per_epoch,
        "n_images": last.n_images,
        "seconds": round(sum(result.seconds for result in state.history), 1),
        "stopped": last.stopped,
        "curve": curve,
    }


def store(path: Path, content: dict[str, Any]) -> None:
    """Write the table."""
    text = json.dumps(content) + "\n"
    write_atomically(path, lambda temporary: temporary.write_text(text.replace("NaN", "null")))


def key_of(entry: dict[str, Any]) -> tuple[int, int, int, str]:
    """Return what identifies a stored fit, as :attr:`Plan.key` does."""
    return entry["number"], entry["seed"], entry["epochs"], entry["schedule"]


def merged(fits: list[dict[str, Any]], others: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """Return the fits of two tables, each once, by number of the configuration."""
    every = {key_of(entry): entry for entry in [*fits, *others]}
    return sorted(every.values(), key=key_of)


def rank_correlations(fits: list[dict[str, Any]]) -> pd.DataFrame:
    """Return Spearman's correlation of each rung and schedule with the end of the cosine fit."""
    rows: dict[str, dict[int, float]] = {}
    for entry in fits:
        if entry["seed"] == 0:
            accuracies = {row["epoch"]: row["accuracy"] for row in entry["curve"]}
            for rung in RUNGS:
                if rung <= entry["epochs"]:
                    value = accuracies.get(rung, entry["curve"][-1]["accuracy"])
                    name = f"{entry['schedule']} of {entry['epochs']}, epoch {rung}"
                    rows.setdefault(name, {})[entry["number"]] = value
    frame = pd.DataFrame(rows)
    target = frame.get(f"cosine of {LENGTH}, epoch {LENGTH}")
    if target is None or len(frame) < 3:
        return pd.DataFrame()
    correlation = frame.corrwith(target, method="spearman")
    n = frame.notna().mul(target.notna(), axis=0).sum()
    return pd.DataFrame({"rung": correlation.index, "correlation": correlation.round(3), "n": n})


def main() -> None:
    """Make the fits that are missing, and print the rank correlations."""
    flags = parser(__doc__ or "")
    flags.add_argument("--n-configurations", type=int, default=N_CONFIGURATIONS)
    flags.add_argument("--n-seeds", type=int, default=3, help="of the first configurations")
    flags.add_argument(
        "--part", type=int, nargs=2, default=(0, 1), metavar=("K", "N"), help="every Nth fit from K"
    )
    flags.add_argument("--merge", type=Path, nargs="+", default=(), help="tables to add")
    flags.add_argument("--step-cost", type=parse_step_cost, default="reference")
    args = flags.parse_args()
    path, compute = args.json or RESULTS, compute_from(args)
    settings = StudySettings(step_cost=args.step_cost)
    if args.quick:
        settings = replace(settings, steps_per_epoch=1)
    parts = split_dataset(load_dataset("omniglot", args.data_root, settings.image_size))
    parts = replace(parts, train=parts.train.to(compute.device))
    content = json.loads(path.read_text()) if path.exists() else {"fits": []}
    content |= {"provenance": provenance(compute), "step_cost": str(settings.cost)}
    points = configurations(args.n_configurations, settings.image_size)
    content["configurations"] = [{"kind": k, "space": s, "point": point} for k, s, point in points]
    for table in args.merge:
        content["fits"] = merged(content["fits"], json.loads(table.read_text())["fits"])
    done = {key_of(entry) for entry in content["fits"]}
    part, n_parts = args.part
    for i, plan in enumerate(plans(args.n_configurations, args.n_seeds, settings.image_size)):
        if i % n_parts != part:
            continue
        if plan.key in done or (args.quick and plan.epochs == LENGTH):
            continue
        entry = run_fit(plan, settings, parts, compute)
        content["fits"].append(entry)
        store(path, content)
        accuracy = max(row["accuracy"] for row in entry["curve"])
        print(f"{plan.key} {plan.kind:9} {accuracy:.1%} in {entry['seconds']:.0f} s", flush=True)
    print(rank_correlations(content["fits"]).to_string(index=False))


if __name__ == "__main__":
    run_command(main, "Finished fits are stored; run the same command again.")
