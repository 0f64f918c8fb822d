"""Start or resume a study that tunes a siamese network.

Run the same command again to resume the study. See README.md.
"""

import argparse
import time
from dataclasses import replace
from pathlib import Path

from hpo.cli.console import print_log
from hpo.cli.entry_point import run_command, warn_if_untested_system
from hpo.cli.flags import add_config_file, add_verbosity, parse_args
from hpo.cli.parser import add_settings
from hpo.runtime.processes import start_forkserver
from hpo.settings.study_settings import SECTIONS


def flags() -> argparse.ArgumentParser:
    """Return the parser of the command line."""
    parser = argparse.ArgumentParser(
        description="Start or resume a study that tunes a siamese network for one-shot "
        "recognition. A duration is a number of seconds, or a number with a unit: 90, 90s, 15m "
        "or 2h. Each group of flags is a section of the file of --config."
    )
    add_config_file(parser)
    add_inspection(parser)
    add_verbosity(parser)
    for section, classes in SECTIONS.items():
        add_settings(parser, section, classes)
    parser.add_argument(
        "--same-name-is-same-class",
        action="store_true",
        help="classes with the same name in several groups are one class; same as --split-by class",
    )
    return parser


def add_inspection(parser: argparse.ArgumentParser) -> None:
    """Add the flags of actions other than to run the study."""
    actions = parser.add_mutually_exclusive_group()
    actions.add_argument(
        "--show", action="store_true", help="print the search space with its defaults, and exit"
    )
    actions.add_argument(
        "--stop",
        action="store_true",
        help="ask every process of the study, on any host, to finish its trial and exit",
    )
    actions.add_argument(
        "--dry-run",
        action="store_true",
        help="print the settings and a summary of the data, and exit without training",
    )
    parser.add_argument(
        "--enqueue",
        nargs="+",
        type=Path,
        default=[],
        metavar="FILE",
        help="evaluate next the [point] tables of these settings files, as dashboard.py "
        "--export-config writes them",
    )
    parser.add_argument(
        "--warm-start",
        metavar="STUDY",
        help="evaluate next the best three points of another study of the storage, whose space "
        "may differ",
    )
    parser.add_argument(
        "--widen",
        action="store_true",
        help="if the stored study has another space, continue it as a new study, NAME-2, with the "
        "trials that fit into the space",
    )
    parser.add_argument(
        "--preview",
        type=Path,
        metavar="FILE",
        help="write the first images of train, val and test to this PNG file (default: none)",
    )


def main() -> None:
    """Run the study and print its result."""
    start_time, args = time.monotonic(), parse_args(flags())
    print_log(args)
    warn_if_untested_system()
    start_forkserver()
    # Imports come after parsing: --help and a wrong flag need not wait for torch and optuna.
    from data.pictures import write_preview
    from hpo.cli.study import (
        load_study_data,
        make_launcher,
        print_study_config,
        space_table,
        stop_study,
        study_config,
        study_start,
    )
    from hpo.cli.study_output import print_start, print_summary
    from hpo.dashboard.updates import DashboardUpdates
    from hpo.runtime.phases import run_phases
    from hpo.settings.start_space import resolve_start
    from hpo.study.dataset import resolve_data
    from hpo.study.identity import settings_of

    config = study_config(args)
    if args.print_config:
        print_study_config(config)
        return
    if args.show:
        config = resolve_start(resolve_data(config))  # a network to start from narrows the space
        print(space_table(config.space, config.image_size))
        return
    if args.stop:
        stop_study(config)
        return
    config, drawings = load_study_data(config)
    start = study_start(args, config)
    launcher = None if args.dry_run else make_launcher(config)
    if not args.quiet:
        print_start(config, drawings)
    if args.preview:
        write_preview(args.preview, drawings, config.division)
        print(f"preview  {args.preview}")
    if launcher is None:
        print("Nothing was trained. Run the same command without --dry-run to start.")
        return
    del drawings  # the workers load the data themselves
    study = run_phases(config, launcher, [DashboardUpdates], start=start)
    # --widen may have chosen another name, and the time budget the length of the fits.
    stored = settings_of(study)
    config = replace(config, study_name=study.study_name, max_epochs=stored.max_epochs)
    print_summary(study, config, time.monotonic() - start_time)


if __name__ == "__main__":
    run_command(main, "Finished trials are safe; run the same command again to resume.")
