"""Creates folders, and writes files completely or not at all."""

import errno
import getpass
import os
import re
import tempfile
from collections.abc import Callable
from hashlib import sha256
from pathlib import Path

from data.errors import InputError

MAX_NAME_BYTES = 200  # most file systems allow 255; the rest is for suffixes

CORRECT_PATH = "Correct the path."
REPAIRS = {
    errno.ENAMETOOLONG: "Choose a shorter name.",
    **dict.fromkeys((errno.ENOSPC, errno.EDQUOT), "Free some disk space."),
    **dict.fromkeys((errno.EACCES, errno.EPERM), "Change the permissions, or choose another path."),
    errno.EROFS: "Choose a path that is not read-only.",
    **dict.fromkeys((errno.ENOENT, errno.ENOTDIR, errno.EISDIR, errno.EEXIST), CORRECT_PATH),
}


def file_repair(error: OSError) -> str:
    """Return how the user can fix an error of the file system, as a sentence."""
    default = "Check the path, its permissions and the free disk space."
    return REPAIRS.get(error.errno or 0, default)


def safe_name(text: str) -> str:
    """Return a text as the name of one file: special characters become underscores."""
    return re.sub(r"[^\w.+-]", "_", text)


def short_name(text: str) -> str:
    """Return a text as the name of one file; a long one ends in its digest.

    Args:
        text: text such as the name of a study, of any length.
    """
    name = safe_name(text)
    if len(name.encode()) <= MAX_NAME_BYTES:
        return name
    digest = sha256(name.encode()).hexdigest()[:12]
    return f"{_first_bytes(name, MAX_NAME_BYTES - len(digest) - 1)}-{digest}"


def _first_bytes(text: str, n: int) -> str:
    """Return the characters of the first ``n`` bytes of a text in UTF-8."""
    return text.encode(errors="ignore")[:n].decode(errors="ignore")


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
            f"Folder {path} cannot be created ({error}). {file_repair(error)}"
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
        handle, name = tempfile.mkstemp(
            dir=path.parent, prefix=f".{_first_bytes(path.name, MAX_NAME_BYTES)}."
        )
        os.close(handle)
        temporary = Path(name)
        write(temporary)
        with temporary.open("rb") as file:
            os.fsync(file.fileno())
        temporary.chmod(0o644)  # mkstemp's 0600 would lock out other users of a shared folder
        temporary.replace(path)
    except OSError as error:
        raise InputError(f"{path} cannot be written ({error}). {file_repair(error)}") from error
    finally:
        if temporary is not None:
            temporary.unlink(missing_ok=True)
