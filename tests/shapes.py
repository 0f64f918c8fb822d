"""A folder of images that are no characters: polygons, a class for every number of corners."""

from pathlib import Path

import numpy as np
from PIL import Image, ImageDraw

SHAPES = 10  # polygons of 3 to 12 corners


def polygon(n_corners: int, rng: np.random.Generator, colour: tuple[int, int, int]) -> Image.Image:
    """A filled polygon on white, somewhere, turned and scaled a little: no character."""
    image = Image.new("RGB", (48, 36), "white")
    turn, radius = rng.uniform(0, 0.6), rng.uniform(10, 15)
    x, y = rng.uniform(18, 30), rng.uniform(16, 20)
    angles = turn + 2 * np.pi * np.arange(n_corners) / n_corners
    corners = [(x + radius * np.cos(a), y + radius * np.sin(a)) for a in angles]
    ImageDraw.Draw(image).polygon(corners, fill=colour)
    return image


def make(root: Path, groups: list[str], n_classes: int = SHAPES, n_images: int = 6) -> Path:
    """Write polygons of so many kinds in the folder of each group; "" stands for none."""
    rng = np.random.default_rng(0)
    for group in groups:
        for c in range(n_classes):
            folder = root / group / f"corners{c + 3:02}"
            folder.mkdir(parents=True)
            for i in range(n_images):
                image = polygon(c + 3, rng, (200, 20 * c, 30))
                image.save(folder / f"{i}.{'png' if i else 'jpg'}")
    return root
