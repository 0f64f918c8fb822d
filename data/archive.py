"""Reads the files of Omniglot from zips or folders and recognises them by their content.

The name and the md5 of a zip do not matter: a repacked zip and an unpacked folder give the same
files.
"""

import io
import re
import zipfile
import zlib
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import numpy.typing as npt
from PIL import Image

from data.drawings import FULL_SIZE
from data.errors import InputError

Bitmap = npt.NDArray[np.uint8]

ARCHIVES = ("images_background", "images_evaluation", "all_runs")
# images_background/Greek/character01/0394_01.png: alphabet, character, drawer
DRAWING_PATH = re.compile(r"([^/]+)/(character\d+)/\d+_(\d\d)\.png$")
# run01/test/item01.png, run01/training/class01.png, run01/class_labels.txt
RUN_PATH = re.compile(
    r"(run\d\d/(?:class_labels\.txt|test/item\d\d\.png|training/class\d\d\.png))$"
)
RUN_FILES = ("class_labels.txt", "training/class01.png")  # a damaged run may have lost one
# Folders that may contain the archives: the root itself, or its subfolders as created by
# torchvision or by a clone of the official repository.
LAYOUTS = (
    "",
    "omniglot-py",
    "python",
    "python/one-shot-classification",
    "one-shot-classification",
)
REPOSITORY = "https://github.com/brendenlake/omniglot"
OMNIGLOT_URL = "https://raw.githubusercontent.com/brendenlake/omniglot/master/python"
URL_FOLDERS = {"all_runs": "one-shot-classification/"}  # of archives in a subfolder
MAX_FILE_BYTES = 1 << 20  # a drawing has about 250 bytes


def find_archives(root: Path) -> list[Path]:
    """Return the zips and folders that may contain a part of Omniglot.

    They are directly under ``root``, or where torchvision or the official repository puts them.
    """
    bases = [base for base in (root / name for name in LAYOUTS) if base.is_dir()]
    entries = [path for base in bases for path in sorted(base.iterdir())]
    return [
        path
        for path in entries
        if (path.is_dir() and (path.name in ARCHIVES or _is_lake_run(path)))
        or (path.is_file() and path.suffix == ".zip")
    ]


def contains_omniglot(root: Path) -> bool:
    """Return whether a folder contains a part of Omniglot, even a corrupt one.

    Zips with other content do not count.
    """
    return any(
        path.is_dir() or path.stem in ARCHIVES or _is_omniglot_zip(path)
        for path in find_archives(root)
    )


def archive_url(name: str) -> str:
    """Return the address of one of the ``ARCHIVES``."""
    return f"{OMNIGLOT_URL}/{URL_FOLDERS.get(name, '')}{name}.zip"


def archive_folder(root: Path) -> Path:
    """Return the folder for missing archives: the folder of the others under ``root``."""
    found = find_archives(root)
    return found[0].parent if found else root


def read_archive(path: Path) -> Iterator[tuple[str, bytes]]:
    """Yield name and content of every drawing and every run file in one zip or folder.

    Raises:
        InputError: the zip is corrupt, or a file in it is larger than ``MAX_FILE_BYTES``.
    """
    if path.is_dir():
        for file in sorted(path.rglob("*")):
            name = f"{path.name}/{file.relative_to(path).as_posix()}"
            if _is_omniglot_file(name) and file.is_file():
                yield name, file.read_bytes()
        return
    try:
        with zipfile.ZipFile(path) as archive:
            for info in archive.infolist():
                if _is_omniglot_file(info.filename):
                    if info.file_size > MAX_FILE_BYTES:
                        raise InputError(
                            f"A drawing must have at most {MAX_FILE_BYTES} bytes, but "
                            f"{info.filename} in {path} has {info.file_size}. Download {path.name} "
                            "again."
                        )
                    yield info.filename, archive.read(info)
    except (zipfile.BadZipFile, zlib.error, EOFError, OSError, RuntimeError) as error:
        raise InputError(
            f"{path} is a corrupt or unreadable zip ({error}). Delete it and download it again."
        ) from error


def decode_drawing(content: bytes, name: str) -> Bitmap:
    """Return one 105×105 drawing as uint8, ink 255, paper 0 (Deviation D8).

    Args:
        content: bytes of a PNG file.
        name: name of the file, for error messages.

    Raises:
        InputError: the file is not an image, or it is not 105×105 black on white.
    """
    try:
        with Image.open(io.BytesIO(content), formats=("PNG",)) as image:
            mode, size = image.mode, image.size
            pixels = np.asarray(image.convert("L")) if mode in ("1", "L") else None
    except (OSError, SyntaxError, ValueError, Image.DecompressionBombError) as error:
        raise InputError(
            f"{name} is not a readable image ({error}). Unpack its archive again."
        ) from error
    if size != (FULL_SIZE, FULL_SIZE) or pixels is None or not np.isin(pixels, (0, 255)).all():
        raise InputError(
            f"A drawing of Omniglot must be {FULL_SIZE}×{FULL_SIZE} and black on white, but {name} "
            f"is {size[0]}×{size[1]} of mode '{mode}'. Unpack its archive again."
        )
    return np.where(pixels == 0, 255, 0).astype(np.uint8)


def _is_lake_run(folder: Path) -> bool:
    """Return whether a folder is one of Lake's runs, not a user's group with such a name."""
    is_named_so = re.fullmatch(r"run\d\d", folder.name) is not None
    return is_named_so and any((folder / name).is_file() for name in RUN_FILES)


def _is_omniglot_zip(path: Path) -> bool:
    try:
        with zipfile.ZipFile(path) as archive:
            return any(map(_is_omniglot_file, archive.namelist()))
    except (zipfile.BadZipFile, OSError):
        return False


def _is_omniglot_file(name: str) -> bool:
    is_named_so = DRAWING_PATH.search(name) or RUN_PATH.search(name)
    return bool(is_named_so) and not name.startswith("__MACOSX")
