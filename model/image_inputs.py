"""The images that a user compares: which files, of which classes, and their pixels.

Tensor suffixes: H W pixels.
"""

import os
import sys
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from torch import Tensor
from tqdm import tqdm

from data.errors import InputError
from data.image_files import expand_folders, find_images
from data.image_folder import parse_dataset_name
from data.images import read_brightness, read_square_image
from data.preparation import Preparation, prepare_drawing

MAX_THREADS = 4  # each may hold a large photograph
MIN_FILES_FOR_PROGRESS = 50  # fewer files are read without a progress bar


def split_inputs(images: Sequence[Path], support: Sequence[Path]) -> tuple[list[Path], list[Path]]:
    """Return queries and support set; without a support set, two images are compared.

    Args:
        images: image files, and folders of them.
        support: image files and folders of the support set; may be empty.

    Raises:
        InputError: there is no support set and not exactly two images, or a path does not exist.
    """
    files = expand_folders(images)
    if support:
        return files, list(support)
    if len(files) != 2:
        raise InputError(
            f"Without --support there must be two images, but there are {len(files)}. Pass two, or "
            "add --support with the images to compare them with."
        )
    return files[:1], files[1:]


def support_classes(paths: Sequence[Path]) -> dict[str, list[Path]]:
    """Return the files of each class of a support set, by the name of the class.

    Args:
        paths: image files, each of them a class; folders, in which each subfolder and each image
            next to the subfolders is a class.

    Raises:
        InputError: a path does not exist, or a folder contains no image.
    """
    classes: dict[str, list[Path]] = {}
    for path in paths:
        new = _folder_classes(path) if path.is_dir() else {str(path): expand_folders([path])}
        for name, files in new.items():
            while name in classes:  # equal names in different folders are different classes
                name = f"{path}/{name}"
            classes[name] = files
    return classes


def image_reader(data: str, image_size: int, preparation: Preparation) -> Callable[[Path], Tensor]:
    """Return a function that reads a file as an image like those that a network was trained on.

    Args:
        data: name of the data set that the network was trained on.
        image_size: height and width of the network's input in pixels. Drawings are always
            read at 105 pixels.
        preparation: how images become drawings.

    Returns:
        A function from a file to a uint8 H×W image (3×H×W if the data set has colours).

    Raises:
        InputError: a preparation was chosen, but the network was trained on unprepared images.
    """
    if folder := parse_dataset_name(data):
        if preparation != Preparation():
            raise InputError(
                f"The network was trained on unprepared images of '{data}', so --invert, "
                "--no-binarize and --no-preprocess do not apply. Remove these flags."
            )
        return lambda file: read_square_image(file, image_size, colour=folder.colour)
    return lambda file: prepare_drawing(read_brightness(file), preparation, str(file))


def read_images(
    files: Sequence[Path], read: Callable[[Path], Tensor]
) -> tuple[dict[Path, Tensor], dict[Path, str]]:
    """Return the images of files, and the error messages of the files that cannot be read.

    Several threads read the files.

    Args:
        files: files to read, each of them once.
        read: function of :func:`image_reader`.
    """

    def try_to_read(file: Path) -> Tensor | str:
        try:
            return read(file)
        except InputError as error:
            return str(error)

    hide_progress = len(files) < MIN_FILES_FOR_PROGRESS or not sys.stderr.isatty()
    with (
        ThreadPoolExecutor(min(MAX_THREADS, os.cpu_count() or 1)) as pool,
        tqdm(
            pool.map(try_to_read, files),
            total=len(files),
            unit="image",
            file=sys.stderr,
            leave=False,
            disable=hide_progress,
        ) as outcomes,
    ):
        outcome_of = dict(zip(files, outcomes, strict=True))
    images = {file: image for file, image in outcome_of.items() if isinstance(image, Tensor)}
    errors = {file: message for file, message in outcome_of.items() if isinstance(message, str)}
    return images, errors


def _folder_classes(folder: Path) -> dict[str, list[Path]]:
    classes: dict[str, list[Path]] = {}
    for file in find_images(folder, warn=True):
        if file.parent != folder:
            classes.setdefault(file.parent.relative_to(folder).as_posix(), []).append(file)
        else:
            classes[file.stem if file.stem not in classes else file.name] = [file]
    return classes
