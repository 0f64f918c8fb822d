"""Make image sets for measurements of the search, as folders of group/class/images.

``sprites`` serves its design; on the others, the search was not designed.

``uv run run_study.py --data-root FOLDER/NAME`` reads a set. The same sources give the same images:
the digest of every set is printed and compared with ``benchmarks/results/image_sets.json``.
"""

import argparse
import json
from pathlib import Path
from typing import Any

from image_sets_digits import DIGITS
from image_sets_folder import SetSummary, write_set
from image_sets_fonts import FONTS
from image_sets_icons import ICONS
from image_sets_photos import PHOTOS
from image_sets_sprites import SPRITES

from data.errors import InputError
from data.paths import PROJECT
from hpo.cli.entry_point import run_command

UNTUNED = ("fonts", "digits", "icons", "photos")  # sets on which the search was not designed
SETS = {"fonts": FONTS, "digits": DIGITS, "icons": ICONS, "photos": PHOTOS, "sprites": SPRITES}
COLOUR = ("icons", "photos", "sprites")  # sets that are read with --colour
COMMITTED = PROJECT / "benchmarks/results/image_sets.json"


def folder_of(name: str, sets: Path | None) -> Path:
    """Return the folder of a set.

    Args:
        name: key of :data:`SETS`.
        sets: value of the flag ``--sets`` of a benchmark.

    Raises:
        InputError: the flag was not given.
    """
    if sets is None:
        raise InputError(f"--sets must name the folder of {name}, but is empty. Add --sets FOLDER.")
    return sets / name


def flags() -> argparse.ArgumentParser:
    """Return the parser of the command line."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument(
        "--out", type=Path, required=True, metavar="FOLDER", help="folder of the sets"
    )
    parser.add_argument("--set", nargs="+", choices=SETS, default=[*SETS], help="sets to make")
    parser.add_argument("--json", type=Path, metavar="FILE", help="write the summaries to FILE")
    return parser


def committed(path: Path = COMMITTED) -> dict[str, dict[str, Any]]:
    """Return the committed summary of every set by its name."""
    return {each["name"]: each for each in json.loads(path.read_text())} if path.exists() else {}


def comparison(summary: SetSummary, expected: dict[str, Any] | None) -> str:
    """Return in words whether a set is the one whose summary is committed.

    Args:
        summary: summary of the set that was made.
        expected: the committed summary, or None.
    """
    if expected is None:
        return "not in the committed results"
    if summary.digest == expected["digest"]:
        return "as committed"
    theirs = expected["made_from"]
    names = sorted(name for name, value in summary.made_from.items() if theirs.get(name) != value)
    return f"NOT as committed; other versions: {', '.join(names) or 'none'}"


def main() -> None:
    """Make the sets; print their counts and digests."""
    args = flags().parse_args()
    expected, summaries = committed(), []
    for name in args.set:
        summary = write_set(args.out, name, SETS[name])
        summaries.append(summary)
        print(
            f"{name}: {summary.groups} groups, {summary.classes} classes, {summary.images} images, "
            f"digest {summary.digest} ({comparison(summary, expected.get(name))})",
            flush=True,
        )
    if args.json:
        content = [summary.to_dict() for summary in summaries]
        args.json.write_text(json.dumps(content, indent=1) + "\n")
        print(f"wrote {args.json}")


if __name__ == "__main__":
    run_command(main, "Delete the unfinished set, then run the same command again.")
