"""The provenance of a result: commit, versions, hardware and command."""

import os
import platform
import subprocess
import sys
from datetime import UTC, datetime
from importlib.metadata import version
from pathlib import Path
from typing import Any

import torch

from data.paths import PROJECT
from data.text import hide_password
from model.device import ComputeConfig
from model.torch_internals import cpu_has_amx_bfloat16

PACKAGES = ("siamese-hpo", "torch", "torchvision", "optuna", "numpy", "pandas")
CPU_INFO = Path("/proc/cpuinfo")  # on Linux only


def provenance(compute: ComputeConfig) -> dict[str, Any]:
    """Return when, where and with which code a result is computed, as JSON values.

    Args:
        compute: device and precision.
    """
    device = compute.device
    status = _git("status", "--porcelain")
    return {
        "commit": _git("rev-parse", "HEAD"),
        "dirty": None if status is None else bool(status),
        "versions": {"python": platform.python_version()} | {p: version(p) for p in PACKAGES},
        "device": torch.cuda.get_device_name(device) if device.type == "cuda" else "cpu",
        "compile": compute.compile,
        "cpu": _cpu_name(),
        "amx": cpu_has_amx_bfloat16(),
        "n_cores": os.cpu_count(),
        "n_threads": torch.get_num_threads(),
        "precision": compute.precision,
        "finished": datetime.now(UTC).isoformat(timespec="seconds"),
        "command": [Path(sys.argv[0]).name, *map(hide_password, sys.argv[1:])],
    }


def _git(*arguments: str) -> str | None:
    """Return the output of git in the project's folder; None without git or its repository.

    An installed package may lie in the repository of another project.
    """
    if not (PROJECT / ".git").exists():
        return None
    try:
        completed = subprocess.run(
            ["git", *arguments],
            cwd=PROJECT,
            capture_output=True,
            text=True,
            check=True,
            timeout=10,
        )
    except (OSError, subprocess.SubprocessError):
        return None
    return completed.stdout.strip()


def _cpu_name() -> str:
    """Return the name of the CPU; empty if the system does not report it."""
    try:
        lines = CPU_INFO.read_text().splitlines()
    except OSError:
        return platform.processor()
    return next((line.split(":", 1)[1].strip() for line in lines if "model name" in line), "")
