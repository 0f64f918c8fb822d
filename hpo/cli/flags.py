"""The flags that scripts share."""

import argparse
import math
from pathlib import Path

from data.paths import DEFAULT_STORAGE
from model.config import PRECISIONS


def positive_int(text: str) -> int:
    """Return a whole number of at least 1, for argparse."""
    number = int(text)
    if number < 1:
        raise argparse.ArgumentTypeError(f"must be at least 1, not {number}")
    return number


def non_negative_int(text: str) -> int:
    """Return a whole number of at least 0, for argparse."""
    number = int(text)
    if number < 0:
        raise argparse.ArgumentTypeError(f"must be at least 0, not {number}")
    return number


def positive_float(text: str) -> float:
    """Return a finite number above 0, for argparse."""
    found = float(text)
    if not 0 < found < math.inf:
        raise argparse.ArgumentTypeError(f"must be above 0 and finite, not {text}")
    return found


def non_negative_float(text: str) -> float:
    """Return a finite number of at least 0, for argparse."""
    found = float(text)
    if not 0 <= found < math.inf:
        raise argparse.ArgumentTypeError(f"must be at least 0 and finite, not {text}")
    return found


def add_storage(parser: argparse.ArgumentParser, default: str = "the one last worked on") -> None:
    """Add the flags that name a study."""
    parser.add_argument(
        "--storage", default=DEFAULT_STORAGE, metavar="URL", help="database (default: %(default)s)"
    )
    parser.add_argument("--study-name", metavar="NAME", help=f"default: {default}")


def add_data_and_device(parser: argparse.ArgumentParser, data: str = "Omniglot") -> None:
    """Add the flags that say where the data is and where to compute."""
    where = f"{data} (default: $OMNIGLOT_ROOT, else var)"
    parser.add_argument("--data-root", type=Path, metavar="DIR", help=where)
    add_device(parser)


def add_tensorboard(parser: argparse.ArgumentParser) -> None:
    """Add the flag that says where the course of fits is written."""
    parser.add_argument(
        "--tensorboard", type=Path, metavar="DIR", help="write every fit's course for TensorBoard"
    )


def add_device(parser: argparse.ArgumentParser) -> None:
    """Add the flags that say where to compute."""
    parser.add_argument("--device", default="auto", help="auto, cpu, cuda, cuda:1 …")
    parser.add_argument(
        "--precision", default="auto", choices=PRECISIONS, help="auto: bfloat16 where it is fast"
    )
