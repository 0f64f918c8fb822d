"""From a name and a place to a data set: find it, fetch it, pack it, keep it packed."""

import hashlib
import os
import tempfile
import warnings
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path

from data import cache, glyphs, omniglot
from data.archive import ARCHIVES, find_containers, holds_omniglot
from data.drawings import FULL_SIZE
from data.episodes import Dataset
from data.errors import InputError
from data.files import safe_name
from data.image_folder import (
    FOLDER_VERSION,
    ImageFolder,
    folder_name,
    inspect_folder,
    parse_dataset_name,
    read_image_folder,
)
from data.images import image_files
from data.paths import VAR

ALL_RUNS = ("one-shot-classification/all_runs.zip", "e8996daecdf12afeeb4a53a179f06b19")


def find_data_root(data_root: Path | None) -> Path:
    """Return ``data_root``, else ``$OMNIGLOT_ROOT``, else ``var``.

    Raises:
        InputError: a folder was named and does not exist.
    """
    named = data_root or (Path(p) if (p := os.environ.get("OMNIGLOT_ROOT")) else None)
    if named is not None and not named.is_dir():
        origin = "--data-root" if data_root else "OMNIGLOT_ROOT"
        raise InputError(f"{origin} must be a folder, but {named} is none. Correct the path.")
    return named or VAR


def download_omniglot(root: Path) -> None:
    """Fetch the official archives that ``root`` lacks, with md5 and a progress bar.

    Raises:
        InputError: no network, or a file arrived damaged.
    """
    from torchvision.datasets import Omniglot
    from torchvision.datasets.utils import download_url

    prefix = Omniglot.download_url_prefix
    md5s = Omniglot.zips_md5
    wanted = {f"{prefix}/{name}.zip": md5s[name] for name in ARCHIVES if name in md5s}
    wanted[f"{prefix}/{ALL_RUNS[0]}"] = ALL_RUNS[1]
    wanted = {url: md5 for url, md5 in wanted.items() if Path(url).stem in missing_parts(root)}
    for url, md5 in wanted.items():
        try:
            root.mkdir(parents=True, exist_ok=True)
            with tempfile.TemporaryDirectory(dir=root) as folder:
                download_url(url, folder, md5=md5)
                for file in Path(folder).iterdir():
                    file.replace(root / file.name)
        except (OSError, RuntimeError) as error:
            raise InputError(
                f"{url} could not be fetched ({error}). Put the zips of Omniglot under {root} "
                "yourself, or name their folder with --data-root."
            ) from error


def missing_parts(root: Path) -> set[str]:
    """Return which archives lie under ``root`` neither as a zip nor as a folder, by their names."""
    return set(ARCHIVES) - {container.stem for container in find_containers(root)}


def fingerprint(root: Path, files: Iterable[Path]) -> str:
    """Return a digest of name, size and time of every file that a data set is read from."""
    lines = []
    for file in files:
        status = file.stat()
        lines.append(f"{file.relative_to(root)} {status.st_size} {status.st_mtime_ns}")
    return hashlib.sha256(os.fsencode("\n".join(lines))).hexdigest()


def omniglot_files(root: Path) -> Iterator[Path]:
    """Yield the files that Omniglot is read from."""
    for container in find_containers(root):
        yield from sorted(container.rglob("*.*")) if container.is_dir() else [container]


def packed_path(name: str, image_size: int) -> Path:
    """Return where a data set is kept packed."""
    return VAR / "cache" / f"{safe_name(name)}-{image_size}.npz"


def _cached(name: str, image_size: int, source: str, make: Callable[[], Dataset]) -> Dataset:
    """Return the data set at one size from ``var``, making and keeping it where it is not there."""
    path = packed_path(name, image_size)
    packed = cache.load_packed(path, source)
    if packed is None:
        full = make() if image_size == FULL_SIZE else _cached(name, FULL_SIZE, source, make)
        packed = Dataset(cache.resize_drawings(full.drawings, image_size), full.official)
        cache.save_packed(path, packed, source)
    return packed


def load_dataset(
    name: str = "omniglot",
    data_root: Path | None = None,
    image_size: int = 35,
    *,
    or_glyphs: bool = True,
) -> Dataset:
    """Return a data set and its official test at one image size.

    Args:
        name: ``"omniglot"``, ``"glyphs"`` for the built-in ones, or that of a :class:`Tree`.
        data_root: folder of the archives; else ``$OMNIGLOT_ROOT``, else ``var``, where they are
            downloaded to when they are nowhere.
        image_size: pixels; 105 is the paper's, 35 its reduced model's.
        or_glyphs: whether the built-in glyphs may take Omniglot's place.

    Raises:
        InputError: what was found is torn, incomplete or something else.

    Warns:
        UserWarning: neither data nor network; the glyphs are returned instead.
    """
    if tree := parse_dataset_name(name):
        return _load_tree(tree, data_root, image_size)
    if name == "glyphs":
        return _cached("glyphs", image_size, f"version {glyphs.GLYPHS_VERSION}", glyphs.make_glyphs)
    root = find_data_root(data_root)
    if root == VAR and missing_parts(root):
        try:
            download_omniglot(root)
        except InputError as error:
            if not find_containers(root):  # else reading says what is missing, if anything is
                if not or_glyphs:
                    raise
                text = f"{error} Using the built-in glyphs instead of Omniglot."
                warnings.warn(text, stacklevel=2)
                return load_dataset("glyphs", image_size=image_size)
    source = fingerprint(root, omniglot_files(root))
    return _cached("omniglot", image_size, source, lambda: omniglot.read_omniglot(root))


def dataset_name(data: str, data_root: Path | None, split_by: str | None, colour: bool) -> str:
    """Return the name of the data set that is asked for.

    Args:
        data: ``"omniglot"``, which stands for whatever ``data_root`` holds, or ``"glyphs"``.
        data_root: a folder that was named, or None.
        split_by: of a tree; see :func:`data.image_folder.inspect_folder`.
        colour: of a tree.

    Raises:
        InputError: the folder holds neither Omniglot nor a tree, or it is Omniglot and a tree's
            options were given.
    """
    if data == "omniglot" and data_root and not holds_omniglot(find_data_root(data_root)):
        return inspect_folder(data_root, split_by, colour).name
    if split_by or colour:
        raise InputError(
            "--split-by and --colour are for a folder of images of your own. Name it with "
            "--data-root, or leave them out."
        )
    return data


def image_folder_name(data_root: Path | None) -> str | None:
    """Return the name of a folder of images of one's own, None for Omniglot's or none.

    Raises:
        InputError: the folder does not exist.
    """
    return (
        folder_name(data_root)
        if data_root and not holds_omniglot(find_data_root(data_root))
        else None
    )


def _load_tree(tree: ImageFolder, data_root: Path | None, image_size: int) -> Dataset:
    """Return the images under a folder; unlike Omniglot's they are not enlarged from a cache."""
    if data_root is None or not data_root.is_dir():
        raise InputError(
            f"Data set '{tree.name}' is a folder of images, but --data-root names "
            f"{data_root or 'none'}. Name its folder, or another --study-name."
        )
    source = f"version {FOLDER_VERSION}, {fingerprint(data_root, image_files(data_root))}"
    path = packed_path(tree.name, image_size)
    if (packed := cache.load_packed(path, source)) is None:
        packed = read_image_folder(data_root, tree, image_size)
        cache.save_packed(path, packed, source)
    return packed
