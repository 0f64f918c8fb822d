"""Files of networks, and what is refused."""

from pathlib import Path
from typing import Any

import pytest
import torch
from tiny import config

from data.errors import InputError
from model.checkpoint import load_checkpoint, load_network, save_checkpoint, save_network
from model.networks import build_net
from model.siamese import SiameseNet


def zero_net() -> SiameseNet:
    net = build_net(config().model)
    with torch.no_grad():
        for parameter in net.parameters():
            parameter.zero_()
    return net


@pytest.fixture
def path(tmp_path: Path) -> Path:
    net = build_net(config().model, generator=torch.Generator().manual_seed(0))
    save_network(tmp_path / "net.pt", net, config(), {"seed": 1, "threshold": 0.5})
    return tmp_path / "net.pt"


def test_a_network_is_loaded_as_it_was_saved(path: Path) -> None:
    net, loaded_config, metadata = load_network(path)
    original = build_net(config().model, generator=torch.Generator().manual_seed(0))
    assert loaded_config == config()
    assert metadata == {"seed": 1, "threshold": 0.5}
    for name, tensor in original.state_dict().items():
        assert torch.equal(net.state_dict()[name], tensor), name


def test_a_truncated_checkpoint_is_refused(path: Path) -> None:
    path.write_bytes(path.read_bytes()[:2000])
    with pytest.raises(InputError, match=r"net\.pt.*Delete it"):
        load_network(path)


def test_a_checkpoint_of_another_format_is_refused(tmp_path: Path) -> None:
    save_checkpoint(tmp_path / "a.pt", "other-1", {})
    assert load_checkpoint(tmp_path / "a.pt", "other-1") == {"format": "other-1"}
    with pytest.raises(InputError, match=r"a\.pt.*siamese-network-1"):
        load_network(tmp_path / "a.pt")


def test_a_missing_checkpoint_and_a_folder_are_refused(tmp_path: Path) -> None:
    for path in (tmp_path / "missing.pt", tmp_path):
        with pytest.raises(InputError, match="Correct the path"):
            load_network(path)


def test_an_unreadable_checkpoint_is_refused(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def load(*_: Any, **__: Any) -> None:
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr(torch, "load", load)
    with pytest.raises(InputError, match="Permission denied"):
        load_network(path)


@pytest.mark.parametrize(
    ("metadata", "name"),
    [
        ({"threshold": float("inf")}, "threshold"),
        ({"verification": {"threshold": float("nan")}}, "threshold"),
        ({"data": 3}, "data"),
        ({"seed": "one"}, "seed"),
    ],
)
def test_metadata_of_wrong_types_are_refused(
    metadata: dict[str, Any], name: str, tmp_path: Path
) -> None:
    save_network(tmp_path / "net.pt", zero_net(), config(), metadata)
    with pytest.raises(InputError, match=rf"net\.pt.*{name}"):
        load_network(tmp_path / "net.pt")


def test_a_full_disk_is_an_input_error_and_keeps_the_old_file(
    path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    before = path.read_bytes()

    def save(*_: Any) -> None:
        raise RuntimeError("unexpected pos 64 vs 0\nat a line of C++")

    monkeypatch.setattr(torch, "save", save)
    with pytest.raises(InputError, match=r"net\.pt"):
        save_network(path, zero_net(), config(), {})
    assert path.read_bytes() == before
    assert list(path.parent.iterdir()) == [path]
