"""Files that are written whole or not at all."""

import os
import re
import tempfile
from collections.abc import Callable
from pathlib import Path

from data.errors import InputError


def safe_name(text: str) -> str:
    """Return a name for a file or a folder: what might lead elsewhere becomes an underscore."""
    return re.sub(r"[^\w.+-]", "_", text)


def make_folder(path: Path) -> None:
    """Make a folder with its parents, unless it is there.

    Raises:
        InputError: it cannot be made.
    """
    try:
        path.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise InputError(
            f"Folder {path} cannot be made ({error}). Free space, or make its parent writable."
        ) from error


def write_atomically(path: Path, write: Callable[[Path], object]) -> None:
    """Let ``write`` fill a temporary file beside ``path``, then rename it.

    Raises:
        InputError: ``path`` is a folder or a device, its folder cannot be written, or the disk is
            full; ``path`` is as it was.
    """
    temporary = None
    try:
        path = path.resolve()  # what a link leads to is written, not the link
        if path.exists() and not path.is_file():
            raise OSError("it is there, and no file")
        path.parent.mkdir(parents=True, exist_ok=True)
        handle, name = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.")
        os.close(handle)
        temporary = Path(name)
        write(temporary)
        with temporary.open("rb") as file:
            os.fsync(file.fileno())
        temporary.chmod(0o644)  # mkstemp's 0600 would lock out the other users of a shared folder
        temporary.replace(path)
    except OSError as error:
        raise InputError(
            f"{path} cannot be written ({error}). Free space there, or make the folder writable."
        ) from error
    finally:
        if temporary is not None:
            temporary.unlink(missing_ok=True)
