"""What the benchmarks share: flags, interleaved timing, the machine's ceiling, results."""

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

MATRICES = (1024, 2048, 4096)  # rows and columns of the products that measure the ceiling


def parser(doc: str) -> argparse.ArgumentParser:
    """Return the flags that every benchmark has."""
    made = argparse.ArgumentParser(description=doc.splitlines()[0])
    made.add_argument("--quick", action="store_true", help="a smaller run, under a minute")
    made.add_argument("--json", type=Path, metavar="FILE", help="write the results there")
    add_data_and_device(made)
    made.set_defaults(compile=False)
    return made


def machine_of(args: argparse.Namespace) -> ComputeConfig:
    """Return the machine that the flags name."""
    return choose_compute(args.device, args.precision, args.compile)


def seconds(work: Callable[[], object], device: torch.device) -> float:
    """Return the wall time of some work, all of it done."""
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
    """Return seconds per row: one round after another, so that noise strikes all rows alike."""
    for work in rows.values():
        work()  # caches, kernels and memory are set up outside the measurement
    times: dict[str, list[float]] = {name: [] for name in rows}
    for _ in range(rounds):
        for name, work in rows.items():
            times[name].append(seconds(work, device))
    return times


def ceiling(dtype: torch.dtype, device: torch.device, rounds: int = 7) -> float:
    """Return the FLOP/s of the square matrix product that this machine does best."""

    def flops_per_second(n: int) -> float:
        a, b = (torch.randn(n, n, device=device).to(dtype) for _ in range(2))
        times = interleaved({"product": lambda: a @ b}, rounds, device)["product"]
        return 2 * n**3 / statistics.median(times)

    return max(flops_per_second(n if device.type == "cpu" else 4 * n) for n in MATRICES)


def finish(
    args: argparse.Namespace, compute: ComputeConfig, tables: dict[str, pd.DataFrame], **more: Any
) -> None:
    """Print the tables and where they were measured; write them if a file is named."""
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
