"""The image set ``photos``: neighbouring crops of real photographs.

A group is a photograph, a class is a square region of it, and the images of a class are the nine
tiles of the region, which do not overlap. So a network must tell from a tile which other tile lies
next to it in the photograph: by colour and texture, since the tiles show different things. The
images of a class are real, but not independent: they have camera, light and focus in common, as
all classes of their group have.

The photographs are those that scikit-image and scikit-learn contain. Left out are pictures that a
program drew, photographs that look the same everywhere (``brick``, ``grass``, ``gravel``,
``hubble_deep_field``, ``moon``, ``cell``, ``coins``), whose regions nobody could tell apart, the
second picture of a stereo pair (``motorcycle_right``), and photographs that are too small, or too
flat, for enough regions.
"""

import importlib.metadata
import importlib.util
from collections.abc import Iterator
from pathlib import Path

import numpy as np
from image_sets_folder import ClassImage, ImageSet, distinct, large_enough
from PIL import Image

from data.errors import InputError

# Package to import, package to install, folder and names of its photographs.
SOURCES = (
    (
        *("skimage", "scikit-image", "data"),
        (
            *("astronaut.png", "camera.png", "chelsea.png", "coffee.png"),
            *("ihc.png", "motorcycle_left.png", "retina.jpg"),
        ),
    ),
    ("sklearn", "scikit-learn", "datasets/images", ("china.jpg", "flower.jpg")),
)
TILE, TILES = 32, 3  # pixels of a tile, and tiles in a row of a region
MAX_SIDE = 800  # pixels; larger photographs are halved
MIN_CONTRAST = 2  # standard deviation of the grey levels of every tile, of 255
MIN_CLASSES = 12


def photographs() -> list[Path]:
    """Return the files of the photographs.

    Raises:
        InputError: a package that contains photographs is not installed.
    """
    files = []
    for module, package, folder, names in SOURCES:
        spec = importlib.util.find_spec(module)
        if spec is None or not spec.submodule_search_locations:
            raise InputError(
                f"The set photos needs the package {package}, which is not installed. Run "
                "uv sync --group sets"
            )
        files += [Path(spec.submodule_search_locations[0]) / folder / name for name in names]
    return files


def regions_of(photograph: Image.Image) -> Iterator[tuple[str, list[Image.Image]]]:
    """Yield name and tiles of every region without a tile of little contrast, row by row."""
    side = TILE * TILES
    for top in range(0, photograph.height - side + 1, side):
        for left in range(0, photograph.width - side + 1, side):
            corners = [
                (left + TILE * x, top + TILE * y) for y in range(TILES) for x in range(TILES)
            ]
            tiles = [photograph.crop((x, y, x + TILE, y + TILE)) for x, y in corners]
            if min(np.asarray(tile.convert("L")).std() for tile in tiles) >= MIN_CONTRAST:
                yield f"row{top // side:02}-column{left // side:02}", tiles


def all_tiles() -> Iterator[ClassImage]:
    """Yield the tiles of all photographs."""
    for file in photographs():
        photograph = Image.open(file).convert("RGB")
        if max(photograph.size) > MAX_SIDE:
            photograph = photograph.reduce(2)
        for name, tiles in regions_of(photograph):
            for i, tile in enumerate(tiles):
                yield ClassImage(file.stem, name, f"tile{i}", tile)


def photos() -> list[ClassImage]:
    """Return the tiles of photographs with enough regions."""
    return large_enough(distinct(all_tiles()), TILES**2, MIN_CLASSES)


def versions() -> dict[str, str]:
    """Return the versions of the packages that contain the photographs, and of Pillow."""
    photographs()
    packages = [package for _, package, *_ in SOURCES]
    return {name: importlib.metadata.version(name) for name in (*packages, "pillow")}


PHOTOS = ImageSet("tiles of regions of real photographs, 32 pixels", True, photos, versions)
