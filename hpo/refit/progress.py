"""The progress of a refit: epoch, accuracy and the time that is left.

On a terminal, every epoch overwrites the one before. Elsewhere, for example in a file, a line is
logged about once a minute.
"""

import logging
import math
import sys
import time
from collections.abc import Iterable, Iterator

from model.fit_state import EpochResult

logger = logging.getLogger(__name__)

LOG_SECONDS = 60.0


def show_epochs(epochs: Iterable[EpochResult], seed: int, max_epochs: int) -> Iterator[EpochResult]:
    """Yield the results of a fit, and show each of them first.

    Args:
        epochs: results of :func:`model.train.fit`.
        seed: seed of the fit.
        max_epochs: maximum number of epochs.
    """
    last_logged = time.monotonic()
    for result in epochs:
        line = describe_epoch(result, seed, max_epochs)
        is_debug = logger.isEnabledFor(logging.DEBUG)
        logger.debug(line)
        if logger.isEnabledFor(logging.INFO) and not is_debug:
            if sys.stderr.isatty():
                print(f"{line}   ", end="\n" if result.stopped else "\r", file=sys.stderr)
            elif not result.stopped and time.monotonic() - last_logged >= LOG_SECONDS:
                logger.info(line)
                last_logged = time.monotonic()
        yield result


def describe_epoch(result: EpochResult, seed: int, max_epochs: int) -> str:
    """Return an epoch as text, with the time that is left if all epochs take as long."""
    accuracy = "" if math.isnan(result.accuracy) else f" · {result.accuracy:.1%} validation"
    minutes = math.ceil(result.seconds * (max_epochs - result.epoch) / 60)
    left = f" · about {minutes} min left" if minutes else ""
    return f"seed {seed} epoch {result.epoch}/{max_epochs} · loss {result.loss:.3f}{accuracy}{left}"
