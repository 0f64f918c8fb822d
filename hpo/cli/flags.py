"""Flags that several scripts share, their value types, and flags that were renamed."""

import argparse
import sys
from pathlib import Path

from data.addresses import check_address
from data.errors import InputError
from hpo.cli.parser import add_settings
from hpo.settings.machine import DataRootSettings, DeviceSettings, StorageSettings
from hpo.settings.sections import NameSettings

RENAMED_FLAGS = {
    "--timeout": "--time-budget",
    "--trial-timeout": "--epoch-timeout",
    "--checkpoint-seconds": "--checkpoint-interval",
    "--epoch-steps": "--steps-per-epoch",
    "--finalist-seeds": "--n-finalist-seeds",
    "--finalists": "--n-finalists",
    "--keep-networks": "--n-networks",
    "--pairs": "--n-pairs",
    "--search": "--space",
    "--seeds": "--n-seeds",
    "--greys": "--no-binarize",
    "--as-is": "--no-preprocess",
    "--writable": "--allow-edits",
}


def parse_args(parser: argparse.ArgumentParser) -> argparse.Namespace:
    """Return the parsed command line.

    Args:
        parser: parser of a script.

    Raises:
        InputError: a flag of this script is given under its former name, or the value of
            ``--storage`` is not a database address.
    """
    for argument in sys.argv[1:]:
        flag = argument.partition("=")[0]
        new_flag = RENAMED_FLAGS.get(flag)
        if new_flag in parser._option_string_actions:
            raise InputError(f"{flag} was renamed. Use {new_flag}.")
    args = parser.parse_args()
    if "storage" in args:
        check_address(args.storage)
    return args


def positive_int(text: str) -> int:
    """Parse an integer of at least 1; for ``type=`` of argparse."""
    return _int_from(text, 1)


def non_negative_int(text: str) -> int:
    """Parse an integer of at least 0; for ``type=`` of argparse."""
    return _int_from(text, 0)


def _int_from(text: str, minimum: int) -> int:
    try:
        number = int(text)
    except ValueError:
        number = minimum - 1
    if number < minimum:
        raise argparse.ArgumentTypeError(f"must be an integer of at least {minimum}, but is {text}")
    return number


def add_config_file(parser: argparse.ArgumentParser) -> None:
    """Add the flags that read and write a settings file."""
    parser.add_argument(
        "--config",
        type=Path,
        metavar="FILE",
        help="read settings from this TOML file, or from a result.json; flags override them",
    )
    parser.add_argument(
        "--print-config",
        action="store_true",
        help="print the settings as a TOML file, and exit",
    )


def add_verbosity(parser: argparse.ArgumentParser) -> None:
    """Add the flags that say how much is printed."""
    group = parser.add_mutually_exclusive_group()
    group.add_argument("--quiet", action="store_true", help="print only the result and warnings")
    group.add_argument("--verbose", action="store_true", help="print every epoch, too")


def add_storage(parser: argparse.ArgumentParser, default: str = "the latest study") -> None:
    """Add the flags that select a study.

    Args:
        parser: parser of a script.
        default: which study is used without ``--study-name``.
    """
    add_settings(parser, "", (StorageSettings, NameSettings), defaults=True)
    name = parser._option_string_actions["--study-name"]
    name.help = f"name of the study (default: {default})"


def add_data_and_device(parser: argparse.ArgumentParser) -> None:
    """Add the flags that select the folder of the data and the device."""
    add_settings(parser, "", (DataRootSettings, DeviceSettings), defaults=True)


def add_device(parser: argparse.ArgumentParser) -> None:
    """Add the flags that choose the device and its number format."""
    add_settings(parser, "", (DeviceSettings,), defaults=True)
