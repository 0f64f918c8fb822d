"""Where and how precisely a network computes."""

from contextlib import AbstractContextManager

import torch

from data.errors import InputError


def choose_device(name: str = "auto") -> torch.device:
    """Return the named device; ``auto`` is CUDA where there is one, else the CPU.

    Raises:
        InputError: there is no such device.
    """
    if name == "auto":
        name = "cuda" if torch.cuda.is_available() else "cpu"
    try:
        device = torch.device(name)
        torch.zeros(1, device=device).item()
    except (RuntimeError, AssertionError, NotImplementedError) as error:
        raise InputError(
            f"--device must name a device of this machine, but '{name}' is none. Try --device cpu."
        ) from error
    return device


def choose_precision(name: str, device: torch.device) -> str:
    """Return ``float32`` or ``bfloat16``; ``auto`` takes bfloat16 where the hardware has it."""
    if name != "auto":
        return name
    if device.type == "cuda":
        return "bfloat16" if torch.cuda.is_bf16_supported() else "float32"
    capabilities = torch.cpu.get_capabilities()
    fast = capabilities.get("avx512_bf16") or capabilities.get("amx_bf16")
    return "bfloat16" if fast else "float32"


def autocast(device: torch.device, precision: str) -> AbstractContextManager[object]:
    """Return a context in which the network's layers compute in that precision."""
    return torch.autocast(device.type, torch.bfloat16, enabled=precision == "bfloat16")
