"""Writes an image set as a folder ``group/class/images`` and describes what was written."""

import hashlib
from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import NamedTuple

from PIL import Image

from data.errors import InputError
from data.files import make_folder


class ClassImage(NamedTuple):
    """An image, its class and the group of the class; ``origin`` becomes the name of its file."""

    group: str
    label: str
    origin: str
    image: Image.Image


@dataclass(frozen=True)
class ImageSet:
    """How an image set is made.

    Args:
        source: what the images are, in one sentence.
        real: whether photographs or scans were made of the world; otherwise a program drew them.
        make: returns the images in a fixed order.
        versions: returns the version of everything on which the images depend.
    """

    source: str
    real: bool
    make: Callable[[], Iterable[ClassImage]]
    versions: Callable[[], dict[str, str]]


@dataclass(frozen=True)
class SetSummary:
    """What an image set contains; ``digest`` identifies the names and pixels of its images."""

    name: str
    source: str
    real: bool
    groups: int
    classes: int
    images: int
    least_classes_of_a_group: int
    least_images_of_a_class: int
    digest: str
    made_from: dict[str, str]

    def to_dict(self) -> dict[str, object]:
        """Return the fields by name, as the file of results has them."""
        return asdict(self)


def pixels_digest(image: Image.Image) -> str:
    """Return the SHA-256 of mode, size and pixels, which no compression of a file changes."""
    header = f"{image.mode} {image.width} {image.height} ".encode()
    return hashlib.sha256(header + image.tobytes()).hexdigest()


def distinct(images: Iterable[ClassImage]) -> Iterator[ClassImage]:
    """Yield the images without those whose pixels equal an earlier image's, of any class."""
    seen: set[str] = set()
    for each in images:
        digest = pixels_digest(each.image)
        if digest not in seen:
            seen.add(digest)
            yield each


def large_enough(
    images: Iterable[ClassImage], min_images: int, min_classes: int
) -> list[ClassImage]:
    """Return the images of classes with enough images, in groups with enough such classes.

    Args:
        images: all images.
        min_images: least number of images of a class.
        min_classes: least number of classes of a group.
    """
    kept = [*images]
    n_images = Counter((each.group, each.label) for each in kept)
    classes = {key for key, n in n_images.items() if n >= min_images}
    n_classes = Counter(group for group, _ in classes)
    return [
        each
        for each in kept
        if (each.group, each.label) in classes and n_classes[each.group] >= min_classes
    ]


def write_set(root: Path, name: str, image_set: ImageSet) -> SetSummary:
    """Write an image set as PNG files to a new folder and return what it contains.

    Args:
        root: folder of the sets; the set becomes its subfolder ``name``.
        name: name of the set.
        image_set: how it is made.

    Raises:
        InputError: the subfolder is not empty, or a source of the set is missing.
    """
    folder = root / name
    if folder.exists() and any(folder.iterdir()):
        raise InputError(
            f"The folder of a set must be new or empty, but {folder} is not. Delete it, or choose "
            "another --out."
        )
    made_from, images = image_set.versions(), [*image_set.make()]
    lines = []
    for each in images:
        relative = f"{each.group}/{each.label}/{each.origin}.png"
        path = folder / relative
        make_folder(path.parent)
        each.image.save(path)
        lines.append(f"{relative} {pixels_digest(each.image)}\n")
    assert len({*lines}) == len({line.split()[0] for line in lines}) == len(lines), name
    n_images = Counter((each.group, each.label) for each in images)
    n_classes = Counter(group for group, _ in n_images)
    return SetSummary(
        name=name,
        source=image_set.source,
        real=image_set.real,
        groups=len(n_classes),
        classes=len(n_images),
        images=len(images),
        least_classes_of_a_group=min(n_classes.values()),
        least_images_of_a_class=min(n_images.values()),
        digest=hashlib.sha256("".join(sorted(lines)).encode()).hexdigest(),
        made_from=made_from,
    )
