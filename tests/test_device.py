"""Devices, precision, freed memory, compiled fits, and what a GPU must not wait for."""

import ctypes
import os
import platform
import shutil
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import pytest
import torch
from tiny import config
from torch._subclasses.fake_tensor import FakeTensorMode

from data.affine import sample_distortions
from data.episodes import dense_validation
from data.errors import InputError
from data.splits import Split
from model import device
from model.device import ComputeConfig, choose_compute, keep_freed_memory
from model.fit_state import FitState
from model.losses import LOSSES, sample_episode, training_drawings
from model.train import Validation, fit, train_epoch, train_step

CPU = ComputeConfig(torch.device("cpu"))
on_cuda = pytest.mark.skipif(
    not torch.cuda.is_available(), reason="CUDA IS UNTESTED HERE: no CUDA device"
)
PAGE_FAULTS = """
import resource, sys, torch
from model.device import keep_freed_memory
if sys.argv[1] == "keep": keep_freed_memory()
def step(): torch.ones(2**24)
for _ in range(10): step()  # glibc keeps seven small remainders before it joins them again
before = resource.getrusage(resource.RUSAGE_SELF).ru_minflt
for _ in range(5): step()
print(resource.getrusage(resource.RUSAGE_SELF).ru_minflt - before)
"""


def test_an_unknown_device_is_refused() -> None:
    with pytest.raises(InputError, match=r"--device.*'gpu7'"):
        choose_compute("gpu7")


def test_the_cpu_is_not_refused() -> None:
    assert choose_compute("cpu", "float32") == CPU


@pytest.mark.parametrize(("is_fast", "precision"), [(True, "bfloat16"), (False, "float32")])
def test_auto_precision_is_bfloat16_if_it_is_fast(
    is_fast: bool, precision: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(device, "is_bfloat16_fast", lambda _: is_fast)
    assert choose_compute("cpu").precision == precision


def test_compiling_without_a_compiler_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(shutil, "which", lambda _: None)
    monkeypatch.setenv("CXX", "my-compiler -O2")
    with pytest.raises(InputError, match=r"--compile .* my-compiler is missing"):
        choose_compute("cpu", compile=True)


class FakeLibc:
    """Refuses the largest threshold, as old versions of glibc do."""

    def __init__(self) -> None:
        self.calls: list[tuple[int, int]] = []

    def mallopt(self, parameter: int, value: int) -> int:
        self.calls.append((parameter, value))
        return int(value < 2**31 - 1)


@pytest.mark.parametrize(
    ("libc_name", "calls"),
    [("glibc", [(-3, 2**31 - 1), (-3, 2**25), (-1, -1)]), ("musl", [])],
)
def test_only_glibc_is_told_to_keep_freed_memory(
    libc_name: str, calls: list[tuple[int, int]], monkeypatch: pytest.MonkeyPatch
) -> None:
    libc = FakeLibc()
    monkeypatch.setattr(platform, "libc_ver", lambda: (libc_name, "2"))
    monkeypatch.setattr(ctypes, "CDLL", lambda _: libc)
    keep_freed_memory()
    assert libc.calls == calls


@pytest.mark.slow
@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="glibc's malloc")
def test_a_step_reuses_the_memory_of_the_step_before() -> None:
    root = Path(__file__).parents[1]
    n_faults = {}
    for mode in ("keep", "return"):
        completed = subprocess.run(
            [sys.executable, "-c", PAGE_FAULTS, mode],
            capture_output=True,
            text=True,
            check=True,
            env=os.environ | {"PYTHONPATH": str(root)},
        )
        n_faults[mode] = int(completed.stdout)
    assert n_faults["keep"] < n_faults["return"] / 10


@pytest.mark.parametrize("recipe", ["episode", "paper"])
def test_a_forward_pass_reads_no_value_of_a_tensor(recipe: str, parts: Split) -> None:
    """Fake tensors have shapes but no values: a forward pass that reads a value raises."""
    made = config(recipe, steps_per_epoch=1, n_pairs=32).fit
    state = FitState(config(recipe), 0, CPU)
    drawings = training_drawings(parts.train, made)
    assert drawings.first_A.sum() >= 0  # counted once per data set, with real values
    sample_distortions(1, generator=state.generator)  # caches its constants with real values
    with FakeTensorMode(allow_non_fake_inputs=True):
        losses = list(LOSSES[recipe](state.net, drawings, made, generator=state.generator))
    assert [loss.shape for loss in losses] == [()]


@pytest.mark.slow
@pytest.mark.skipif(not shutil.which("g++"), reason="torch.compile needs a C++ compiler")
@pytest.mark.filterwarnings("ignore")  # torch warns while it compiles
def test_a_compiled_fit_equals_the_fit(parts: Split) -> None:
    results = {}
    validation = Validation(parts.val, dense_validation(parts.val))
    torch._dynamo.utils.counters.clear()
    for compile in (False, True):
        # Without an average, the compiled network is validated.
        state = FitState(config(ema=0.0), 0, replace(CPU, compile=compile))
        results[compile] = next(fit(state, parts.train, validation))
    assert torch._dynamo.utils.counters["stats"]["unique_graphs"] > 0
    assert results[True].loss == pytest.approx(results[False].loss, rel=1e-4)
    assert results[True].accuracy == pytest.approx(results[False].accuracy, abs=0.01)


def test_only_training_is_compiled(parts: Split, monkeypatch: pytest.MonkeyPatch) -> None:
    modes = []

    def compile(function: object, mode: str) -> object:
        modes.append(mode)
        return lambda *_: torch.tensor(-1.0)

    monkeypatch.setattr(torch, "compile", compile)
    net = FitState(config(), 0, replace(CPU, compile=True)).net
    x = torch.zeros(1, 1, 35, 35)
    assert net.embed(x).item() == -1.0
    with torch.no_grad():
        assert net.embed(x).shape == (1, 64)
    assert modes == ["default", "default"]


@on_cuda
@pytest.mark.parametrize("recipe", ["episode", "paper"])
@pytest.mark.parametrize("compile", [False, True])
def test_an_epoch_on_a_gpu_waits_only_for_its_loss(
    recipe: str, compile: bool, parts: Split
) -> None:
    compute = replace(choose_compute("cuda"), compile=compile)
    state = FitState(config(recipe), 0, compute)
    drawings = training_drawings(parts.train, state.config.fit).to(compute.device)
    train_epoch(state, drawings)  # counts, constants and kernels are computed once
    torch.cuda.set_sync_debug_mode("error")
    try:
        made = state.config.fit
        for loss in LOSSES[recipe](state.net, drawings, made, generator=state.generator):
            train_step(state, loss)
    finally:
        torch.cuda.set_sync_debug_mode("default")


@on_cuda
def test_a_step_on_a_gpu_equals_the_step_on_the_cpu(parts: Split) -> None:
    results = []
    for name in ("cpu", "cuda"):
        compute = choose_compute(name, "float32")
        state = FitState(config(), 0, compute)
        x = sample_episode(parts.train, config().fit, generator=torch.Generator().manual_seed(0))
        h1, h2 = state.net.embed(x.to(compute.device)).unsqueeze(0).chunk(2, dim=1)
        logits = state.net.compare(h1, h2)
        logits.sum().backward()
        weight = state.net.conv1.weight
        assert weight.grad is not None
        results.append((logits.detach().cpu(), weight.grad.cpu()))
    torch.testing.assert_close(results[1], results[0], rtol=1e-3, atol=1e-3)


@on_cuda
def test_a_compiled_fit_on_a_gpu_is_validated(parts: Split) -> None:
    compute = replace(choose_compute("cuda"), compile=True)
    validation = Validation(parts.val.to(compute.device), dense_validation(parts.val))
    state = FitState(config(ema=0.0, max_epochs=2), 0, compute)
    assert list(fit(state, parts.train, validation))[-1].accuracy > 0
