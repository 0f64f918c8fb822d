"""Start or resume a study that tunes a siamese network.

Run the same command again to resume the study. See README.md.
"""

import argparse
import time

from hpo.cli.entry_point import run_command, warn_if_untested_system
from hpo.cli.flags import add_data_and_device, add_storage, add_tensorboard, parse_args
from hpo.cli.study_flags import (
    add_budget,
    add_finalists,
    add_inspection,
    add_search,
    add_task,
    add_workers,
)
from hpo.runtime.processes import start_forkserver


def flags() -> argparse.ArgumentParser:
    """Return the parser of the command line."""
    parser = argparse.ArgumentParser(
        description="Start or resume a study that tunes a siamese network for one-shot "
        "recognition. A duration is a number of seconds, or a number with a unit: 90, 90s, 15m "
        "or 2h."
    )
    add_storage(parser, "made from data, image size, recipe and searched groups")
    parser.add_argument(
        "--seed", type=int, default=0, help="seed of the study and its fits (default: %(default)s)"
    )
    add_inspection(parser)
    add_budget(parser)
    add_finalists(parser)
    add_workers(parser)
    add_data_and_device(parser, "Omniglot, or of your own images")
    add_tensorboard(parser)
    add_task(parser)
    add_search(parser)
    return parser


def main() -> None:
    """Run the study and print its result."""
    start_time, args = time.monotonic(), parse_args(flags())
    warn_if_untested_system()
    start_forkserver()
    # Imports come after parsing: --help and a wrong flag need not wait for torch and optuna.
    from data.pictures import write_preview
    from hpo.cli.study import load_study_data, make_launcher, make_run_config, stop_study
    from hpo.cli.study_output import print_start, print_summary
    from hpo.dashboard.updates import DashboardUpdates
    from hpo.runtime.phases import run_study

    if args.stop:
        stop_study(args)
        return
    drawings = load_study_data(args)
    run = make_run_config(args, drawings.name)
    launcher = None if args.dry_run else make_launcher(args)
    print_start(run, drawings)
    if args.preview:
        write_preview(args.preview, drawings)
        print(f"preview  {args.preview}")
    if launcher is None:
        print("Nothing was trained. Run the same command without --dry-run to start.")
        return
    del drawings  # the workers load the data themselves
    study = run_study(run, launcher, [DashboardUpdates])
    print_summary(study, run, time.monotonic() - start_time)


if __name__ == "__main__":
    run_command(main, "Finished trials are safe; run the same command again to resume.")
