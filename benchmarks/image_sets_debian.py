"""Files and versions of installed Debian packages, from which image sets are made."""

import subprocess
from collections.abc import Sequence
from pathlib import Path

from data.errors import InputError


def package_versions(packages: Sequence[str]) -> dict[str, str]:
    """Return the version of every package.

    Args:
        packages: names of Debian packages.

    Raises:
        InputError: a package is not installed, or this system is not Debian's.
    """
    shown = "${db:Status-Abbrev}\t${Package}\t${Version}\n"
    rows = [line.split("\t") for line in _dpkg_query("-W", f"-f={shown}").splitlines()]
    versions = {name: version for status, name, version in rows if status.startswith("ii")}
    if missing := [name for name in packages if name not in versions]:
        raise InputError(
            f"{len(packages)} Debian packages must be installed, but {len(missing)} are not. Run "
            f"apt-get install --no-install-recommends {' '.join(missing)}"
        )
    return {name: versions[name] for name in packages}


def package_files(packages: Sequence[str]) -> list[Path]:
    """Return the files and links that installed packages consist of, sorted by path."""
    paths = map(Path, _dpkg_query("-L", *packages).splitlines())
    return sorted({path for path in paths if path.is_file()})


def _dpkg_query(*words: str) -> str:
    """Return what ``dpkg-query`` prints."""
    try:
        return subprocess.run(
            ["dpkg-query", *words], capture_output=True, text=True, check=True
        ).stdout
    except FileNotFoundError as error:
        raise InputError(
            "This set is made from Debian packages, but dpkg-query is not installed. Make it on "
            "Debian, or choose other sets with --set."
        ) from error
