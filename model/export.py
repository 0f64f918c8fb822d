"""Export of a trained network as two graphs for other programs: embedding and comparison.

``embed``: ``images``, float32 B×1×H×W (B×3×H×W for colour images), ink 1, paper 0 → ``embedding``,
float32 B×E.
``compare``: ``left`` and ``right``, float32 B×E → ``logit``, float32 B. B is dynamic.

Tensor suffixes: B images or pairs, E embedding, H W pixels.
"""

import contextlib
import io
import warnings
from collections.abc import Callable
from contextlib import AbstractContextManager
from functools import partial
from importlib.util import find_spec
from pathlib import Path

import torch
from torch import Tensor, nn
from torch.export import Dim, ExportedProgram

from data.errors import InputError
from data.files import write_atomically
from model.checkpoint import load_network
from model.own_network import OwnConfig, explain_errors
from model.siamese import SiameseNet

OUTPUT_NAMES = {"embed": "embedding", "compare": "logit"}


def require_export_libraries(format_name: str) -> None:
    """Raise InputError unless the libraries of a format are installed; call it before long fits.

    Args:
        format_name: a key of :data:`EXPORT_FORMATS`.

    Raises:
        InputError: a library is missing.
    """
    if format_name == "onnx" and not find_spec("onnxscript"):
        raise InputError("ONNX needs two more libraries. Run: uv sync --extra onnx")


def export_graphs(net: SiameseNet) -> dict[str, ExportedProgram]:
    """Return the graphs ``embed`` and ``compare`` of a float32 network on the CPU."""
    size, units, batch = net.config.image_size, net.head.in_features, {0: Dim("batch", min=1)}
    images = torch.zeros(2, net.config.channels, size, size)
    pair = torch.zeros(2, units), torch.ones(2, units)  # equal tensors would become one input
    return {
        "embed": torch.export.export(_Embed(net), (images,), dynamic_shapes=(batch,)),
        "compare": torch.export.export(_Compare(net), pair, dynamic_shapes=(batch, batch)),
    }


def export_network(network: Path, format_name: str, folder: Path | None = None) -> list[Path]:
    """Write the graphs of a network as ``NAME.embed.SUFFIX`` and ``NAME.compare.SUFFIX``.

    Args:
        network: file of a trained network.
        format_name: ``"onnx"``, or ``"torch"`` for ``torch.export``.
        folder: folder of the graphs; None for the folder of the network.

    Returns:
        The paths of the two graphs.

    Raises:
        InputError: the file does not contain a network, a library for ONNX is missing, or the
            folder is not writable.
    """
    require_export_libraries(format_name)
    net = load_network(network)[0].to(memory_format=torch.contiguous_format)
    suffix, save = EXPORT_FORMATS[format_name]
    paths = []
    with _explain_export(net):
        graphs = export_graphs(net)
    for name, program in graphs.items():
        path = (folder or network.parent) / f"{network.stem}.{name}.{suffix}"
        write_atomically(path, partial(save, program, OUTPUT_NAMES[name]))
        paths.append(path)
    return paths


def _explain_export(net: SiameseNet) -> AbstractContextManager[None]:
    """Return a context in which an error of the user's own network becomes one line."""
    if isinstance(net.config, OwnConfig):
        return explain_errors(net.config.network, "the export")
    return contextlib.nullcontext()


class _Embed(nn.Module):
    """The embedding of images."""

    def __init__(self, net: SiameseNet) -> None:
        super().__init__()
        self.net = net

    def forward(self, images: Tensor) -> Tensor:
        return self.net.embed(images)


class _Compare(nn.Module):
    """The logits of pairs of embeddings."""

    def __init__(self, net: SiameseNet) -> None:
        super().__init__()
        self.weight = nn.Parameter(net.head.weight[0].detach().clone())
        self.bias = nn.Parameter(net.head.bias.detach().clone())

    def forward(self, left: Tensor, right: Tensor) -> Tensor:
        return (left - right).abs() @ self.weight + self.bias


def _save_onnx(program: ExportedProgram, output_name: str, path: Path) -> None:
    # The exporter prints its steps, and its libraries warn of deprecations.
    with warnings.catch_warnings(), contextlib.redirect_stdout(io.StringIO()):
        warnings.simplefilter("ignore")
        onnx = torch.onnx.export(
            program, dynamo=True, external_data=False, output_names=[output_name]
        )
    assert onnx is not None
    onnx.save(path)


def _save_torch(program: ExportedProgram, output_name: str, path: Path) -> None:
    content = io.BytesIO()  # on a full disk, torch's own writer would abort the process
    torch.export.save(program, content)
    path.write_bytes(content.getvalue())


# Format → suffix of its files, and the function that writes one.
EXPORT_FORMATS: dict[str, tuple[str, Callable[[ExportedProgram, str, Path], None]]] = {
    "onnx": ("onnx", _save_onnx),
    "torch": ("pt2", _save_torch),
}
