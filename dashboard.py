"""Show, compare or delete studies: in the browser, as one HTML file, or in the terminal."""

import argparse
from pathlib import Path

from data.errors import InputError
from hpo.cli.console import print_log
from hpo.cli.entry_point import run_command
from hpo.cli.flags import add_storage, non_negative_int, parse_args

HINT = "Studies are not changed, except by --delete: if it had begun, run the same command again."
# Mode → flags that it uses in addition to --storage; "serve" and "export" have no flag of a mode.
USED_FLAGS = {
    "serve": {"study_name", "port", "no_browser", "allow_edits"},
    "export": {"study_name", "export"},
    "status": {"study_name"},
    "list": set(),
    "compare": {"export"},
    "delete": {"yes"},
    "export_config": {"study_name"},
}


def flags() -> argparse.ArgumentParser:
    """Return the parser of the command line."""
    parser = argparse.ArgumentParser(
        description="Show a study: live in the browser, as one HTML file, or in the terminal. "
        "List, compare or delete studies."
    )
    add_storage(parser, "the list of studies; in other modes, the latest study")
    add_modes(parser)
    parser.add_argument(
        "--export",
        type=Path,
        metavar="FILE",
        help="write the report, or with --compare the comparison, as one HTML file",
    )
    parser.add_argument("--yes", action="store_true", help="with --delete: do not ask")
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


def add_modes(parser: argparse.ArgumentParser) -> None:
    """Add the flags of which only one may be given."""
    mode = parser.add_mutually_exclusive_group()
    mode.add_argument("--status", action="store_true", help="print the status of the study")
    mode.add_argument(
        "--list",
        action="store_true",
        help="print a table of all studies: trials, accuracy, cost, state",
    )
    mode.add_argument(
        "--compare",
        nargs="+",
        metavar="NAME",
        help="print a table of two or more studies; with --export, also plot their best accuracy "
        "against compute",
    )
    mode.add_argument(
        "--export-config",
        type=Path,
        metavar="FILE",
        help="write the settings of the study and its winner, as a [point] table, to a TOML file "
        "for run_study.py --enqueue and retrain_best.py --config",
    )
    mode.add_argument(
        "--delete",
        metavar="NAME",
        help="delete a study, the fits of its finalists and its files in var/, after a question",
    )


def mode_of(args: argparse.Namespace, parser: argparse.ArgumentParser) -> str:
    """Return the mode, a key of :data:`USED_FLAGS`.

    Raises:
        InputError: a flag is given that the mode does not use.
    """
    modes = (
        "status",
        "list",
        "compare",
        "delete",
        "export_config",
        "export",
    )  # --compare may have an --export
    mode = next((m for m in modes if getattr(args, m) not in (False, None)), "serve")
    for name in ("study_name", "export", "yes", "port", "no_browser", "allow_edits"):
        is_given = getattr(args, name) != parser.get_default(name)
        if is_given and name not in USED_FLAGS[mode]:
            flag = "--" + name.replace("_", "-")
            users = " or ".join(
                "the live dashboard" if m == "serve" else f"--{m.replace('_', '-')}"
                for m, used in USED_FLAGS.items()
                if name in used and m != name
            )
            with_mode = f"with --{mode.replace('_', '-')}"
            where = "with the live dashboard" if mode == "serve" else with_mode
            raise InputError(f"{flag} has no effect {where}, only with {users}. Leave it out.")
    return mode


def main() -> None:
    """Do what the flags say; without a flag, serve the dashboard until Ctrl-C."""
    parser = flags()
    args = parse_args(parser)
    print_log(args)
    mode = mode_of(args, parser)
    from hpo.dashboard import deletion, server, studies

    if mode == "list":
        studies.print_studies(args.storage)
    elif mode == "compare":
        studies.compare_studies(args.storage, args.compare, args.export)
    elif mode == "delete":
        deletion.delete_study(args.storage, args.delete, confirmed=args.yes)
    elif mode == "export_config":
        server.export_config(args.storage, args.study_name, args.export_config)
    elif mode == "status":
        server.print_status(args.storage, args.study_name)
    elif mode == "export":
        server.export_report(args.storage, args.study_name, args.export)
    else:
        server.serve_dashboard(
            args.storage,
            args.study_name,
            args.port,
            browser=not args.no_browser,
            allow_edits=args.allow_edits,
        )


if __name__ == "__main__":
    run_command(main, HINT)
