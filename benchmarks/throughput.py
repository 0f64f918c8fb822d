"""Measure images per second in training and embedding, from the plain loop to this project's code.

Each row adds one ingredient and runs in its own process, because settings of memory are per
process. The rows take turns, so that all see the same noise.
"""

import argparse
import itertools
import statistics
from concurrent.futures import ProcessPoolExecutor
from functools import partial
from multiprocessing import get_context

import pandas as pd
import torch
from harness import ceiling, compute_from, finish, interleaved, parser
from rows import ON_PAIRS, OURS, PLAIN, ROWS, Job, prepare, run
from step import time_stages

from data.load import load_dataset
from data.splits import split_dataset
from hpo.cli.entry_point import run_command
from model.config import Config
from model.device import ComputeConfig
from model.evaluate import one_shot_accuracy
from model.fit_state import FitState

NETWORKS = {"paper's filters": (64, 128, 128, 256), "half of them": (32, 64, 64, 128)}


def measure(jobs: list[Job], rounds: int) -> pd.DataFrame:
    """Return a row per job: medians over the rounds, and the speed-up over the first row."""
    pools = [ProcessPoolExecutor(1, mp_context=get_context("forkserver")) for _ in jobs]
    for pool, job in zip(pools, jobs, strict=True):
        pool.submit(prepare, job).result()
    found = [
        {"row": job.row} | pool.submit(run).result()
        for _ in range(rounds)
        for pool, job in zip(pools, jobs, strict=True)
    ]
    for pool in pools:
        pool.shutdown()
    by_row = pd.DataFrame(found).groupby("row", sort=False)
    middle = by_row.median()
    table = pd.DataFrame({"row": middle.index})
    for kind in ("training", "embedding"):
        rate = middle[kind].to_numpy()
        table[f"{kind}, images/s"] = rate.round(1)
        table[f"{kind}, ×"] = (rate / rate[0]).round(2)
    table["training, pairs/s"] = middle["pairs"].round().astype(int).to_numpy()
    low, high = by_row["training"].min(), by_row["training"].max()
    table["training, from–to"] = [f"{a:.0f}–{b:.0f}" for a, b in zip(low, high, strict=True)]
    return table.assign(**{"peak GiB": by_row["GiB"].max().round(2).to_numpy()})


def official(
    configs: list[Config], args: argparse.Namespace, compute: ComputeConfig
) -> pd.DataFrame:
    """Return the seconds of the official evaluation; network and drawings are on the device."""
    lines = []
    for config in configs:
        parts = split_dataset(load_dataset("omniglot", args.data_root, config.model.image_size)).to(
            compute.device
        )
        net = FitState(config, 0, compute).evaluated_net
        ask = partial(one_shot_accuracy, net, parts.test, parts.official)
        times = interleaved({"ask": ask}, 3, compute.device)["ask"]
        line = {"pixels": config.model.image_size, "filters": str(config.conv.filters)}
        lines.append(line | {"seconds": round(statistics.median(times), 3)})
    return pd.DataFrame(lines)


def main() -> None:
    """Measure the rows, then where ours spends its time."""
    flags = parser(__doc__)
    flags.set_defaults(precision="bfloat16")
    flags.add_argument("--pixels", type=int, nargs="+", help="default: 35 105; quick: 35")
    args = flags.parse_args()
    compute = compute_from(args)
    sizes = args.pixels or ([35] if args.quick else [35, 105])
    networks = list(NETWORKS)[: 1 if args.quick else None]
    rows = [row for row in ROWS if not args.quick or row in (PLAIN, ON_PAIRS, OURS)]
    tables, configs = {}, []
    for size, network in itertools.product(sizes, networks):
        title = f"{size} pixels, {network}"
        device = compute.device.type
        jobs = [Job(row, size, NETWORKS[network], args.data_root, device) for row in rows]
        tables[title] = measure(jobs, rounds=2 if args.quick else 3)
        train = split_dataset(load_dataset("omniglot", args.data_root, size)).train.to(
            compute.device
        )
        for row, step in ((OURS, "a step"), (ON_PAIRS, "a step on pairs")):
            config = Job(row, size, NETWORKS[network], args.data_root, device).config()
            tables[f"{title}: where {step} goes"] = time_stages(config, train, compute)
        configs.append(config)
    tables["The official 400 episodes"] = official(configs, args, compute)
    best = {
        name: round(ceiling(dtype, compute.device) / 1e12, 2)
        for name, dtype in (("float32", torch.float32), ("bfloat16", torch.bfloat16))
    }
    print(f"matrix product, TFLOP/s: {best}")
    finish(args, compute, tables, ceiling_tflops=best)


if __name__ == "__main__":
    run_command(main, "Run the same command again to start over.")
