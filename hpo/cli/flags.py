"""Command-line flags that several scripts share, their value types, and flags that were renamed."""

import argparse
import math
import sys
from pathlib import Path

from data.addresses import check_address
from data.errors import InputError
from data.paths import DEFAULT_STORAGE
from model.config import PRECISIONS, REFERENCE_COST, StepCost

# Optuna's databases allow 512; the rest is for what the names of the finalists' studies add.
MAX_STUDY_NAME_LENGTH = 400
UNIT_SECONDS = {"s": 1, "m": 60, "h": 3600}
RENAMED_FLAGS = {
    "--timeout": "--time-budget",
    "--trial-timeout": "--epoch-timeout",
    "--checkpoint-seconds": "--checkpoint-interval",
    "--epoch-steps": "--steps-per-epoch",
    "--finalist-seeds": "--n-finalist-seeds",
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


def cost_of_step(text: str) -> StepCost:
    """Parse the costs of a step; for ``type=`` of argparse."""
    try:
        return REFERENCE_COST if text == "reference" else StepCost(*map(float, text.split(",")))
    except (InputError, TypeError, ValueError) as error:
        raise argparse.ArgumentTypeError(
            f"must be reference or five numbers of nanoseconds, but is {text}"
        ) from error


def study_name(text: str) -> str:
    """Return the name of a study; for ``type=`` of argparse."""
    if len(text) > MAX_STUDY_NAME_LENGTH:
        raise argparse.ArgumentTypeError(
            f"must have at most {MAX_STUDY_NAME_LENGTH} characters, but has {len(text)}"
        )
    return text


def non_negative_int(text: str) -> int:
    """Parse an integer of at least 0; for ``type=`` of argparse."""
    return _int_from(text, 0)


def non_negative_float(text: str) -> float:
    """Parse a finite number of at least 0; for ``type=`` of argparse."""
    number = _float_from(text)
    if not 0 <= number < math.inf:
        raise argparse.ArgumentTypeError(f"must be a finite number of at least 0, but is {text}")
    return number


def duration(text: str) -> float:
    """Parse a duration such as 90, 90s, 1.5m or 2h to seconds; for ``type=`` of argparse."""
    number, unit = (text[:-1], text[-1]) if text[-1:] in UNIT_SECONDS else (text, "s")
    seconds = _float_from(number) * UNIT_SECONDS[unit]
    if not 0 <= seconds < math.inf:
        raise argparse.ArgumentTypeError(
            f"must be a duration of at least 0, such as 90, 90s, 15m or 2h, but is {text}"
        )
    return seconds


def positive_duration(text: str) -> float:
    """Parse a duration above 0 to seconds; for ``type=`` of argparse."""
    seconds = duration(text)
    if seconds == 0:
        raise argparse.ArgumentTypeError(f"must be a duration above 0, but is {text}")
    return seconds


def whole_seconds(text: str) -> int:
    """Parse a duration above 0 to a whole number of seconds; for ``type=`` of argparse."""
    seconds = positive_duration(text)
    if not seconds.is_integer():
        raise argparse.ArgumentTypeError(f"must be a whole number of seconds, but is {text}")
    return int(seconds)


def add_storage(parser: argparse.ArgumentParser, default: str = "the latest study") -> None:
    """Add the flags that select a study.

    Args:
        parser: parser of a script.
        default: which study, or which name, is used without ``--study-name``; for its help text.
    """
    parser.add_argument(
        "--storage",
        default=DEFAULT_STORAGE,
        metavar="URL",
        help="address of the database that contains the study (default: %(default)s)",
    )
    parser.add_argument(
        "--study-name",
        type=study_name,
        metavar="NAME",
        help=f"name of the study (default: {default})",
    )


def add_data_and_device(parser: argparse.ArgumentParser, data: str = "Omniglot") -> None:
    """Add the flags that select the folder of the data and the device.

    Args:
        parser: parser of a script.
        data: description of the contents of the folder.
    """
    parser.add_argument(
        "--data-root",
        type=Path,
        metavar="DIR",
        help=f"folder of {data} (default: $OMNIGLOT_ROOT if it is set, otherwise ./var)",
    )
    add_device(parser)


def add_tensorboard(parser: argparse.ArgumentParser) -> None:
    """Add the flag that selects the folder of the TensorBoard logs."""
    parser.add_argument(
        "--tensorboard",
        type=Path,
        metavar="DIR",
        help="write TensorBoard logs of all fits to this folder (default: no log)",
    )


def add_device(parser: argparse.ArgumentParser) -> None:
    """Add the flags that choose the device and its number format."""
    parser.add_argument(
        "--device",
        default="auto",
        help="device to compute on: auto (a GPU if there is one), cpu, cuda, cuda:1, … "
        "(default: %(default)s)",
    )
    parser.add_argument(
        "--precision",
        default="auto",
        choices=PRECISIONS,
        help="number format; auto uses bfloat16 where it is fast (default: %(default)s)",
    )


def _int_from(text: str, minimum: int) -> int:
    try:
        number = int(text)
    except ValueError:
        number = minimum - 1
    if number < minimum:
        raise argparse.ArgumentTypeError(f"must be an integer of at least {minimum}, but is {text}")
    return number


def _float_from(text: str) -> float:
    try:
        return float(text)
    except ValueError:
        return math.nan


def add_own_images(parser: argparse.ArgumentParser) -> None:
    """Add the flags that say how a folder of the user's own images is read."""
    division = parser.add_mutually_exclusive_group()
    division.add_argument(
        "--split-by",
        choices=("group", "class"),
        help="what is divided among train, val and test, if --data-root has your own images in "
        "folders group/class or class (default: group if there are at least three groups, "
        "otherwise class)",
    )
    division.add_argument(
        "--same-name-is-same-class",
        action="store_const",
        dest="split_by",
        const="class",
        help="classes with the same name in several groups are one class; same as --split-by class",
    )
    parser.add_argument(
        "--drop-duplicates",
        action="store_true",
        help="if several of your own images are equal, read only one of them",
    )
    parser.add_argument("--colour", action="store_true", help="keep the colours of your own images")
