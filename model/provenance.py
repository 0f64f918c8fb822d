"""What a result must carry to be believed: commit, versions, hardware, command."""

import os
import platform
import subprocess
import sys
from datetime import UTC, datetime
from importlib.metadata import version
from pathlib import Path
from typing import Any

import torch

from data.text import hide_password
from model.device import ComputeConfig

PACKAGES = ("siamese-hpo", "torch", "torchvision", "optuna", "numpy", "pandas")


def _git(*arguments: str) -> str | None:
    """Return what git says in the folder of the project, or None where there is no git."""
    try:
        done = subprocess.run(
            ["git", *arguments],
            cwd=Path(__file__).parent,
            capture_output=True,
            text=True,
            check=True,
            timeout=10,
        )
    except (OSError, subprocess.SubprocessError):
        return None
    return done.stdout.strip()


def _cpu() -> str:
    """Return the processor's name where the system tells it."""
    try:
        lines = Path("/proc/cpuinfo").read_text().splitlines()
    except OSError:
        return platform.processor()
    return next((line.split(":", 1)[1].strip() for line in lines if "model name" in line), "")


def provenance(compute: ComputeConfig) -> dict[str, Any]:
    """Return where, when and by which code something was computed, as JSON values."""
    device = compute.device
    status = _git("status", "--porcelain")
    return {
        "commit": _git("rev-parse", "HEAD"),
        "dirty": None if status is None else bool(status),
        "versions": {"python": platform.python_version()} | {p: version(p) for p in PACKAGES},
        "device": torch.cuda.get_device_name(device) if device.type == "cuda" else "cpu",
        "compile": compute.compile,
        "cpu": _cpu(),
        "amx": bool(torch.cpu.get_capabilities().get("amx_bf16")),
        "n_cores": os.cpu_count(),
        "n_threads": torch.get_num_threads(),
        "precision": compute.precision,
        "finished": datetime.now(UTC).isoformat(timespec="seconds"),
        "command": [Path(sys.argv[0]).name, *map(hide_password, sys.argv[1:])],
    }
