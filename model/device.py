"""Where, how precisely and by what means a network computes."""

import ctypes
import platform
import shutil
from contextlib import AbstractContextManager
from dataclasses import dataclass

import torch

from data.errors import InputError

# glibc's malloc.h: from which size on memory comes from the kernel, and when it goes back.
M_TRIM_THRESHOLD, M_MMAP_THRESHOLD = -1, -3


@dataclass(frozen=True)
class ComputeConfig:
    """What a fit computes on.

    Args:
        device: holds the drawings and the network.
        precision: of the layers, ``"float32"`` or ``"bfloat16"``.
        compile: whether ``torch.compile`` translates the network, on a GPU into CUDA graphs.
    """

    device: torch.device
    precision: str = "float32"
    compile: bool = False


def choose_compute(
    device: str = "auto", precision: str = "auto", compile: bool = False
) -> ComputeConfig:
    """Return the named machine; a process that computes on the CPU keeps its freed memory.

    Args:
        device: ``"cpu"``, ``"cuda"``, ``"cuda:1"`` …; ``"auto"`` is CUDA where there is one.
        precision: ``"auto"`` takes bfloat16 where the hardware has it.
        compile: see :class:`ComputeConfig`.

    Raises:
        InputError: there is no such device, or no compiler.
    """
    found = _choose_device(device)
    if compile and found.type == "cpu" and not shutil.which("c++"):
        raise InputError("--compile needs a C++ compiler on the CPU. Install one, or leave it out.")
    if found.type == "cpu":
        keep_freed_memory()
    return ComputeConfig(found, _choose_precision(precision, found), compile)


def _choose_device(name: str) -> torch.device:
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


def _choose_precision(name: str, device: torch.device) -> str:
    if name != "auto":
        return name
    if device.type == "cuda":
        with torch.cuda.device(device):
            fast = torch.cuda.is_bf16_supported(including_emulation=False)
        return "bfloat16" if fast else "float32"
    capabilities = torch.cpu.get_capabilities()
    fast = capabilities.get("avx512_bf16") or capabilities.get("amx_bf16")
    return "bfloat16" if fast else "float32"


def keep_freed_memory() -> None:
    """Let this process keep freed memory for the next step in place of returning it.

    A step frees and asks for the same hundreds of megabytes again; by default glibc maps them
    anew each time and the kernel clears every page. Nothing happens where there is no glibc.
    """
    if platform.libc_ver()[0] != "glibc":
        return
    libc = ctypes.CDLL(None)
    if not libc.mallopt(M_MMAP_THRESHOLD, 2**31 - 1):
        libc.mallopt(M_MMAP_THRESHOLD, 2**25)  # the most that an older glibc takes
    libc.mallopt(M_TRIM_THRESHOLD, -1)


def autocast(device: torch.device, precision: str) -> AbstractContextManager[object]:
    """Return a context in which the network's layers compute in that precision."""
    return torch.autocast(device.type, torch.bfloat16, enabled=precision == "bfloat16")
