"""Learning curves of many configurations, under several schedules and lengths.

The table shows which schedule of a short fit predicts a long fit, how similarly two lengths rank
configurations, and how large the noise between seeds is. Finished fits are stored; run the same
command again to resume. Accuracies are recorded by alphabet, so that some alphabets can be held
out from all choices. The test alphabets are not used.
"""

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

from curves_plan import LENGTH, N_CONFIGURATIONS, RUNGS, Plan, configurations, plans
from curves_summary import lengths, noise, rank_correlations, schedules
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
from hpo.space.files import built_in_space
from model.config import Config
from model.device import ComputeConfig
from model.evaluate import correctness, episode_logits
from model.fit_state import FitState
from model.provenance import provenance
from model.train import Validation, fit

RESULTS = Path(__file__).parent / "results" / "curves.json"


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
        "cpu": provenance(compute)["cpu"],
        "precision": compute.precision,
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


def main() -> None:
    """Make the fits that are missing, and print what the table says."""
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
        if plan.key in done or (args.quick and plan.epochs >= LENGTH):
            continue
        entry = run_fit(plan, settings, parts, compute)
        content["fits"].append(entry)
        store(path, content)
        accuracy = max(row["accuracy"] for row in entry["curve"])
        print(f"{plan.key} {plan.kind:9} {accuracy:.1%} in {entry['seconds']:.0f} s", flush=True)
    for table in (rank_correlations, schedules, lengths, noise):
        print(f"\n{table.__name__.replace('_', ' ').capitalize()}")
        print(table(content["fits"]).to_string(index=False))


if __name__ == "__main__":
    run_command(main, "Finished fits are stored; run the same command again.")
