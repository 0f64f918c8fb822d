"""Several fits that answer together: ``uv run benchmarks/ensemble.py RETRAIN_FOLDER``.

The logits of a retraining's networks are averaged, for every subset of its seeds. The validation
episodes say what that is worth; the official ones are asked once and logged.
"""

import itertools
import json
from pathlib import Path
from typing import Any

import pandas as pd
import torch
from harness import finish, machine_of, parser
from torch import Tensor

from data.episodes import Episodes, dense_validation
from data.errors import InputError
from data.load import load_dataset
from data.splits import split_dataset
from hpo.cli.entry_point import run_command
from hpo.refit.result import format_mean, mean_and_sd
from hpo.refit.test_log import log_test_evaluation
from model.checkpoint import load_network
from model.evaluate import correctness, episode_logits


def right(logits: list[Tensor], episodes: Episodes) -> float:
    """Return the share of episodes that the networks' mean logits answer rightly."""
    return correctness(torch.stack(logits).mean(0), episodes.target_RQ).mean().item()


def main() -> None:
    """Ask every network once, then count every subset's answers."""
    flags = parser(__doc__)
    flags.add_argument("folder", type=Path, help="of a retraining")
    args = flags.parse_args()
    compute = machine_of(args)
    result = result_of(args.folder)
    fits = {seed["seed"]: seed["seconds"] for seed in result["seeds"]}
    paths = [args.folder / f"seed-{seed}.pt" for seed in fits]
    found: dict[str, list[Tensor]] = {"validation": [], "official": []}
    for path in paths:
        net, config, _ = load_network(path)
        net.precision = compute.precision
        parts = split_dataset(
            load_dataset(result["data"], args.data_root, config.model.image_size)
        ).to(compute.device)
        asked = {"validation": (parts.val, dense_validation(parts.val))}
        asked["official"] = (parts.test, parts.official)
        net = net.to(compute.device)
        for name, (drawings, episodes) in asked.items():
            found[name].append(episode_logits(net, drawings, episodes).cpu())
    rows: list[dict[str, object]] = []
    each: list[dict[str, Any]] = []
    for n in range(1, len(paths) + 1):
        subsets = list(itertools.combinations(range(len(paths)), n))
        row: dict[str, object] = {"fits together": n, "subsets": len(subsets)}
        for name, (_, episodes) in asked.items():
            shares = [right([found[name][i] for i in subset], episodes) for subset in subsets]
            row[name] = format_mean(mean_and_sd(shares))
            each.append({"fits together": n, "episodes": name, "accuracies": shares})
        row["minutes of fitting"] = f"{n * sum(fits.values()) / len(fits) / 60:.0f}"
        rows.append(row)
    looks = [
        share for line in each if line["episodes"] == "official" for share in line["accuracies"]
    ]
    log_test_evaluation("benchmarks/ensemble.py", looks)
    table = {"Fits that answer together": pd.DataFrame(rows)}
    finish(args, compute, table, seeds=list(fits), each=each)


def result_of(folder: Path) -> dict[str, Any]:
    """Return the content of a retraining's result.json.

    Raises:
        InputError: there is none, of one fit alone, or validation was trained on.
    """
    if not (folder / "result.json").is_file():
        raise InputError(f"{folder} holds no result.json. Name a folder of retrain_best.py.")
    result = dict(json.loads((folder / "result.json").read_text()))
    if len(result["seeds"]) < 2 or result["train_on"] != "train":
        raise InputError(
            f"{folder} must hold two fits or more on train alone, but holds "
            f"{len(result['seeds'])} on {result['train_on']}. Name another."
        )
    return result


if __name__ == "__main__":
    run_command(main, "Run the same command again.")
