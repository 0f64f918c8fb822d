"""The exported graphs compute what the network computes."""

import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
import onnxruntime
import pytest
import torch

from data.errors import InputError
from hpo.settings.base_config import base_config
from hpo.settings.study_settings import StudySettings
from model.architecture import DenseConfig, ModelConfig
from model.checkpoint import load_network, save_network
from model.config import Config
from model.export import export_network
from model.networks import build_net

BASE = base_config(StudySettings(image_size=20))
CONVOLUTIONAL = Config(
    ModelConfig(image_size=20, filters=(8, 8, 8, 8), kernels=(4, 3, 2, 1), units=16), BASE.fit
)
DENSE = Config(DenseConfig(20, 16, 8), replace(BASE.fit, rates=BASE.fit.rates[:3]))


def save(folder: Path, config: Config) -> Path:
    net = build_net(config.model, generator=torch.Generator().manual_seed(0))
    save_network(folder / "net.pt", net, config, {})
    return folder / "net.pt"


@pytest.fixture(scope="module")
def network(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return save(tmp_path_factory.mktemp("export"), CONVOLUTIONAL)


@pytest.fixture(scope="module")
def sessions(network: Path) -> list[onnxruntime.InferenceSession]:
    return [onnxruntime.InferenceSession(path) for path in export_network(network, "onnx")]


def random_batch(network: Path, size: int) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
    """Return images, their embeddings, and the logits of each with another one."""
    net, config, _ = load_network(network)
    pixels, generator = config.model.image_size, torch.Generator().manual_seed(size)
    x = torch.rand(size, config.model.channels, pixels, pixels, generator=generator)
    with torch.no_grad():
        h = net.embed(x)
        return x, h, net.compare(h, h.flip(0))


@pytest.mark.slow  # the exporter takes seconds to import
@pytest.mark.parametrize("size", [1, 5])
def test_onnx_computes_what_the_network_computes(
    size: int, network: Path, sessions: list[onnxruntime.InferenceSession]
) -> None:
    embed, compare = sessions
    x, h, logits = random_batch(network, size)
    [embedding] = embed.run(["embedding"], {"images": x.numpy()})
    np.testing.assert_allclose(embedding, h.numpy(), atol=1e-5)
    flipped = np.ascontiguousarray(embedding[::-1])
    [logit] = compare.run(["logit"], {"left": embedding, "right": flipped})
    np.testing.assert_allclose(logit, logits.numpy(), atol=1e-4)
    assert size == 1 or np.ptp(logit) > 0


@pytest.mark.parametrize(
    "config",
    [CONVOLUTIONAL, DENSE, replace(CONVOLUTIONAL, model=replace(CONVOLUTIONAL.conv, channels=3))],
    ids=["convolutional", "dense", "colour"],
)
def test_torch_export_computes_what_the_network_computes(config: Config, tmp_path: Path) -> None:
    network = save(tmp_path, config)
    paths = export_network(network, "torch", tmp_path)
    assert [path.name for path in paths] == ["net.embed.pt2", "net.compare.pt2"]
    embed, compare = (torch.export.load(path).module() for path in paths)
    x, h, logits = random_batch(network, 7)
    torch.testing.assert_close(embed(x), h)
    torch.testing.assert_close(compare(h, h.flip(0)), logits)


@pytest.mark.slow
def test_onnx_of_a_network_without_convolutions(tmp_path: Path) -> None:
    network = save(tmp_path, DENSE)
    path, _ = export_network(network, "onnx")
    x, h, _ = random_batch(network, 3)
    [embedding] = onnxruntime.InferenceSession(path).run(None, {"images": x.numpy()})
    np.testing.assert_allclose(np.asarray(embedding), h.numpy(), atol=1e-5)


def test_a_missing_library_is_an_input_error(
    network: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "onnxscript", None)
    with pytest.raises(InputError, match="uv sync --extra onnx"):
        export_network(network, "onnx")
