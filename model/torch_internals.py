"""Every private or undocumented API and behaviour of PyTorch that this program relies on.

An upgrade may change them without notice. ``tests/test_torch_internals.py`` tests each of them, so
that such a change is found there and fixed here.
"""

import torch
from torch import nn


class _WithoutInit:
    """Skips the initial weights that ``nn.Linear`` and ``nn.Conv2d`` draw in their constructors.

    Their constructors call ``reset_parameters``, which draws from the global random state.
    ``torch.nn.utils.skip_init`` is documented, but its import of sympy takes 1.5 seconds.
    """

    def reset_parameters(self) -> None:
        """Leave the weights uninitialised."""


class UninitialisedLinear(_WithoutInit, nn.Linear):
    """A fully connected layer with uninitialised weights."""


class UninitialisedConv2d(_WithoutInit, nn.Conv2d):
    """A convolution with uninitialised weights."""


def cpu_has_amx_bfloat16() -> bool:
    """Return whether the CPU multiplies bfloat16 matrices with AMX."""
    return bool(torch.cpu.get_capabilities().get("amx_bf16"))


def is_bfloat16_fast(device: torch.device) -> bool:
    """Return whether a device computes faster in bfloat16 than in float32.

    CPUs of AMD need AVX-512 with bfloat16. CPUs of Intel need AMX: with AVX-512 alone, an epoch of
    the default network took a fifth longer in bfloat16 than in float32 (Xeon, 2 cores).

    Args:
        device: CPU or CUDA device.
    """
    if device.type == "cuda":
        with torch.cuda.device(device):
            return bool(torch.cuda.is_bf16_supported(including_emulation=False))
    capabilities = torch.cpu.get_capabilities()
    is_intel = str(capabilities.get("cpu_name", "")).startswith("Intel")
    return cpu_has_amx_bfloat16() or (bool(capabilities.get("avx512_bf16")) and not is_intel)
