"""Say how similar two images of characters are, or which of some classes an image shows.

``compare.py a.png b.png``; ``compare.py query.png --support folder/``. See README.md.
"""

import argparse
from pathlib import Path

from hpo.cli.entry_point import run_command
from hpo.cli.flags import add_device, positive_int


def flags() -> argparse.ArgumentParser:
    """Return the command line's flags."""
    parser = argparse.ArgumentParser(
        description="Compare two images, or rank the classes of a support set for every query."
    )
    parser.add_argument("images", nargs="+", type=Path, help="two, or queries; folders of them too")
    parser.add_argument(
        "--support",
        nargs="+",
        type=Path,
        default=[],
        metavar="PATH",
        help="what queries are compared with: images, or a folder; a subfolder is a class",
    )
    parser.add_argument("--checkpoint", type=Path, metavar="FILE", help="default: the pretrained")
    parser.add_argument("--top", type=positive_int, default=5, help="classes shown (default: 5)")
    parser.add_argument("--json", action="store_true", help="answers for programs")
    parser.add_argument("--html", type=Path, metavar="FILE", help="a picture of the answers, too")
    parser.add_argument(
        "--invert",
        action=argparse.BooleanOptionalAction,
        help="the ink is light, or is not (default: looked for in each image)",
    )
    parser.add_argument(
        "--no-binarize", action="store_true", help="do not make the ink black and white"
    )
    parser.add_argument(
        "--no-preprocess",
        action="store_true",
        help="neither crop nor centre: they are drawings already",
    )
    add_device(parser)
    return parser


def main() -> None:
    """Compare, print, and write the page."""
    args = flags().parse_args()
    from data.paths import PRETRAINED
    from data.preparation import Preparation
    from model.comparison import compare_images
    from model.comparison_output import comparison_json, comparison_text, require_all_readable
    from model.device import choose_compute
    from model.image_inputs import split_inputs

    queries, support = split_inputs(args.images, args.support)
    checkpoint = args.checkpoint or PRETRAINED
    how = Preparation(args.invert, not args.no_binarize, not args.no_preprocess)
    compute = choose_compute(args.device, args.precision)
    found = compare_images(queries, support, checkpoint, how=how, on=compute)
    print(comparison_json(found, args.top) if args.json else comparison_text(found, args.top))
    if args.html:  # plotly's import takes half a second
        from hpo.report.comparison import comparison_page
        from hpo.report.html_page import write_page

        write_page(args.html, comparison_page(found, checkpoint, args.top))
    require_all_readable(found)


if __name__ == "__main__":
    run_command(main, "Run the same command again.")
