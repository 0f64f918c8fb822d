"""The private and undocumented behaviour of PyTorch that this program relies on."""

from contextlib import nullcontext

import pytest
import torch

from model.torch_internals import (
    UninitialisedConv2d,
    UninitialisedLinear,
    cpu_has_amx_bfloat16,
    is_bfloat16_fast,
)

CPU = torch.device("cpu")


def test_the_constructors_of_layers_draw_their_weights_in_reset_parameters() -> None:
    before = torch.get_rng_state()
    layers = UninitialisedLinear(2, 3), UninitialisedConv2d(1, 2, 3)
    assert torch.equal(torch.get_rng_state(), before)
    assert [layer.weight.shape for layer in layers] == [(3, 2), (2, 1, 3, 3)]
    torch.nn.Linear(2, 3)
    assert not torch.equal(torch.get_rng_state(), before), "the originals draw"


@pytest.mark.parametrize(
    ("capabilities", "amx", "fast"),
    [
        ({}, False, False),
        ({"avx512_bf16": True}, False, True),
        ({"avx512_bf16": True, "cpu_name": "AMD EPYC"}, False, True),
        ({"avx512_bf16": True, "cpu_name": "Intel Xeon"}, False, False),
        ({"amx_bf16": True, "cpu_name": "Intel Xeon"}, True, True),
    ],
)
def test_bfloat16_is_fast_on_cpus_with_fast_instructions_for_it(
    capabilities: dict[str, bool | str], amx: bool, fast: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(torch.cpu, "get_capabilities", lambda: capabilities)
    assert (cpu_has_amx_bfloat16(), is_bfloat16_fast(CPU)) == (amx, fast)


def test_torch_reports_the_capabilities_of_this_cpu() -> None:
    capabilities = torch.cpu.get_capabilities()
    assert all(isinstance(value, bool | str | int) for value in capabilities.values())
    if capabilities["architecture"] == "x86_64":
        assert {"amx_bf16", "avx512_bf16"} <= capabilities.keys()


@pytest.mark.parametrize("supported", [False, True])
def test_bfloat16_is_fast_on_gpus_that_need_no_emulation(
    supported: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    calls = []

    def is_bf16_supported(including_emulation: bool = True) -> bool:
        calls.append(including_emulation)
        return supported

    monkeypatch.setattr(torch.cuda, "is_bf16_supported", is_bf16_supported)
    monkeypatch.setattr(torch.cuda, "device", nullcontext)
    assert is_bfloat16_fast(torch.device("cuda")) is supported
    assert calls == [False]


def test_torch_can_leave_out_the_emulation_of_bfloat16() -> None:
    assert torch.cuda.is_bf16_supported(including_emulation=False) in (False, True)
