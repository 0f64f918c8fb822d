"""What the scripts share: common flags, one-line errors, exit status."""

import argparse
import sys
import warnings
from collections.abc import Callable
from pathlib import Path

from data.errors import InputError, printable
from hpo.interrupts import end_on_first_signal
from model.config import PRECISIONS

DEFAULT_STORAGE = "sqlite:///study.db"


def positive(text: str) -> int:
    """Return a whole number of at least 1, for argparse."""
    number = int(text)
    if number < 1:
        raise argparse.ArgumentTypeError(f"must be at least 1, not {number}")
    return number


def whole(text: str) -> int:
    """Return a whole number of at least 0, for argparse."""
    number = int(text)
    if number < 0:
        raise argparse.ArgumentTypeError(f"must be at least 0, not {number}")
    return number


def add_storage(parser: argparse.ArgumentParser) -> None:
    """Add the flags that name a study."""
    parser.add_argument(
        "--storage", default=DEFAULT_STORAGE, metavar="URL", help="database (default: %(default)s)"
    )
    parser.add_argument("--study-name", metavar="NAME", help="default: named after its data")


def add_machine(parser: argparse.ArgumentParser, data: str = "Omniglot") -> None:
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


def _one_line(
    message: Warning | str,
    category: type[Warning],
    filename: str,
    lineno: int,
    line: str | None = None,
) -> str:
    return f"warning: {message}\n"


def run_script(main: Callable[[], None], resume_hint: str) -> None:
    """Run a script's main; what the user can mend becomes one line and exit status 2.

    Args:
        main: the script.
        resume_hint: said after Ctrl-C or SIGTERM, with exit status 130.
    """
    end_on_first_signal()
    warnings.formatwarning = _one_line
    try:
        main()
    except InputError as error:
        print(f"error: {printable(str(error))}", file=sys.stderr)
        raise SystemExit(2) from None
    except KeyboardInterrupt:
        print(f"\nstopped. {resume_hint}", file=sys.stderr)
        raise SystemExit(130) from None
