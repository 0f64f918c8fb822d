"""A network of one's own: two convolutions and an embedding, with a width that is searched."""

import torch
from torch import Tensor, nn


class MyNet(nn.Module):
    """Embeds images; the head and the rates are ours."""

    def __init__(self, width: int, channels: int) -> None:
        """Create the layers."""
        super().__init__()
        self.layers = nn.Sequential(
            nn.Conv2d(channels, width, 3, padding=1),
            nn.BatchNorm2d(width),
            nn.ReLU(),
            nn.MaxPool2d(2),
            nn.Conv2d(width, 2 * width, 3, padding=1),
            nn.ReLU(),
            nn.AdaptiveAvgPool2d(4),
            nn.Flatten(),
            nn.Linear(32 * width, 256),
        )

    def embed(self, x: Tensor) -> Tensor:
        """Return B×E embeddings of B×C×H×W images, ink 1."""
        return torch.sigmoid(self.layers(x))


def make(params: dict[str, int], channels: int, image_size: int) -> nn.Module:
    """Return the network; ``params`` has the values of ``net.…`` of the space, without ``net.``."""
    return MyNet(params["width"], channels)
