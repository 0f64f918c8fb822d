"""Shared code of the benchmarks: flags, interleaved timing, peak FLOP/s, and result files."""

import argparse
import json
import statistics
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pandas as pd
import torch

from hpo.cli.flags import add_data_and_device
from model.device import ComputeConfig, choose_compute
from model.provenance import provenance

MATRICES = (1024, 2048, 4096)  # rows and columns of the matrix products that measure the peak


def parser(doc: str) -> argparse.ArgumentParser:
    """Return a parser with the flags that all benchmarks share."""
    parser = argparse.ArgumentParser(description=doc.splitlines()[0])
    parser.add_argument(
        "--quick", action="store_true", help="run a smaller benchmark in less than a minute"
    )
    parser.add_argument("--json", type=Path, metavar="FILE", help="write the results to FILE")
    add_data_and_device(parser)
    parser.set_defaults(compile=False)
    return parser


def add_no_test(parser: argparse.ArgumentParser) -> None:
    """Add the flag that evaluates networks on validation only."""
    parser.add_argument(
        "--no-test", dest="test", action="store_false", help="do not use the official test"
    )


def compute_from(args: argparse.Namespace) -> ComputeConfig:
    """Return the device and precision that the flags select."""
    return choose_compute(args.device, args.precision, args.compile)


def seconds(work: Callable[[], object], device: torch.device) -> float:
    """Return the wall time of a call in seconds, including queued work of a GPU."""
    if device.type == "cuda":
        torch.cuda.synchronize(device)
    started = time.perf_counter()
    work()
    if device.type == "cuda":
        torch.cuda.synchronize(device)
    return time.perf_counter() - started


def interleaved(
    rows: dict[str, Callable[[], object]], rounds: int, device: torch.device
) -> dict[str, list[float]]:
    """Return the seconds of each round by row; the rows take turns and see the same noise."""
    for work in rows.values():
        work()  # warm-up: caches, kernels and memory
    times: dict[str, list[float]] = {name: [] for name in rows}
    for _ in range(rounds):
        for name, work in rows.items():
            times[name].append(seconds(work, device))
    return times


def ceiling(dtype: torch.dtype, device: torch.device, rounds: int = 7) -> float:
    """Return the highest FLOP/s of a square matrix product on this machine."""

    def flops_per_second(n: int) -> float:
        a, b = (torch.randn(n, n, device=device).to(dtype) for _ in range(2))
        times = interleaved({"product": lambda: a @ b}, rounds, device)["product"]
        return 2 * n**3 / statistics.median(times)

    return max(flops_per_second(n if device.type == "cpu" else 4 * n) for n in MATRICES)


def finish(
    args: argparse.Namespace, compute: ComputeConfig, tables: dict[str, pd.DataFrame], **more: Any
) -> None:
    """Print the tables and the machine; write them to the file of ``--json``, if given."""
    about = provenance(compute)
    for title, table in tables.items():
        print(f"\n{title}\n{table.to_string(index=False)}")
    print(f"\n{about['cpu']}, {about['n_threads']} threads, {about['device']}, ", end="")
    print(f"{compute.precision}, torch {about['versions']['torch']}, commit {about['commit']}")
    if args.json:
        content = {title: table.to_dict("records") for title, table in tables.items()}
        whole = content | more | {"provenance": about}
        args.json.write_text(json.dumps(whole, indent=1) + "\n")
        print(f"wrote {args.json}")
