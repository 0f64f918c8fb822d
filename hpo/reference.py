"""The study that comes with the repository, for those who have not run one yet."""

from pathlib import Path

from data.errors import InputError
from data.load import VAR
from hpo.console import DEFAULT_STORAGE
from hpo.keeping import ARTIFACTS

REFERENCE_STUDY = Path(__file__).parents[1] / "results" / "reference" / "study.db"


def storage_or_reference(url: str, *, writable: bool = False) -> str:
    """Return the address of a database to look at: the reference's where there is no other.

    Args:
        url: what was asked for.
        writable: whether it shall be changed, which the reference is not.

    Raises:
        InputError: the reference would be changed.
    """
    own = Path(DEFAULT_STORAGE.removeprefix("sqlite:///"))
    if url != DEFAULT_STORAGE or own.exists() or not REFERENCE_STUDY.exists():
        return url
    if writable:
        raise InputError(f"{own} does not exist, and the reference study is read-only. Run one.")
    print(f"note     no {own} here yet: this is the reference study, {REFERENCE_STUDY}, read-only")
    return f"sqlite:///{REFERENCE_STUDY}"


def artifact_folder(url: str) -> Path:
    """Return the folder of the pictures of a database's trials."""
    return REFERENCE_STUDY.parent / ARTIFACTS if url == f"sqlite:///{REFERENCE_STUDY}" else VAR / ARTIFACTS
