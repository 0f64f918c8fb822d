"""The image set ``sprites``: the units of the game Battle for Wesnoth, drawn in several poses.

A group is a people (drakes, dwarves, …), a class is a unit, and its images are some of the poses of
its animations, in colour on white. Artists drew them pixel by pixel. A unit faces right in most
poses, so mirrored poses are another picture. The search is designed on this set.
"""

from collections import defaultdict
from collections.abc import Iterator
from importlib.metadata import version
from pathlib import Path

import numpy as np
from image_sets_debian import package_files, package_versions
from image_sets_folder import ClassImage, ImageSet, distinct, large_enough
from PIL import Image

PACKAGE, UNITS = "wesnoth-1.16-data", "data/core/images/units/"
SIZE = 72  # height and width in pixels of nearly all poses
MIN_IMAGES, MAX_IMAGES, MIN_CLASSES = 6, 10, 8
FADING = ("die", "death")  # in the names of poses in which a unit vanishes


def poses(files: list[Path]) -> dict[tuple[str, str], list[Path]]:
    """Return the files of the poses by people and unit.

    ``NAME.png`` is the unit at rest, and ``NAME-….png`` are its other poses.

    Args:
        files: files of the package, sorted.
    """
    found: dict[tuple[str, str], list[Path]] = defaultdict(list)
    known = {*files}
    for file in files:
        people, _, inner = str(file).partition(UNITS)[2].partition("/")
        name = file.stem.split("-")[0]
        is_pose = inner and file.suffix == ".png" and file.with_name(f"{name}.png") in known
        if is_pose and not any(word in file.stem for word in FADING):
            label = inner.removesuffix(file.name).replace("/", "_") + name
            found[people, label].append(file)
    return found


def read_pose(file: Path) -> Image.Image | None:
    """Return a pose on white, or None if it has another size."""
    image = Image.open(file).convert("RGBA")
    white = Image.new("RGBA", image.size, "white")
    flat = Image.alpha_composite(white, image).convert("RGB")
    return flat if flat.size == (SIZE, SIZE) else None


def all_poses() -> Iterator[ClassImage]:
    """Yield up to :data:`MAX_IMAGES` poses of every unit, at equal distances in its list."""
    for (people, unit), files in sorted(poses(package_files([PACKAGE])).items()):
        drawn = ((file.stem, read_pose(file)) for file in files)
        images = [
            ClassImage(people, unit, stem, image) for stem, image in drawn if image is not None
        ]
        images = [*distinct(images)]
        n = min(MAX_IMAGES, len(images))
        for position in np.linspace(0, len(images) - 1, n).round().astype(int):
            yield images[position]


def sprites() -> list[ClassImage]:
    """Return the poses of units with enough of them, of peoples with enough units."""
    return large_enough(distinct(all_poses()), MIN_IMAGES, MIN_CLASSES)


def versions() -> dict[str, str]:
    """Return the versions of the package and of Pillow."""
    return package_versions([PACKAGE]) | {"pillow": version("pillow")}


SPRITES = ImageSet("units of a game in several poses, 72 pixels, colour", False, sprites, versions)
