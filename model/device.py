"""The device that a network computes on, its precision, and the memory of the process."""

import ctypes
import os
import platform
import shutil
from contextlib import AbstractContextManager
from dataclasses import dataclass

import torch

from data.errors import InputError
from model.torch_internals import is_bfloat16_fast

# Parameters of mallopt in glibc's malloc.h. Free memory at the top of the heap returns to the
# kernel if it exceeds the first threshold. A block that is at least as large as the second
# threshold is mapped separately.
M_TRIM_THRESHOLD, M_MMAP_THRESHOLD = -1, -3
MAX_MMAP_THRESHOLD, OLD_MAX_MMAP_THRESHOLD = 2**31 - 1, 2**25  # the latter: older versions of glibc


@dataclass(frozen=True)
class ComputeConfig:
    """Where and how a fit computes.

    Args:
        device: device of the drawings and the network.
        precision: number format of the layers, ``"float32"`` or ``"bfloat16"``.
        compile: whether to use ``torch.compile``, on a GPU with CUDA graphs.
    """

    device: torch.device
    precision: str = "float32"
    compile: bool = False


def choose_compute(
    device: str = "auto", precision: str = "auto", compile: bool = False
) -> ComputeConfig:
    """Return a device and a precision that work; on a CPU, let the process keep freed memory.

    Args:
        device: ``"cpu"``, ``"cuda"``, ``"cuda:1"`` …; ``"auto"`` is CUDA if it is available.
        precision: ``"float32"``, ``"bfloat16"``, or ``"auto"`` for bfloat16 if the hardware
            supports it.
        compile: see :class:`ComputeConfig`.

    Raises:
        InputError: the device does not exist, or there is no compiler.
    """
    chosen = _choose_device(device)
    # The compiler that torch.compile calls; CXX may also have its flags, or begin with ccache.
    compiler = (os.environ.get("CXX", "").split() or ["g++"])[0]
    if compile and chosen.type == "cpu" and not shutil.which(compiler):
        raise InputError(
            f"--compile needs a C++ compiler on the CPU, but {compiler} is missing. Install it, "
            "name another one in CXX, or remove --compile."
        )
    if chosen.type == "cpu":
        keep_freed_memory()
    if precision == "auto":
        precision = "bfloat16" if is_bfloat16_fast(chosen) else "float32"
    return ComputeConfig(chosen, precision, compile)


def keep_freed_memory() -> None:
    """Let this process keep freed memory for the next step instead of returning it to the kernel.

    Every step allocates and frees the same hundreds of megabytes. By default glibc returns them to
    the kernel, which clears every page when the next step allocates them again. Does nothing on
    systems without glibc.
    """
    if platform.libc_ver()[0] != "glibc":
        return
    libc = ctypes.CDLL(None)
    if not libc.mallopt(M_MMAP_THRESHOLD, MAX_MMAP_THRESHOLD):
        libc.mallopt(M_MMAP_THRESHOLD, OLD_MAX_MMAP_THRESHOLD)
    libc.mallopt(M_TRIM_THRESHOLD, -1)


def autocast(device: torch.device, precision: str) -> AbstractContextManager[object]:
    """Return a context in which layers compute in a precision.

    Args:
        device: device of the network.
        precision: ``"float32"`` or ``"bfloat16"``.
    """
    return torch.autocast(device.type, torch.bfloat16, enabled=precision == "bfloat16")


def _choose_device(name: str) -> torch.device:
    if name == "auto":
        name = "cuda" if torch.cuda.is_available() else "cpu"
    try:
        device = torch.device(name)
        torch.zeros(1, device=device).item()
    except (RuntimeError, AssertionError, NotImplementedError) as error:
        raise InputError(
            f"--device must name a device of this machine, but '{name}' is not available. Try "
            "--device cpu."
        ) from error
    return device
