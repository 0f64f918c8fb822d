"""A trained network as two graphs for other programs: embedding and comparison.

``embed``: ``images``, float32 B×1×H×W, ink 1, paper 0 → ``embedding``, B×E.
``compare``: ``left`` and ``right``, B×E → ``logit``, B. Any B.

Tensor suffixes: B images or pairs, E embedding, H W pixels.
"""

import contextlib
import io
import warnings
from collections.abc import Callable
from functools import partial
from importlib.util import find_spec
from pathlib import Path

import torch
from torch import Tensor, nn
from torch.export import Dim, ExportedProgram

from data.errors import InputError
from data.files import write_atomically
from model.checkpoint import load_network
from model.siamese import SiameseNet

OUTPUT = {"embed": "embedding", "compare": "logit"}


class _Embed(nn.Module):
    """The twin alone."""

    def __init__(self, net: SiameseNet) -> None:
        super().__init__()
        self.net = net

    def forward(self, images: Tensor) -> Tensor:
        return self.net.embed(images)


class _Compare(nn.Module):
    """The head alone, on pairs."""

    def __init__(self, net: SiameseNet) -> None:
        super().__init__()
        self.weight = nn.Parameter(net.head.weight[0].detach().clone())
        self.bias = nn.Parameter(net.head.bias.detach().clone())

    def forward(self, left: Tensor, right: Tensor) -> Tensor:
        return (left - right).abs() @ self.weight + self.bias


def export_graphs(net: SiameseNet) -> dict[str, ExportedProgram]:
    """Return the graphs ``embed`` and ``compare`` of a float32 network on the CPU."""
    size, units, batch = net.config.image_size, net.config.units, {0: Dim("batch", min=1)}
    images = torch.zeros(2, net.config.channels, size, size)
    pair = torch.zeros(2, units), torch.ones(2, units)  # one tensor twice would be one input
    return {
        "embed": torch.export.export(_Embed(net), (images,), dynamic_shapes=(batch,)),
        "compare": torch.export.export(_Compare(net), pair, dynamic_shapes=(batch, batch)),
    }


def require_libraries(form: str) -> None:
    """Pass if a form can be written; asked before long fits, not after them.

    Raises:
        InputError: its libraries are not there.
    """
    if form == "onnx" and not find_spec("onnxscript"):
        raise InputError("ONNX needs two more libraries. Run: uv sync --extra onnx")


def _save_onnx(program: ExportedProgram, output: str, path: Path) -> None:
    # The exporter reports on itself: steps on the output, and its libraries' deprecations.
    with warnings.catch_warnings(), contextlib.redirect_stdout(io.StringIO()):
        warnings.simplefilter("ignore")
        onnx = torch.onnx.export(program, dynamo=True, external_data=False, output_names=[output])
    assert onnx is not None
    onnx.save(path)


def _save_torch(program: ExportedProgram, output: str, path: Path) -> None:
    with path.open("wb") as file:
        torch.export.save(program, file)


EXPORT_FORMATS: dict[str, tuple[str, Callable[[ExportedProgram, str, Path], None]]] = {
    "onnx": ("onnx", _save_onnx),
    "torch": ("pt2", _save_torch),
}


def export_network(network: Path, form: str, folder: Path | None = None) -> list[Path]:
    """Write a saved network's graphs as ``NAME.embed.SUFFIX`` and ``NAME.compare.SUFFIX``.

    Args:
        network: file of a trained network.
        form: ``"onnx"``, or ``"torch"`` for ``torch.export``.
        folder: where to; None for the network's own.

    Returns:
        The two paths.

    Raises:
        InputError: no such network, no libraries for ONNX, or the folder cannot be written.
    """
    require_libraries(form)
    net = load_network(network)[0].to(memory_format=torch.contiguous_format)
    suffix, save = EXPORT_FORMATS[form]
    paths = []
    for name, program in export_graphs(net).items():
        path = (folder or network.parent) / f"{network.stem}.{name}.{suffix}"
        write_atomically(path, partial(save, program, OUTPUT[name]))
        paths.append(path)
    return paths
