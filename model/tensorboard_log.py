"""Logs of the epochs of fits for TensorBoard."""

import math
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

from data.errors import InputError
from data.files import file_repair
from model.fit_state import EpochResult

if TYPE_CHECKING:
    from torch.utils.tensorboard import SummaryWriter


def log_epochs(results: Iterator[EpochResult], folder: Path | None) -> Iterator[EpochResult]:
    """Yield the results of a fit, and log each of them first.

    Args:
        results: results of :func:`model.train.fit`, from epoch 1 even if the fit is resumed.
        folder: folder of the logs of this fit; None for no log.

    Raises:
        InputError: TensorBoard is not installed, or the folder is not writable.
    """
    if folder is None:
        yield from results
        return
    try:
        with open_writer(folder) as writer:
            for result in results:
                _write(writer, result)
                yield result
    except OSError as error:
        raise InputError(
            f"--tensorboard cannot be written to {folder} ({error}). {file_repair(error)}"
        ) from error


def open_writer(folder: Path) -> "SummaryWriter":
    """Return a writer of one fit; its epochs replace the epochs that are already in the folder.

    Raises:
        InputError: TensorBoard is not installed.
        OSError: the folder is not writable.
    """
    try:
        from torch.utils.tensorboard import SummaryWriter
    except ImportError as error:
        raise InputError(
            "--tensorboard needs one more library. Run: uv sync --extra tensorboard"
        ) from error
    return SummaryWriter(folder, purge_step=1)


def _write(writer: "SummaryWriter", result: EpochResult) -> None:
    writer.add_scalar("loss", result.loss, result.epoch)
    if not math.isnan(result.accuracy):
        writer.add_scalar("validation accuracy", result.accuracy, result.epoch)
    writer.add_scalar("seconds per epoch", result.seconds, result.epoch)
