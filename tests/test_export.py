"""The graphs for other programs answer as the network does."""

import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
import onnxruntime
import pytest
import torch

from data.errors import InputError
from hpo.study.settings import StudySettings, base_config
from model.architecture import DenseConfig
from model.checkpoint import load_network, save_network
from model.config import Config
from model.export import export_network
from model.siamese import build_net


@pytest.fixture(scope="module")
def network(tmp_path_factory: pytest.TempPathFactory) -> Path:
    config = base_config(StudySettings(image_size=20))
    net = build_net(config.model, generator=torch.Generator().manual_seed(0))
    path = tmp_path_factory.mktemp("export") / "net.pt"
    save_network(path, net, config, {})
    return path


def two_batches(network: Path, size: int) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
    net, config, _ = load_network(network)
    pixels = config.model.image_size
    x = torch.rand(size, 1, pixels, pixels, generator=torch.Generator().manual_seed(size))
    with torch.no_grad():
        h = net.embed(x)
        return x, h, net.compare(h, h.flip(0))


@pytest.mark.parametrize("size", [1, 5])
def test_onnx_answers_as_the_network_does(network: Path, size: int) -> None:
    embed, compare = (onnxruntime.InferenceSession(p) for p in export_network(network, "onnx"))
    x, h, logits = two_batches(network, size)
    [found] = embed.run(["embedding"], {"images": x.numpy()})
    np.testing.assert_allclose(found, h.numpy(), atol=1e-5)
    flipped = np.ascontiguousarray(found[::-1])
    [found_logits] = compare.run(["logit"], {"left": found, "right": flipped})
    np.testing.assert_allclose(found_logits, logits.numpy(), atol=1e-4)
    assert size == 1 or np.ptp(found_logits) > 0


def test_torch_export_answers_as_the_network_does(network: Path, tmp_path: Path) -> None:
    paths = export_network(network, "torch", tmp_path)
    assert [p.name for p in paths] == ["net.embed.pt2", "net.compare.pt2"]
    embed, compare = (torch.export.load(p).module() for p in paths)
    x, h, logits = two_batches(network, 7)
    torch.testing.assert_close(embed(x), h)
    torch.testing.assert_close(compare(h, h.flip(0)), logits)


@pytest.mark.parametrize("form", ["onnx", "torch"])
def test_a_network_without_convolutions_is_exported_too(form: str, tmp_path: Path) -> None:
    base = base_config(StudySettings())
    fit = replace(base.fit, rates=base.fit.rates[:3])
    config = Config(DenseConfig(20, 16, 8), fit)
    net = build_net(config.model, generator=torch.Generator().manual_seed(0)).eval()
    save_network(tmp_path / "net.pt", net, config, {})
    path, _ = export_network(tmp_path / "net.pt", form)
    x = torch.rand(3, 1, 20, 20)
    with torch.no_grad():
        expected = net.embed(x)
    if form == "torch":
        found = torch.export.load(path).module()(x)
    else:
        [raw] = onnxruntime.InferenceSession(path).run(None, {"images": x.numpy()})
        found = torch.from_numpy(np.asarray(raw))
    torch.testing.assert_close(found, expected, atol=1e-5, rtol=1e-4)


def test_colours_are_exported_too(tmp_path: Path) -> None:
    config = base_config(StudySettings(data="x+colour", image_size=20))
    net = build_net(config.model, generator=torch.Generator().manual_seed(0))
    save_network(tmp_path / "net.pt", net, config, {})
    path, _ = export_network(tmp_path / "net.pt", "torch")
    x = torch.rand(3, 3, 20, 20)
    torch.testing.assert_close(torch.export.load(path).module()(x), net.embed(x))


def test_without_its_libraries_onnx_is_refused_by_name(
    network: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "onnxscript", None)
    with pytest.raises(InputError, match="uv sync --extra onnx"):
        export_network(network, "onnx")
