"""Prints the log of this program on the terminal, as plain lines.

The modules of ``hpo`` log, so that nothing is printed from Python unless asked; the commands print
what is logged. Notes and progress go to standard output, warnings to standard error.
"""

import argparse
import logging
import sys

LOGGER = "hpo"  # parent of the loggers of all modules of this package
PROGRESS_BAR = "tqdm"  # a line must not break its bar


class ConsoleHandler(logging.Handler):
    """Prints a record as one line, above the progress bar if there is one."""

    def emit(self, record: logging.LogRecord) -> None:
        """Print a record."""
        is_warning = record.levelno >= logging.WARNING
        stream = sys.stderr if is_warning else sys.stdout
        line = f"warning: {record.getMessage()}" if is_warning else record.getMessage()
        if PROGRESS_BAR in sys.modules:
            from tqdm import tqdm

            tqdm.write(line, file=stream)
        else:
            print(line, file=stream)
        stream.flush()


def print_log(args: argparse.Namespace) -> None:
    """Print the log of this program from now on.

    Args:
        args: flags of a script; ``quiet`` prints warnings only, ``verbose`` every epoch, too.
    """
    logger = logging.getLogger(LOGGER)
    logger.handlers[:] = [ConsoleHandler()]
    logger.propagate = False
    level = logging.INFO
    if getattr(args, "quiet", False):
        level = logging.WARNING
    if getattr(args, "verbose", False):
        level = logging.DEBUG
    logger.setLevel(level)
