"""Several fits that answer together: ``uv run benchmarks/ensemble.py RETRAIN_FOLDER``.

The logits of a retraining's networks are averaged, for every subset of its seeds. The validation
episodes say what that is worth; the official ones are asked once and logged.
"""

import itertools
import json
from pathlib import Path

import pandas as pd
import torch
from harness import finish, machine_of, parser
from torch import Tensor

from data.episodes import Episodes, dense_validation
from data.errors import InputError
from data.load import load
from data.splits import split
from hpo.official_log import log_official
from hpo.result import mean_and_sd, percent
from model.checkpoint import load_network
from model.evaluate import credit, episode_logits


def right(logits: list[Tensor], episodes: Episodes) -> float:
    """Return the share of episodes that the networks' mean logits answer rightly."""
    return credit(torch.stack(logits).mean(0), episodes.target_RQ).mean().item()


def main() -> None:
    """Ask every network once, then count every subset's answers."""
    flags = parser(__doc__)
    flags.add_argument("folder", type=Path, help="of a retraining")
    args = flags.parse_args()
    machine = machine_of(args)
    paths = sorted(args.folder.glob("seed-*.pt"))
    if len(paths) < 2:
        raise InputError(f"{args.folder} holds {len(paths)} networks. Name one with two or more.")
    fits = {seed["seed"]: seed["seconds"] for seed in result_of(args.folder)["seeds"]}
    found: dict[str, list[Tensor]] = {"validation": [], "official": []}
    for path in paths:
        net, config, _ = load_network(path)
        net.precision = machine.precision
        parts = split(load("omniglot", args.data_root, config.model.image_size)).to(machine.device)
        asked = {"validation": (parts.val, dense_validation(parts.val))}
        asked["official"] = (parts.test, parts.official)
        net = net.to(machine.device)
        for name, (drawings, episodes) in asked.items():
            found[name].append(episode_logits(net, drawings, episodes).cpu())
    rows, each = [], []
    for n in range(1, len(paths) + 1):
        subsets = list(itertools.combinations(range(len(paths)), n))
        row: dict[str, object] = {"fits together": n, "subsets": len(subsets)}
        for name, (_, episodes) in asked.items():
            shares = [right([found[name][i] for i in subset], episodes) for subset in subsets]
            row[name] = percent(mean_and_sd(shares))
            each.append({"fits together": n, "episodes": name, "accuracies": shares})
        row["minutes of fitting"] = f"{n * sum(fits.values()) / len(fits) / 60:.0f}"
        rows.append(row)
    log_official("benchmarks/ensemble.py", each[-1]["accuracies"])  # type: ignore[arg-type]
    table = {"Fits that answer together": pd.DataFrame(rows)}
    finish(args, machine, table, seeds=list(fits), each=each)


def result_of(folder: Path) -> dict[str, list[dict[str, float]]]:
    """Return the content of a retraining's result.json.

    Raises:
        InputError: there is none.
    """
    if not (folder / "result.json").is_file():
        raise InputError(f"{folder} holds no result.json. Name a folder of retrain_best.py.")
    return dict(json.loads((folder / "result.json").read_text()))


if __name__ == "__main__":
    main()
