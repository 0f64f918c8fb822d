"""Networks as a user writes them: for the tests, which name them ``own_networks:make``."""

from typing import Any

import torch
from torch import Tensor, nn


class Small(nn.Module):
    """Convolutions with batch normalisation and dropout."""

    def __init__(self, params: dict[str, Any], channels: int, image_size: int) -> None:
        super().__init__()
        layers: list[nn.Module] = []
        for _ in range(params.get("depth", 2)):
            layers += [nn.Conv2d(channels, params["width"], 3, padding=1)]
            layers += [nn.BatchNorm2d(params["width"]), nn.ReLU(), nn.MaxPool2d(2)]
            channels, image_size = params["width"], image_size // 2
        self.layers = nn.Sequential(*layers, nn.Flatten(), nn.Dropout(0.2))
        self.last = nn.Linear(channels * image_size**2, 16)

    def embed(self, x: Tensor) -> Tensor:
        return torch.sigmoid(self.last(self.layers(x).view(x.shape[0], -1)))


class Returning(nn.Module):
    """Returns something else than embeddings."""

    def __init__(self, kind: str) -> None:
        super().__init__()
        self.kind, self.layer = kind, nn.Linear(400, 8)

    def embed(self, x: Tensor) -> Any:
        h = self.layer(x.flatten(1))
        kinds = {"int": h.int(), "3d": h.unsqueeze(1), "one row": h.sum(0, keepdim=True), "list": 1}
        return kinds[self.kind]


def make(params: dict[str, Any], channels: int, image_size: int) -> nn.Module:
    return Small(params, channels, image_size)


def lazy(params: dict[str, Any], channels: int, image_size: int) -> nn.Module:
    net = nn.Sequential(nn.Flatten(), nn.LazyLinear(8))
    net.embed = net.forward  # type: ignore[assignment]
    return net


class FixedBatch(Small):
    """Cannot be exported: its graph has a fixed number of images."""

    def embed(self, x: Tensor) -> Tensor:
        return super().embed(x) + torch.zeros(len(x), 1)


def fixed_batch(params: dict[str, Any], channels: int, image_size: int) -> nn.Module:
    return FixedBatch(params, channels, image_size)


def wrong_size(params: dict[str, Any], channels: int, image_size: int) -> nn.Module:
    return Small(params, channels, 99)


def failing(params: dict[str, Any], channels: int, image_size: int) -> nn.Module:
    raise KeyError("my own message")


def without_embed(params: dict[str, Any], channels: int, image_size: int) -> nn.Module:
    return nn.Linear(1, 1)


def no_module(params: dict[str, Any], channels: int, image_size: int) -> str:
    return "a network"


def returns(params: dict[str, Any], channels: int, image_size: int) -> nn.Module:
    return Returning(params["kind"])


NOT_A_FUNCTION = 3
