"""Creates folders, and writes files completely or not at all."""

import getpass
import os
import re
import tempfile
from collections.abc import Callable
from pathlib import Path

from data.errors import InputError


def safe_name(text: str) -> str:
    """Return a text as the name of one file: special characters become underscores."""
    return re.sub(r"[^\w.+-]", "_", text)


def user_id() -> str:
    """Return the number of the user of this process; on Windows, the name."""
    return str(os.getuid()) if hasattr(os, "getuid") else safe_name(getpass.getuser())


def make_folder(path: Path) -> None:
    """Create a folder and its parents if they do not exist.

    Raises:
        InputError: the folder cannot be created.
    """
    try:
        path.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise InputError(
            f"Folder {path} cannot be created ({error}). Check the path, its permissions and the "
            "free disk space."
        ) from error


def write_atomically(path: Path, write: Callable[[Path], object]) -> None:
    """Write a temporary file in the folder of ``path``, then rename it to ``path``.

    Args:
        path: file to write; a symbolic link is followed.
        write: function that fills the temporary file whose path it receives.

    Raises:
        InputError: ``path`` is a folder or a device, its folder is not writable, or the disk is
            full. ``path`` is then unchanged.
    """
    temporary = None
    try:
        path = path.resolve()  # write the target of a link, do not replace the link
        if path.exists() and not path.is_file():
            raise OSError("not a regular file")
        path.parent.mkdir(parents=True, exist_ok=True)
        handle, name = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.")
        os.close(handle)
        temporary = Path(name)
        write(temporary)
        with temporary.open("rb") as file:
            os.fsync(file.fileno())
        temporary.chmod(0o644)  # mkstemp's 0600 would lock out other users of a shared folder
        temporary.replace(path)
    except OSError as error:
        raise InputError(
            f"{path} cannot be written ({error}). Check the path, its permissions and the free "
            "disk space."
        ) from error
    finally:
        if temporary is not None:
            temporary.unlink(missing_ok=True)
