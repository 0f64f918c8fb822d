"""Look at a study: live in the browser, as one HTML file, or in the terminal. See README.md."""

import argparse
from pathlib import Path

from hpo.cli.entry_point import run_command
from hpo.cli.flags import add_storage, non_negative_int


def flags() -> argparse.ArgumentParser:
    """Return the command line's flags."""
    parser = argparse.ArgumentParser(
        description="Look at a study: live in the browser, as one HTML file, or in the terminal."
    )
    add_storage(parser)
    what = parser.add_mutually_exclusive_group()
    what.add_argument(
        "--export", type=Path, metavar="FILE", help="write the report as one HTML file"
    )
    what.add_argument("--status", action="store_true", help="print how the study stands")
    parser.add_argument(
        "--port", type=non_negative_int, default=8080, help="of 127.0.0.1; 0 takes a free one"
    )
    parser.add_argument("--no-browser", action="store_true", help="open none")
    parser.add_argument(
        "--allow-edits", action="store_true", help="let the pages change and delete studies"
    )
    return parser


def main() -> None:
    """Print, export or serve until Ctrl-C."""
    args = flags().parse_args()
    from hpo.dashboard.server import export_report, print_status, serve_dashboard

    if args.status:
        print_status(args.storage, args.study_name)
    elif args.export:
        export_report(args.storage, args.study_name, args.export)
    else:
        serve_dashboard(
            args.storage,
            args.study_name,
            args.port,
            browser=not args.no_browser,
            allow_edits=args.allow_edits,
        )


if __name__ == "__main__":
    run_command(main, "The dashboard has ended; the study is untouched.")
