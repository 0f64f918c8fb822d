"""Write ``tested-versions.txt``: names and exact versions of all installed packages.

``uv run docs/versions.py``, after ``LATEST=1 .ci/run`` has passed. ``.ci/run`` installs them.
"""

from importlib.metadata import distributions
from pathlib import Path

OURS = "siamese-hpo"
LIST = Path(__file__).parents[1] / "tested-versions.txt"


def versions() -> list[str]:
    """Return ``name==version`` of every package except our own, without local version labels."""
    found = {d.metadata["Name"].lower(): d.version.partition("+")[0] for d in distributions()}
    return [f"{name}=={version}" for name, version in sorted(found.items()) if name != OURS]


def main() -> None:
    """Write the list."""
    LIST.write_text("\n".join(versions()) + "\n")
    print(f"wrote    {LIST.name}, {len(versions())} packages")


if __name__ == "__main__":
    main()
