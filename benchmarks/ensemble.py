"""Ensembles of the fits of a retraining: ``uv run benchmarks/ensemble.py RETRAIN_FOLDER``.

Averages the logits of the networks for every subset of the seeds. Evaluates each subset on the
validation episodes and once on the official episodes, which is logged. *Joint answers* are another
protocol: the 20 queries of an official run are matched with its 20 characters, each used once, by
the assignment with the highest sum of logits.

Tensor suffixes: R blocks, Q queries, S support drawings.
"""

import itertools
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import torch
from harness import add_no_test, compute_from, finish, parser
from scipy.optimize import linear_sum_assignment
from torch import Tensor

from data.episodes import Episodes, dense_validation
from data.errors import InputError
from data.load import load_dataset
from data.splits import split_dataset
from hpo.cli.entry_point import run_command
from hpo.refit.result import RESULT_FILE, RetrainResult
from hpo.refit.retrain import log_test_evaluation
from model.checkpoint import load_network
from model.evaluate import correctness, episode_logits
from model.summary import format_mean, mean_and_sd

JOINT = "official, joint answers"


def mean_logits_accuracy(logits: list[Tensor], episodes: Episodes) -> float:
    """Return the accuracy of the mean logits of several networks, in [0, 1].

    Args:
        logits: logits of each network, float32 R×Q×S: blocks, queries, support drawings.
        episodes: the episodes of the logits.
    """
    return correctness(torch.stack(logits).mean(0), episodes.target_RQ).mean().item()


def joint_accuracy(logits: list[Tensor], episodes: Episodes) -> float:
    """Return the accuracy of joint answers, in [0, 1]; see :func:`mean_logits_accuracy`."""
    mean_RQS = torch.stack(logits).mean(0).double().numpy()
    answer_RQ = [linear_sum_assignment(mean_QS, maximize=True)[1] for mean_QS in mean_RQS]
    return (torch.tensor(np.array(answer_RQ)) == episodes.target_RQ.cpu()).double().mean().item()


def main() -> None:
    """Evaluate every network once, then every subset of them."""
    flags = parser(__doc__)
    flags.add_argument("folder", type=Path, help="folder of a retraining")
    add_no_test(flags)
    args = flags.parse_args()
    compute = compute_from(args)
    result = read_result(args.folder)
    fits = {seed.seed: seed.fit.seconds for seed in result.seeds if seed.fit}
    paths = [args.folder / f"seed-{seed}.pt" for seed in fits]
    found: dict[str, list[Tensor]] = {"validation": [], "official": []}
    for path in paths:
        net, config, _ = load_network(path)
        net.precision = compute.precision
        parts = split_dataset(
            load_dataset(result.data, args.data_root, config.model.image_size)
        ).to(compute.device)
        asked = {"validation": (parts.val, dense_validation(parts.val))}
        if args.test:
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
            shares = [
                mean_logits_accuracy([found[name][i] for i in subset], episodes)
                for subset in subsets
            ]
            row[name] = format_mean(mean_and_sd(shares))
            each.append({"fits together": n, "episodes": name, "accuracies": shares})
        if args.test:
            shares = [
                joint_accuracy([found["official"][i] for i in subset], parts.official)
                for subset in subsets
            ]
            row[JOINT] = format_mean(mean_and_sd(shares))
            each.append({"fits together": n, "episodes": JOINT, "accuracies": shares})
        row["minutes of fitting"] = f"{n * sum(fits.values()) / len(fits) / 60:.0f}"
        rows.append(row)
    looks = [
        share for line in each if line["episodes"] == "official" for share in line["accuracies"]
    ]
    if looks:
        log_test_evaluation("benchmarks/ensemble.py", looks)
    table = {"Fits that answer together": pd.DataFrame(rows)}
    finish(args, compute, table, seeds=list(fits), each=each)


def read_result(folder: Path) -> RetrainResult:
    """Return the result of a retraining.

    Raises:
        InputError: there is no valid result, it has only one fit, or the fits were also trained
            on the validation alphabets.
    """
    result = RetrainResult.read(folder / RESULT_FILE)
    train_on = result.origin.train_on if result.origin else "unknown data"
    if len(result.seeds) < 2 or train_on != "train":
        raise InputError(
            f"{folder} must hold at least two fits on train, but holds {len(result.seeds)} on "
            f"{train_on}. Choose another folder."
        )
    return result


if __name__ == "__main__":
    run_command(main, "Run the same command again to start over.")
