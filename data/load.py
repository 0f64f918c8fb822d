"""Loads a data set by its name: finds or downloads its files, reads them, and caches the result."""

import hashlib
import os
import tempfile
import warnings
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path

from data import cache, glyphs, omniglot
from data.archive import ARCHIVES, archive_url, contains_omniglot, find_archives
from data.arrays import REGISTERED, dataset_from_arrays
from data.division import Division
from data.drawings import FULL_SIZE
from data.episodes import Dataset
from data.errors import InputError
from data.files import short_name
from data.image_files import find_images
from data.image_folder import (
    FOLDER_VERSION,
    ImageFolder,
    base_dataset_name,
    inspect_folder,
    parse_dataset_name,
    read_image_folder,
)
from data.paths import VAR

ALL_RUNS_MD5 = "e8996daecdf12afeeb4a53a179f06b19"  # torchvision contains the md5 of the others


def find_data_root(data_root: Path | None) -> Path:
    """Return ``data_root`` if given, otherwise ``$OMNIGLOT_ROOT``, otherwise ``var``.

    Raises:
        InputError: the given folder does not exist.
    """
    root = data_root or (Path(p) if (p := os.environ.get("OMNIGLOT_ROOT")) else None)
    if root is not None and not root.is_dir():
        option = "--data-root" if data_root else "OMNIGLOT_ROOT"
        raise InputError(f"{option} must be a folder, but {root} is not. Correct the path.")
    return root or VAR


def download_omniglot(root: Path) -> None:
    """Download the official archives that are missing under ``root`` and check their md5.

    Raises:
        InputError: there is no internet connection, or a downloaded file is corrupt.
    """
    from torchvision.datasets import Omniglot
    from torchvision.datasets.utils import download_url

    md5s = {**Omniglot.zips_md5, "all_runs": ALL_RUNS_MD5}
    missing = missing_archives(root)
    for name in ARCHIVES:
        if name not in missing:
            continue
        url = archive_url(name)
        try:
            root.mkdir(parents=True, exist_ok=True)
            with tempfile.TemporaryDirectory(dir=root) as folder:
                download_url(url, folder, md5=md5s[name])
                for file in Path(folder).iterdir():
                    file.replace(root / file.name)
        except (OSError, RuntimeError) as error:
            raise InputError(
                f"{url} could not be downloaded ({error}). Put the zips of Omniglot under {root} "
                "yourself, or choose their folder with --data-root."
            ) from error


def missing_archives(root: Path) -> set[str]:
    """Return the names of the archives that ``root`` contains neither as a zip nor as a folder."""
    return set(ARCHIVES) - {archive.stem for archive in find_archives(root)}


def files_fingerprint(root: Path, files: Iterable[Path]) -> str:
    """Return a digest of path, size and modification time of the files of a data set."""
    lines = []
    for file in files:
        status = file.stat()
        lines.append(f"{file.relative_to(root)} {status.st_size} {status.st_mtime_ns}")
    return hashlib.sha256(os.fsencode("\n".join(lines))).hexdigest()


def omniglot_files(root: Path) -> Iterator[Path]:
    """Yield the zips and unpacked files under ``root`` from which Omniglot is read."""
    for archive in find_archives(root):
        yield from sorted(archive.rglob("*.*")) if archive.is_dir() else [archive]


def cache_path(name: str, image_size: int, division: Division | None = None) -> Path:
    """Return the path of a data set's cache file.

    Args:
        name: name of the data set.
        image_size: height and width in pixels.
        division: a user's own division of an image folder.
    """
    suffix = f"-{division.digest[:12]}" if division and parse_dataset_name(name) else ""
    return VAR / "cache" / f"{short_name(name)}-{image_size}{suffix}.npz"


def load_dataset(
    name: str = "omniglot",
    data_root: Path | None = None,
    image_size: int = 35,
    *,
    or_glyphs: bool = True,
    division: Division | None = None,
) -> Dataset:
    """Return a data set and its official test episodes at one image size.

    Args:
        name: ``"omniglot"``, ``"glyphs"``, or the name of an :class:`ImageFolder`.
        data_root: folder of the archives or images. Omniglot's default is ``$OMNIGLOT_ROOT`` or,
            if that is not set, ``var``, to which missing archives are downloaded.
        image_size: height and width in pixels; the paper uses 105, and 35 for its reduced model.
        or_glyphs: whether to return the built-in glyphs if Omniglot is not available.
        division: a user's own division of an image folder; other data is divided by
            :func:`data.splits.split_dataset`.

    Raises:
        InputError: the data is corrupt or incomplete, or the folder contains something else.

    Warns:
        UserWarning: Omniglot is neither on disk nor downloadable; the glyphs are returned.
    """
    if name in REGISTERED:
        base = name.partition("+")[0]
        size = image_size
        return dataset_from_arrays(*REGISTERED[name], image_size=size, name=base, division=division)
    if folder := parse_dataset_name(name):
        return _load_image_folder(folder, data_root, image_size, division)
    if name == "glyphs":
        source = f"version {glyphs.GLYPHS_VERSION}"
        return _load_cached("glyphs", image_size, source, glyphs.make_glyphs)
    root = find_data_root(data_root)
    if root == VAR and missing_archives(root):
        try:
            download_omniglot(root)
        except InputError as error:
            if not or_glyphs or find_archives(root):  # a part of Omniglot is there
                raise
            text = f"{error} Using the built-in glyphs instead of Omniglot."
            warnings.warn(text, stacklevel=2)
            return load_dataset("glyphs", image_size=image_size)
    source = files_fingerprint(root, omniglot_files(root))
    return _load_cached("omniglot", image_size, source, lambda: omniglot.read_omniglot(root))


def resolve_dataset_name(
    data: str,
    data_root: Path | None,
    split_by: str | None,
    colour: bool,
    distinct: bool = False,
) -> str:
    """Return the name of the data set that the command-line flags select.

    Args:
        data: ``"glyphs"``, or ``"omniglot"`` for Omniglot or the image folder at ``data_root``.
        data_root: folder given by the user, or None.
        split_by: option of an image folder; see :func:`data.image_folder.inspect_folder`.
        colour: option of an image folder: whether images keep their colours.
        distinct: option of an image folder: whether only one copy of each image is read.

    Raises:
        InputError: the folder contains neither Omniglot nor an image folder, or options of an image
            folder are given for other data.
    """
    if data in REGISTERED:
        return data
    if data == "omniglot" and data_root and not contains_omniglot(find_data_root(data_root)):
        return inspect_folder(data_root, split_by, colour, distinct).name
    if split_by or colour or distinct:
        raise InputError(
            "--split-by, --same-name-is-same-class, --drop-duplicates and --colour are only for a "
            "folder of your own images. Choose the folder with --data-root, or remove the flags."
        )
    return data


def image_folder_name(data_root: Path | None) -> str | None:
    """Return an image folder's name as a data set, without options.

    Args:
        data_root: folder given by the user, or None.

    Returns:
        The name; None if no folder is given or it contains Omniglot.

    Raises:
        InputError: the folder does not exist.
    """
    if data_root is None or contains_omniglot(find_data_root(data_root)):
        return None
    return base_dataset_name(data_root)


def _load_cached(name: str, image_size: int, source: str, read: Callable[[], Dataset]) -> Dataset:
    """Return a data set at one size from its cache file, which is written if it is missing."""
    path = cache_path(name, image_size)
    dataset = cache.read_cache(path, source)
    if dataset is None:
        full = read() if image_size == FULL_SIZE else _load_cached(name, FULL_SIZE, source, read)
        dataset = Dataset(cache.resize_drawings(full.drawings, image_size), full.official)
        cache.write_cache(path, dataset, source)
    return dataset


def _load_image_folder(
    folder: ImageFolder, data_root: Path | None, image_size: int, division: Division | None
) -> Dataset:
    """Return the images under a folder; each size is read from the files and cached separately."""
    if data_root is None or not data_root.is_dir():
        raise InputError(
            f"Data set '{folder.name}' is a folder of images, but --data-root is "
            f"{data_root or 'not given'}. Choose its folder with "
            "--data-root, or another --study-name."
        )
    source = f"version {FOLDER_VERSION}, {files_fingerprint(data_root, find_images(data_root))}"
    source += f", {division.digest}" if division else ""
    path = cache_path(folder.name, image_size, division)
    if (dataset := cache.read_cache(path, source)) is None:
        dataset = read_image_folder(data_root, folder, image_size, division)
        cache.write_cache(path, dataset, source)
    return dataset
