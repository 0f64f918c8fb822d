import os
import shutil
import subprocess
import sys
from dataclasses import replace

import pytest
import torch
from torch._subclasses.fake_tensor import FakeTensorMode

from data.affine import draw_distortions
from data.episodes import dense_validation
from data.errors import InputError
from data.splits import Split
from hpo.study.settings import StudySettings, base_config
from model.architecture import ModelConfig
from model.config import Config
from model.device import ComputeConfig, choose_compute
from model.fit_state import FitState
from model.losses import LOSSES, draw_episode, training_drawings
from model.train import Validation, fit, train_epoch, train_step

CPU = ComputeConfig(torch.device("cpu"))
on_cuda = pytest.mark.skipif(
    not torch.cuda.is_available(), reason="CUDA IS UNTESTED HERE: no CUDA device"
)


def small(recipe: str = "episode") -> Config:
    base = base_config(
        StudySettings(recipe=recipe, max_epochs=2, steps_per_epoch=3, n_pairs=96)
    ).fit
    model = ModelConfig(filters=(16, 16, 16, 32), units=64)
    return Config(model, replace(base, n_characters=16, batch_size=32))


def test_an_unknown_device_is_refused_and_the_cpu_is_not() -> None:
    with pytest.raises(InputError, match=r"--device must name a device.*Try --device cpu"):
        choose_compute("gpu7")
    assert choose_compute("cpu", "float32") == CPU
    assert choose_compute("cpu").precision in ("float32", "bfloat16")


FAULTS = """
import resource, sys, torch
from model.device import keep_freed_memory
if sys.argv[1] == "keep": keep_freed_memory()
def step(): torch.ones(2**24)
for _ in range(10): step()  # glibc keeps seven small remainders before it joins them again
before = resource.getrusage(resource.RUSAGE_SELF).ru_minflt
for _ in range(5): step()
print(resource.getrusage(resource.RUSAGE_SELF).ru_minflt - before)
"""


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="glibc's malloc")
def test_a_step_finds_the_memory_of_the_step_before() -> None:
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
    """Fake tensors have shapes and no values: a forward pass that reads one back raises."""
    config = small(recipe)
    state = FitState(config, 0, CPU)
    drawings = training_drawings(parts.train, config.fit)
    assert drawings.first_A.sum() >= 0  # counted once per data set, with its values
    draw_distortions(1, generator=state.generator)  # its constants, kept for the process, are real
    with FakeTensorMode(allow_non_fake_inputs=True):
        for loss in LOSSES[recipe](state.net, drawings, config.fit, generator=state.generator):
            assert loss.shape == ()


@pytest.mark.skipif(not shutil.which("g++"), reason="torch.compile needs a C++ compiler")
@pytest.mark.filterwarnings("ignore")  # torch's own, while it compiles
def test_a_compiled_fit_is_the_fit(parts: Split) -> None:
    results = {}
    validation = Validation(parts.val, dense_validation(parts.val))
    torch._dynamo.utils.counters.clear()
    for compile in (False, True):
        config = replace(
            small(), fit=replace(small().fit, ema=0.0)
        )  # the compiled net is validated
        state = FitState(config, 0, replace(CPU, compile=compile))
        results[compile] = next(fit(state, parts.train, validation))
    assert torch._dynamo.utils.counters["stats"]["unique_graphs"] > 0
    assert results[True].loss == pytest.approx(results[False].loss, rel=1e-4)
    assert results[True].accuracy == pytest.approx(results[False].accuracy, abs=0.01)


@on_cuda
@pytest.mark.parametrize("recipe", ["episode", "paper"])
@pytest.mark.parametrize("compile", [False, True])
def test_an_epoch_on_a_gpu_never_waits_but_for_its_loss(
    recipe: str, compile: bool, parts: Split
) -> None:
    compute = replace(choose_compute("cuda"), compile=compile)
    state = FitState(small(recipe), 0, compute)
    drawings = training_drawings(parts.train, state.config.fit).to(compute.device)
    train_epoch(state, drawings)  # counts, constants, kernels
    torch.cuda.set_sync_debug_mode("error")
    try:
        config = state.config.fit
        for loss in LOSSES[recipe](state.net, drawings, config, generator=state.generator):
            train_step(state, loss)
    finally:
        torch.cuda.set_sync_debug_mode("default")


@on_cuda
def test_a_step_on_a_gpu_is_the_step_on_the_cpu(parts: Split) -> None:
    found = []
    for name in ("cpu", "cuda"):
        compute = choose_compute(name, "float32")
        state = FitState(small(), 0, compute)
        x = draw_episode(parts.train, small().fit, generator=torch.Generator().manual_seed(0))
        h1, h2 = state.net.embed(x.to(compute.device)).unsqueeze(0).chunk(2, dim=1)
        logits = state.net.compare(h1, h2)
        logits.sum().backward()
        weight = state.net.conv1.weight
        assert weight.grad is not None
        found.append((logits.detach().cpu(), weight.grad.cpu()))
    torch.testing.assert_close(found[1], found[0], rtol=1e-3, atol=1e-3)


@on_cuda
def test_a_compiled_fit_on_a_gpu_is_validated_too(parts: Split) -> None:
    compute = replace(choose_compute("cuda"), compile=True)
    config = replace(small(), fit=replace(small().fit, ema=0.0))
    validation = Validation(parts.val.to(compute.device), dense_validation(parts.val))
    assert list(fit(FitState(config, 0, compute), parts.train, validation))[-1].accuracy > 0
