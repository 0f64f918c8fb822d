"""Compare two images of characters, or rank the classes of a support set for every query.

``compare.py a.png b.png``; ``compare.py query.png --support folder/``. See README.md.
"""

import argparse
from pathlib import Path

from hpo.cli.console import print_log
from hpo.cli.entry_point import run_command
from hpo.cli.flags import add_device, parse_args, positive_int


def flags() -> argparse.ArgumentParser:
    """Return the parser of the command line."""
    parser = argparse.ArgumentParser(
        description="Compare two images, or rank the classes of a support set for every query."
    )
    parser.add_argument(
        "images",
        nargs="+",
        type=Path,
        help="two images, or with --support any number of queries; a folder stands for its images",
    )
    parser.add_argument(
        "--support",
        nargs="+",
        type=Path,
        default=[],
        metavar="PATH",
        help="images or folders to compare the queries with; each image and each subfolder is a "
        "class",
    )
    parser.add_argument(
        "--checkpoint",
        type=Path,
        metavar="FILE",
        help="file of the network (default: the pretrained network)",
    )
    parser.add_argument(
        "--top",
        type=positive_int,
        default=5,
        help="maximum number of classes printed for each query (default: %(default)s)",
    )
    parser.add_argument("--json", action="store_true", help="print the result as JSON")
    parser.add_argument(
        "--html", type=Path, metavar="FILE", help="also write a page with the images"
    )
    parser.add_argument(
        "--invert",
        action=argparse.BooleanOptionalAction,
        help="whether the ink is lighter than the paper (default: detected in each image)",
    )
    parser.add_argument(
        "--no-binarize",
        action="store_true",
        help="keep the grey levels of the ink instead of making it black and white",
    )
    parser.add_argument(
        "--no-preprocess",
        action="store_true",
        help="do not crop, centre and scale the ink, nor change the width of its strokes",
    )
    add_device(parser)
    return parser


def main() -> None:
    """Compare the images, print the result, and write the page."""
    args = parse_args(flags())
    print_log(args)
    from data.paths import PRETRAINED
    from data.preparation import Preparation
    from model.comparison import compare_images
    from model.comparison_output import comparison_json, comparison_text, require_all_readable
    from model.device import choose_compute
    from model.image_inputs import split_inputs

    queries, support = split_inputs(args.images, args.support)
    checkpoint = args.checkpoint or PRETRAINED
    preparation = Preparation(args.invert, not args.no_binarize, not args.no_preprocess)
    compute = choose_compute(args.device, args.precision)
    comparison = compare_images(
        queries, support, checkpoint, preparation=preparation, compute=compute
    )
    format_output = comparison_json if args.json else comparison_text
    print(format_output(comparison, args.top))
    if args.html:  # the import of plotly takes half a second
        from hpo.report.comparison import comparison_page
        from hpo.report.html_page import write_page

        write_page(args.html, comparison_page(comparison, checkpoint, args.top))
    require_all_readable(comparison)


if __name__ == "__main__":
    run_command(main, "Run the same command again.")
