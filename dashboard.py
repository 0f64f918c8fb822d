"""Show a study: live in the browser, as one HTML file, or in the terminal. See README.md."""

import argparse
from pathlib import Path

from hpo.cli.entry_point import run_command
from hpo.cli.flags import add_storage, non_negative_int, parse_args


def flags() -> argparse.ArgumentParser:
    """Return the parser of the command line."""
    parser = argparse.ArgumentParser(
        description="Show a study: live in the browser, as one HTML file, or in the terminal."
    )
    add_storage(parser, "the list of studies; with --status or --export, the latest study")
    mode = parser.add_mutually_exclusive_group()
    mode.add_argument(
        "--export", type=Path, metavar="FILE", help="write the report as one HTML file"
    )
    mode.add_argument("--status", action="store_true", help="print the status of the study")
    parser.add_argument(
        "--port",
        type=non_negative_int,
        default=8080,
        help="port on 127.0.0.1; 0 chooses a free one",
    )
    parser.add_argument("--no-browser", action="store_true", help="do not open a browser")
    parser.add_argument(
        "--allow-edits", action="store_true", help="allow the pages to change and delete studies"
    )
    return parser


def main() -> None:
    """Print the status, export the report, or serve the dashboard until Ctrl-C."""
    args = parse_args(flags())
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
    run_command(main, "The dashboard was stopped; the study is not affected.")
