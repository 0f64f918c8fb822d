"""The plain training loop of public reimplementations, the baseline of the speed measurements.

It uses a DataLoader over PIL images (resized once), torchvision's RandomAffine per image, float32
and two forward passes per pair. Of the project it uses only the drawings.
"""

import os
import random
import time
from collections.abc import Iterator

import torch
import torch.nn.functional as F
from PIL import Image
from torch import Tensor, nn
from torch.utils.data import DataLoader, Dataset
from torchvision import transforms

from data.drawings import FULL_SIZE, Drawings
from model.architecture import ModelConfig

BATCH = 128  # pairs
LR = 1e-3  # Adam's default


class PlainNet(nn.Module):
    """The network of the paper; the weights have the same names as in SiameseNet."""

    def __init__(self, config: ModelConfig) -> None:
        """Build the layers with PyTorch's default initialisation."""
        super().__init__()
        channels = (1, *config.filters)
        for i, kernel in enumerate(config.kernels):
            self.add_module(f"conv{i + 1}", nn.Conv2d(channels[i], channels[i + 1], kernel))
        self.fc1 = nn.Linear(config.n_flat, config.units)
        self.head = nn.Linear(config.units, 1)

    def embed(self, x: Tensor) -> Tensor:
        """Return the embeddings, float32 B×E in (0, 1), of float32 B×1×H×W images."""
        for name in ("conv1", "conv2", "conv3"):
            x = F.max_pool2d(F.relu(self.get_submodule(name)(x)), 2)
        x = F.relu(self.get_submodule("conv4")(x))
        return torch.sigmoid(self.fc1(x.flatten(1)))

    def forward(self, x1: Tensor, x2: Tensor) -> Tensor:
        """Return the logits, float32 of length B, of B pairs: one forward pass for each side."""
        logits: Tensor = self.head((self.embed(x1) - self.embed(x2)).abs()).squeeze(1)
        return logits


class PlainPairs(Dataset[tuple[Tensor, Tensor, float]]):
    """Random pairs of transformed PIL images; every second pair shows the same character.

    Args:
        drawings: drawings at 105 pixels.
        image_size: height and width of the network's input in pixels.
        n: number of pairs.
        distort: whether RandomAffine is among the transforms.
    """

    def __init__(
        self, drawings: Drawings, image_size: int, n: int, *, distort: bool = True
    ) -> None:
        """Convert the drawings to PIL images with white ink, as SiameseNet expects them."""
        full = (Image.fromarray(image) for image in drawings.images_NHW.numpy())
        shrink = transforms.Resize(image_size)
        self.images = [shrink(image) if image_size != FULL_SIZE else image for image in full]
        self.first, self.count = drawings.first_C.tolist(), drawings.count_C.tolist()
        self.n = n
        affine = transforms.RandomAffine(
            10, translate=(0.02, 0.02), scale=(0.8, 1.2), shear=(-17, 17, -17, 17)
        )
        steps = [*([affine] if distort else []), transforms.ToTensor()]
        self.transform = transforms.Compose(steps)

    def __len__(self) -> int:
        """Return the number of pairs."""
        return self.n

    def _drawing(self, character: int) -> Tensor:
        at = self.first[character] + random.randrange(self.count[character])
        x: Tensor = self.transform(self.images[at])
        return x

    def __getitem__(self, index: int) -> tuple[Tensor, Tensor, float]:
        """Return two images, float32 1×H×W, and 1.0 if they show the same character."""
        a, b = random.sample(range(len(self.first)), 2)
        b = a if index % 2 else b
        return self._drawing(a), self._drawing(b), float(a == b)


def plain_epochs(net: PlainNet, pairs: PlainPairs) -> Iterator[float]:
    """Train forever; yield the wall time in seconds of each pass over the pairs."""
    optimizer = torch.optim.Adam(net.parameters(), lr=LR)
    device = net.fc1.weight.device
    # On two cores, loader processes only compete with the training.
    n_loaders = max(0, (os.cpu_count() or 1) - 2)
    loader = DataLoader(pairs, batch_size=BATCH, shuffle=True, num_workers=n_loaders)
    while True:
        started = time.perf_counter()
        for x1, x2, same in loader:
            loss = F.binary_cross_entropy_with_logits(
                net(x1.to(device), x2.to(device)), same.float().to(device)
            )
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
        yield time.perf_counter() - started
