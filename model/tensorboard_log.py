"""The course of fits for TensorBoard, by torch's own writer."""

import math
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

from data.errors import InputError
from model.fit_state import EpochResult

if TYPE_CHECKING:
    from torch.utils.tensorboard import SummaryWriter


def open_writer(folder: Path) -> "SummaryWriter":
    """Return a writer of a fit; what an earlier one wrote there is replaced from epoch 1 on.

    Raises:
        InputError: TensorBoard is not installed.
        OSError: the folder cannot be written.
    """
    try:
        from torch.utils.tensorboard import SummaryWriter
    except ImportError as error:
        raise InputError(
            "--tensorboard needs one more library. Run: uv sync --extra tensorboard"
        ) from error
    return SummaryWriter(folder, purge_step=1)


def log_epochs(results: Iterator[EpochResult], folder: Path | None) -> Iterator[EpochResult]:
    """Yield a fit's results, each of them written down first.

    Args:
        results: of :func:`model.train.fit`; a fit that goes on begins with those of before.
        folder: of this fit, or None to write nothing.

    Raises:
        InputError: TensorBoard is not installed, or the folder cannot be written.
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
            f"--tensorboard cannot be written to {folder} ({error}). Free space there, or name "
            "another folder."
        ) from error


def _write(writer: "SummaryWriter", result: EpochResult) -> None:
    writer.add_scalar("loss", result.loss, result.epoch)
    if not math.isnan(result.accuracy):
        writer.add_scalar("validation accuracy", result.accuracy, result.epoch)
    writer.add_scalar("seconds per epoch", result.seconds, result.epoch)
