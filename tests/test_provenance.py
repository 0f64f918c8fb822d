"""The provenance of a result."""

import subprocess
import sys
from importlib.metadata import version
from pathlib import Path

import pytest
import torch

from model import provenance as module
from model.device import ComputeConfig
from model.provenance import provenance

COMPUTE = ComputeConfig(torch.device("cpu"), "bfloat16")


def test_a_result_names_its_commit_machine_and_command(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(
        sys, "argv", ["folder/run.py", "--storage", "postgresql://me:secret@host/d"]
    )
    values = provenance(COMPUTE)
    assert values["command"] == ["run.py", "--storage", "postgresql://me:***@host/d"]
    assert values["versions"]["torch"] == version("torch")
    assert (values["device"], values["precision"]) == ("cpu", "bfloat16")
    assert values["n_cores"] >= 1


def test_without_git_and_cpuinfo_a_result_has_no_commit(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    def run(*_: object, **__: object) -> None:
        raise FileNotFoundError("git")

    monkeypatch.setattr(subprocess, "run", run)
    monkeypatch.setattr(module, "CPU_INFO", tmp_path / "missing")
    values = provenance(COMPUTE)
    assert (values["commit"], values["dirty"]) == (None, None)
    assert isinstance(values["cpu"], str)
