"""A folder of images that are not characters: polygons, one class per number of corners."""

from pathlib import Path

import numpy as np
from PIL import Image, ImageDraw

N_SHAPES = 10  # polygons of 3 to 12 corners


def polygon(n_corners: int, rng: np.random.Generator, colour: tuple[int, int, int]) -> Image.Image:
    """Return a filled polygon on white at a random place, angle and scale."""
    image = Image.new("RGB", (48, 36), "white")
    angle, radius = rng.uniform(0, 0.6), rng.uniform(10, 15)
    x, y = rng.uniform(18, 30), rng.uniform(16, 20)
    angles = angle + 2 * np.pi * np.arange(n_corners) / n_corners
    corners = [(x + radius * np.cos(a), y + radius * np.sin(a)) for a in angles]
    ImageDraw.Draw(image).polygon(corners, fill=colour)
    return image


def write_image_folder(
    root: Path, groups: list[str], n_classes: int = N_SHAPES, n_images: int = 6
) -> Path:
    """Write images of polygons into ``root/group/class`` and return ``root``.

    Args:
        root: folder to create.
        groups: names of the groups; ``""`` writes classes without a group.
        n_classes: number of classes per group.
        n_images: number of images per class.
    """
    rng = np.random.default_rng(0)
    for group in groups:
        for c in range(n_classes):
            folder = root / group / f"corners{c + 3:02}"
            folder.mkdir(parents=True)
            for i in range(n_images):
                image = polygon(c + 3, rng, (200, 20 * c, 30))
                image.save(folder / f"{i}.{'png' if i else 'jpg'}")
    return root
