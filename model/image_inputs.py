"""The images that are given to compare.py: which ones, of which classes, and their pixels."""

import os
import sys
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from pathlib import Path

from torch import Tensor
from tqdm import tqdm

from data.errors import InputError
from data.image_folder import parse_dataset_name, read_pixels
from data.images import expand_folders, image_files, read_brightness
from data.preparation import Preparation, prepare_drawing

MAX_THREADS = 4  # each may hold a large photograph


def split_inputs(queries: Sequence[Path], support: Sequence[Path]) -> tuple[list[Path], list[Path]]:
    """Return queries and support; without a support, two images are compared with each other.

    Raises:
        InputError: neither.
    """
    files = expand_folders(queries)
    if support:
        return files, list(support)
    if len(files) != 2:
        raise InputError(
            f"Without --support two images are compared, not {len(files)}. Name two, or say with "
            "--support what the others shall be compared with."
        )
    return files[:1], files[1:]


def support_classes(paths: Sequence[Path]) -> dict[str, list[Path]]:
    """Return the support's classes: of a folder its subfolders, else every image is one.

    Raises:
        InputError: a path does not exist, or a folder holds no image.
    """
    found: dict[str, list[Path]] = {}
    for path in paths:
        for name, files in (
            _of_folder(path).items() if path.is_dir() else [(str(path), expand_folders([path]))]
        ):
            while name in found:  # equal names in different folders are different classes
                name = f"{path}/{name}"
            found[name] = files
    return found


def _of_folder(folder: Path) -> dict[str, list[Path]]:
    """Return the classes of one folder."""
    found: dict[str, list[Path]] = {}
    for file in image_files(folder):
        if file.parent != folder:
            found.setdefault(file.parent.relative_to(folder).as_posix(), []).append(file)
        else:
            found[file.stem if file.stem not in found else file.name] = [file]
    return found


def image_reader(data: str, image_size: int, how: Preparation) -> Callable[[Path], Tensor]:
    """Return what makes a file the uint8 image that a network has been trained on the like of.

    Args:
        data: name of the data set that the network was trained on.
        image_size: the network's; of drawings, images of 105 pixels are made first.
        how: images become drawings.

    Raises:
        InputError: a preparation is asked for where the images were trained on as they are.
    """
    if tree := parse_dataset_name(data):
        if how != Preparation():
            raise InputError(
                f"The network was trained on images of '{data}' as they are, and sees others "
                "alike. Leave out --invert, --no-binarize and --no-preprocess."
            )
        return lambda file: read_pixels(file, image_size, colour=tree.colour)
    return lambda file: prepare_drawing(read_brightness(file), how, str(file))


def read_images(
    files: Sequence[Path], read: Callable[[Path], Tensor]
) -> tuple[dict[Path, Tensor], dict[Path, str]]:
    """Return the uint8 images of files, all of one size, and what is wrong with the other files.

    Some threads read them.
    """

    def attempt(file: Path) -> Tensor | str:
        try:
            return read(file)
        except InputError as error:
            return str(error)

    bar = partial(tqdm, total=len(files), unit="image", file=sys.stderr, leave=False)
    with ThreadPoolExecutor(min(MAX_THREADS, os.cpu_count() or 1)) as pool:
        found = pool.map(attempt, files)
        quiet = len(files) < 50 or not sys.stderr.isatty()
        outcomes = dict(zip(files, bar(found, disable=quiet), strict=True))
    drawn = {file: each for file, each in outcomes.items() if isinstance(each, Tensor)}
    return drawn, {file: each for file, each in outcomes.items() if isinstance(each, str)}
