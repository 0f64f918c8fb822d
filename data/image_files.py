"""Finds the image files of a folder by their content, and counts what is left out."""

import importlib.util
import os
import warnings
from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping
from contextlib import suppress
from dataclasses import dataclass
from functools import cache, lru_cache
from pathlib import Path

from PIL import Image, UnidentifiedImageError

from data.errors import InputError
from data.files import file_repair
from data.text import make_printable

# Formats with a signature that Pillow decodes itself: PostScript, for example, would start a
# program. The most frequent ones come first: Pillow loads its other decoders when it needs one.
IMAGE_FORMATS = (
    *("PNG", "JPEG", "GIF", "TIFF", "WEBP", "BMP", "PPM"),
    *("AVIF", "JPEG2000", "ICO", "PSD", "QOI", "SGI", "SUN", "DDS"),
)
# Files with these suffixes count as images whatever their content; damaged ones are refused.
SUFFIXES = (
    *(".png", ".jpg", ".jpeg", ".gif", ".tif", ".tiff"),
    *(".webp", ".bmp", ".pbm", ".pgm", ".ppm"),
)
SYSTEM_FOLDERS = ("@eadir", "#recycle", "@recycle", "$recycle.bin", "lost+found", "__macosx")
HEIF_BRANDS = (b"heic", b"heix", b"heim", b"heis", b"hevc", b"hevx", b"mif1", b"msf1")
IMAGE, FOLDER, DEAD_LINK = "image", "folder", "dead link"
HIDDEN, SYSTEM_FOLDER, NO_SUFFIX = "hidden", "(system folder)", "without suffix"
MAX_NAMES = 5  # of folders without an image
HEIC = "HEIC (uv sync --extra heic reads them)"


@dataclass(frozen=True)
class FolderScan:
    """The images of a folder and its subfolders, and what is left out.

    Args:
        images: files of the images, sorted by path.
        left_out: number of other files and folders, by kind: the suffix, hidden, …
        empty: topmost subfolders without an image, relative to the folder.
    """

    images: list[Path]
    left_out: dict[str, int]
    empty: list[Path]

    def notes(self) -> list[str]:
        """Return what is unusual as short texts: suffixes, files left out, empty subfolders."""
        others = (path for path in self.images if not path.name.lower().endswith(SUFFIXES))
        by_content = _counts(Counter(path.suffix.lower() or NO_SUFFIX for path in others))
        left_out = _counts(self.left_out)
        names = ", ".join(folder.as_posix() for folder in self.empty[:MAX_NAMES])
        more = f" and {len(self.empty) - MAX_NAMES:,} more" if len(self.empty) > MAX_NAMES else ""
        return [
            *([f"recognised by content: {by_content}"] if by_content else []),
            *([f"left out: {left_out}"] if left_out else []),
            *([f"folders without an image: {names}{more}"] if names else []),
        ]

    @property
    def is_complete(self) -> bool:
        """Whether only hidden files and system folders are left out, and no subfolder is empty."""
        hidden = (kind == HIDDEN or kind.endswith(SYSTEM_FOLDER) for kind in self.left_out)
        return all(hidden) and not self.empty


@cache
def image_formats() -> tuple[str, ...]:
    """Return the formats that are read, with HEIC if ``pillow-heif`` is installed."""
    if importlib.util.find_spec("pillow_heif") is None:
        return IMAGE_FORMATS
    import pillow_heif

    pillow_heif.register_heif_opener()
    return (*IMAGE_FORMATS, "HEIF")


def needs_pillow_heif(path: Path) -> bool:
    """Return whether a file has the signature of HEIC, but ``pillow-heif`` is not installed."""
    with suppress(OSError), path.open("rb") as file:
        head = file.read(12)
        is_heif = head[4:8] == b"ftyp" and head[8:] in HEIF_BRANDS
        return is_heif and "HEIF" not in image_formats()
    return False


def scan_folder(folder: Path) -> FolderScan:
    """Return the images under a folder and the number of files and folders that are left out.

    Hidden files and folders and the folders of file servers are left out; links are followed.

    Raises:
        InputError: a link leads to nothing, or a folder or file cannot be read.
    """
    found: defaultdict[str, list[Path]] = defaultdict(list)
    try:
        _walk(folder, found)
    except OSError as error:
        raise InputError(f"{folder} cannot be read ({error}). {file_repair(error)}") from error
    images, folders, dead = (sorted(found.pop(k, [])) for k in (IMAGE, FOLDER, DEAD_LINK))
    if dead:
        raise InputError(
            f"Links must lead to a file or folder, but {len(dead)} under {folder} do not; the "
            f"first is {dead[0]}. Restore their targets, or remove the links."
        )
    left_out = {kind: len(paths) for kind, paths in found.items()}
    return FolderScan(images, left_out, _empty_folders(folder, folders, images))


def find_images(folder: Path, *, warn: bool = False) -> list[Path]:
    """Return all images under a folder, sorted by path; see :func:`scan_folder`.

    Args:
        folder: folder to search.
        warn: whether to warn if anything but hidden files and system folders is left out.

    Raises:
        InputError: there is no image, a link leads to nothing, or a folder cannot be read.
    """
    scan = scan_folder(folder)
    if not scan.images:
        notes = " · ".join(scan.notes())
        raise InputError(
            f"{folder} must contain images, but has none{notes and f' ({notes})'}. Choose another "
            "folder."
        )
    if warn and not scan.is_complete:
        warnings.warn(make_printable(f"{folder}: {' · '.join(scan.notes())}"), stacklevel=2)
    return scan.images


def expand_folders(paths: Iterable[Path]) -> list[Path]:
    """Return the paths with each folder replaced by the images under it.

    Raises:
        InputError: a path does not exist or is a device, or a folder has no image.

    Warns:
        UserWarning: a folder contains files that are not images.
    """
    files: list[Path] = []
    for path in paths:
        if not path.exists():
            raise InputError(f"{path} does not exist. Correct the path.")
        if not (path.is_dir() or path.is_file()):
            raise InputError(f"{path} is neither a file nor a folder. Correct the path.")
        files += find_images(path, warn=True) if path.is_dir() else [path]
    return files


def _counts(numbers: Mapping[str, int]) -> str:
    """Return numbers by kind as text, the largest first."""
    kinds = sorted(numbers.items(), key=lambda kind: (-kind[1], kind[0]))
    return ", ".join(f"{n:,} {kind}" for kind, n in kinds)


def _walk(folder: Path, found: defaultdict[str, list[Path]]) -> None:
    """Add the path of everything under a folder to the list of its kind."""
    with os.scandir(folder) as entries:
        for entry in entries:
            path = folder / entry.name
            kind = _kind(entry, path)
            found[kind].append(path)
            if kind == FOLDER:
                _walk(path, found)


def _kind(entry: os.DirEntry[str], path: Path) -> str:
    """Return ``IMAGE``, ``FOLDER`` or ``DEAD_LINK``, or the kind of what is left out."""
    if entry.name.startswith("."):
        return HIDDEN
    is_link = entry.is_symlink()
    target = path if is_link else entry  # Path.is_dir also accepts a link to itself
    if target.is_file():
        return IMAGE if entry.name.lower().endswith(SUFFIXES) else _kind_by_content(path)
    if target.is_dir():
        if entry.name.casefold() in SYSTEM_FOLDERS:
            return f"{entry.name} {SYSTEM_FOLDER}"
        return "cyclic link" if is_link and _is_cyclic_link(path) else FOLDER
    return DEAD_LINK if is_link and not path.exists() else "device"


def _empty_folders(root: Path, folders: list[Path], images: list[Path]) -> list[Path]:
    """Return the topmost folders under ``root`` without an image, also in their subfolders."""
    full = {root}
    for folder in {image.parent for image in images}:
        full |= {folder, *folder.parents}
    empty = (folder for folder in folders if folder not in full and folder.parent in full)
    return [folder.relative_to(root) for folder in empty]


def _kind_by_content(path: Path) -> str:
    """Return ``IMAGE``, or the kind of a file that is not an image or cannot be decoded."""
    status = path.stat()
    if _has_image_header(path, status.st_size, status.st_mtime_ns):
        return IMAGE
    return HEIC if needs_pillow_heif(path) else path.suffix.lower() or NO_SUFFIX


@lru_cache(maxsize=1 << 20)
def _has_image_header(path: Path, size: int, mtime_ns: int) -> bool:
    """Return whether a file has the header of an image; size and time identify its content."""
    with path.open("rb") as file, warnings.catch_warnings(action="ignore"):
        try:
            with Image.open(file, formats=image_formats()):
                return True
        except Image.DecompressionBombError:
            return True  # reading it reports its size
        except (UnidentifiedImageError, ValueError, OSError, EOFError, KeyError):
            return False


def _is_cyclic_link(path: Path) -> bool:
    """Return whether a path is a link to one of its own parents, even through other links."""
    target = path.resolve()
    return any(parent.resolve().is_relative_to(target) for parent in path.parents)
