"""Refit the best trial of a study over several seeds, and evaluate each fit once on the test.

``--checkpoint FILE`` evaluates a saved network without training. See README.md.
"""

import argparse
from pathlib import Path

from hpo.cli.console import print_log
from hpo.cli.entry_point import run_command, warn_if_untested_system
from hpo.cli.flags import add_config_file, add_verbosity, parse_args
from hpo.cli.parser import add_settings
from hpo.refit.settings import RETRAIN_SECTIONS

# Settings that have an effect on the evaluation of a saved network.
CHECKPOINT_FLAGS = ("data_root", "device", "precision", "out", "test")


def flags() -> argparse.ArgumentParser:
    """Return the parser of the command line."""
    parser = argparse.ArgumentParser(
        description="Refit the best trial of a study over several seeds, and evaluate each fit "
        "once on the test. Each group of flags is a section of the file of --config. If the file "
        "has a [point] table, its values are refitted in place of a trial."
    )
    add_config_file(parser)
    add_actions(parser)
    add_verbosity(parser)
    for section, classes in RETRAIN_SECTIONS.items():
        add_settings(parser, section, classes)
    name = parser._option_string_actions["--study-name"]
    name.help = "name of the study (default: the study whose last trial started latest)"
    return parser


def add_actions(parser: argparse.ArgumentParser) -> None:
    """Add the flags of actions."""
    parser.add_argument(
        "--again",
        action="store_true",
        help="repeat the fits and evaluations whose results are already in the folder",
    )
    parser.add_argument(
        "--checkpoint",
        type=Path,
        metavar="FILE",
        help="evaluate this network, or export it with --export, instead of training",
    )
    parser.add_argument(
        "--export",
        choices=("onnx", "torch"),
        help="export every network for other programs, as graphs of embedding and comparison",
    )


def parse_flags() -> argparse.Namespace:
    """Return the parsed flags; exit if a flag has no effect together with ``--checkpoint``."""
    parser = flags()
    args = parse_args(parser)
    given = set(vars(args)) - {"config", "print_config", "again", "checkpoint", "export"}
    unused = sorted(given - {*CHECKPOINT_FLAGS, "quiet", "verbose"})
    unused += ["again"] if args.again else []
    if args.checkpoint and unused:
        names = ", ".join(f"--{name.replace('_', '-')}" for name in unused)
        parser.error(f"--checkpoint trains nothing. Leave out {names}.")
    return args


def main() -> None:
    """Refit the best trial, or evaluate or export a saved network."""
    args = parse_flags()
    print_log(args)
    warn_if_untested_system()
    # Imports come after parsing: --help and a wrong flag need not wait for torch and optuna.
    from hpo.cli.retrain import evaluate_checkpoint, export_networks, retrain_best
    from hpo.cli.retrain_settings import print_retrain_config, retrain_config
    from model.export import require_export_libraries

    config = retrain_config(args)
    if args.print_config:
        print_retrain_config(config)
        return
    if args.export:
        require_export_libraries(args.export)
    if args.checkpoint and args.export:
        export_networks([args.checkpoint], args.export, config.out)
    elif args.checkpoint:
        evaluate_checkpoint(args.checkpoint, config)
    else:
        networks = retrain_best(config)
        if args.export:
            export_networks(networks, args.export, None)


if __name__ == "__main__":
    run_command(main, "Finished epochs are saved; run the same command again to resume.")
