import os
import shutil
import subprocess
import sys
from dataclasses import replace

import pytest
import torch
from torch._subclasses.fake_tensor import FakeTensorMode

from data.episodes import dense_validation
from data.errors import InputError
from data.splits import Split
from hpo.settings import StudySettings, base_config
from model.config import Config, ModelConfig
from model.device import Machine, choose_machine, keep_freed_memory
from model.recipes import LOSSES, training_drawings
from model.state import FitState
from model.train import Validation, fit, train_epoch

CPU = Machine(torch.device("cpu"))
on_cuda = pytest.mark.skipif(
    not torch.cuda.is_available(), reason="CUDA IS UNTESTED HERE: no CUDA device"
)


def small(recipe: str = "episode") -> Config:
    base = base_config(StudySettings(recipe=recipe, max_epochs=2, epoch_steps=3, pairs=96)).fit
    model = ModelConfig(filters=(16, 16, 16, 32), units=64)
    return Config(model, replace(base, n_characters=16, batch_size=32))


def test_an_unknown_device_is_refused_and_the_cpu_is_not() -> None:
    with pytest.raises(InputError, match=r"--device must name a device.*Try --device cpu"):
        choose_machine("gpu7")
    assert choose_machine("cpu", "float32") == CPU
    assert choose_machine("cpu").precision in ("float32", "bfloat16")


FAULTS = """
import resource, sys, torch
from model.device import keep_freed_memory
keep_freed_memory(sys.argv[1] == "keep")
def step(): torch.ones(2**24)
for _ in range(10): step()  # glibc keeps seven small remainders before it joins them again
before = resource.getrusage(resource.RUSAGE_SELF).ru_minflt
for _ in range(5): step()
print(resource.getrusage(resource.RUSAGE_SELF).ru_minflt - before)
"""


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="glibc's malloc")
def test_a_step_finds_the_memory_of_the_step_before() -> None:
    keep_freed_memory()
    faults = {
        how: int(
            subprocess.run(
                [sys.executable, "-c", FAULTS, how], capture_output=True, text=True, check=True,
                env=os.environ | {"PYTHONPATH": "."},
            ).stdout
        )
        for how in ("keep", "return")
    }  # fmt: skip
    assert faults["keep"] < faults["return"] / 10


@pytest.mark.parametrize("recipe", ["episode", "paper"])
def test_a_step_asks_for_no_tensors_value(recipe: str, parts: Split) -> None:
    """Fake tensors have shapes and no values: whatever would wait for a GPU raises."""
    config = small(recipe)
    state = FitState(config, 0, CPU)
    drawings = training_drawings(parts.train, config.fit)
    assert drawings.first_A.sum() >= 0  # counted once per data set, with its values
    with FakeTensorMode(allow_non_fake_inputs=True):
        for loss in LOSSES[recipe](state.net, drawings, config.fit, generator=state.generator):
            assert loss.shape == ()


@pytest.mark.skipif(not shutil.which("g++"), reason="torch.compile needs a C++ compiler")
@pytest.mark.filterwarnings("ignore")  # torch's own, while it compiles
def test_a_compiled_fit_is_the_fit(parts: Split) -> None:
    losses = {}
    for compile in (False, True):
        state = FitState(small(), 0, replace(CPU, compile=compile))
        losses[compile] = train_epoch(state, parts.train)
    assert losses[True] == pytest.approx(losses[False], rel=1e-4)


@on_cuda
@pytest.mark.parametrize("recipe", ["episode", "paper"])
@pytest.mark.parametrize("compile", [False, True])
def test_an_epoch_on_a_gpu_never_waits_but_for_its_loss(
    recipe: str, compile: bool, parts: Split
) -> None:
    machine = replace(choose_machine("cuda"), compile=compile)
    state = FitState(small(recipe), 0, machine)
    drawings = training_drawings(parts.train, state.config.fit).to(machine.device)
    train_epoch(state, drawings)  # counts, constants, kernels
    torch.cuda.set_sync_debug_mode("error")
    try:
        for loss in LOSSES[recipe](
            state.net, drawings, state.config.fit, generator=state.generator
        ):
            loss.backward()
    finally:
        torch.cuda.set_sync_debug_mode("default")


@on_cuda
def test_a_fit_on_a_gpu_is_the_fit_on_the_cpu(parts: Split) -> None:
    accuracy = {}
    for name in ("cpu", "cuda"):
        machine = choose_machine(name, "float32")
        val = Validation(parts.val.to(machine.device), dense_validation(parts.val))
        state = FitState(small(), 0, machine)
        accuracy[name] = list(fit(state, parts.train, val))[-1].accuracy
    assert accuracy["cuda"] == pytest.approx(accuracy["cpu"], abs=0.1)
