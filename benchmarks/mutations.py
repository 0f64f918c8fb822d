"""Apply one-line mutations, one per promise of the documentation; the tests must notice each.

``uv run benchmarks/mutations.py`` copies the project to a temporary folder, applies one mutation
after another, and runs the tests that check its promise. It ends with status 1 if a mutation
survives. ``--list`` prints the promises; names on the command line select mutations.
"""

import argparse
import os
import shutil
import subprocess
import sys
import tempfile
import tomllib
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).parents[1]
COPIED = ("data", "model", "hpo", "tests", "benchmarks", "docs", "results")
TABLE = Path(__file__).with_suffix(".toml")


@dataclass(frozen=True)
class Mutation:
    """A changed line, and the tests that must notice it.

    Args:
        name: of the mutation.
        promise: what the documentation says.
        file: path of the file, from the project's root.
        line: text that occurs once in the file.
        mutant: text in its place.
        tests: names of test files without ``test_`` and ``.py``.
    """

    name: str
    promise: str
    file: str
    line: str
    mutant: str
    tests: list[str]

    def applied_to(self, text: str) -> str:
        """Return the text of the file with the mutation.

        Raises:
            ValueError: the line does not occur exactly once.
        """
        if text.count(self.line) != 1:
            raise ValueError(
                f"{self.file} must contain '{self.line}' once, but contains it "
                f"{text.count(self.line)} times"
            )
        return text.replace(self.line, self.mutant)


def load_mutations(path: Path = TABLE) -> list[Mutation]:
    """Return the mutations of a TOML file, one table each."""
    tables = tomllib.loads(path.read_text(encoding="utf-8"))
    return [Mutation(name, **values) for name, values in tables.items()]


def copy_project(folder: Path) -> None:
    """Copy what the tests need to a folder."""
    for name in COPIED:
        shutil.copytree(ROOT / name, folder / name, ignore=shutil.ignore_patterns("__pycache__"))
    for path in [*ROOT.glob("*.py"), *ROOT.glob("*.md"), ROOT / "pyproject.toml"]:
        shutil.copy(path, folder)


def is_noticed(mutation: Mutation, folder: Path) -> bool:
    """Return whether the tests fail on a copy of the project with the mutation."""
    path = folder / mutation.file
    original = path.read_text(encoding="utf-8")
    path.write_text(mutation.applied_to(original), encoding="utf-8")
    tests = [f"tests/test_{name}.py" for name in mutation.tests]
    command = [sys.executable, "-m", "pytest", "-x", "-q", "-p", "no:randomly", *tests]
    environment = os.environ | {"PYTHONPATH": str(folder), "PYTHONDONTWRITEBYTECODE": "1"}
    try:
        done = subprocess.run(
            command, cwd=folder, env=environment, capture_output=True, text=True, check=False
        )
    finally:
        path.write_text(original, encoding="utf-8")
    if done.returncode not in (0, 1):  # 1: tests failed; others: they did not run
        raise RuntimeError(done.stdout[-2000:] + done.stderr[-2000:])
    return done.returncode == 1


def main() -> int:
    """Apply the mutations one by one; return 1 if one of them survives."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("names", nargs="*", help="mutations to apply (default: all)")
    parser.add_argument("--list", action="store_true", help="print the promises and exit")
    args = parser.parse_args()
    mutations = [m for m in load_mutations() if m.name in args.names or not args.names]
    if args.list:
        print("\n".join(f"{m.name}: {m.promise}" for m in mutations))
        return 0
    survivors = []
    with tempfile.TemporaryDirectory() as temporary:
        folder = Path(temporary)
        copy_project(folder)
        for mutation in mutations:
            noticed = is_noticed(mutation, folder)
            survivors += [] if noticed else [mutation.name]
            print(f"{'noticed ' if noticed else 'SURVIVED'}  {mutation.name}", flush=True)
    print(f"{len(mutations) - len(survivors)} of {len(mutations)} mutations noticed")
    return 1 if survivors else 0


if __name__ == "__main__":
    sys.exit(main())
