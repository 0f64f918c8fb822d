"""The record of a fit in ``result.json`` and in the file of its network."""

from dataclasses import dataclass


@dataclass(frozen=True)
class EpochRecord:
    """One epoch of a fit.

    Args:
        epoch: number of the epoch, from 1.
        loss: mean training loss; None if it was not finite.
        accuracy: validation accuracy in [0, 1]; None without validation.
    """

    epoch: int
    loss: float | None
    accuracy: float | None


@dataclass(frozen=True)
class FitRecord:
    """How a fit ended and what it cost; see :meth:`model.fit_state.FitState.metadata`.

    Args:
        stopped: reason why the fit stopped after the last epoch.
        diverged: why the fit diverged, or None.
        epochs: number of epochs.
        best_epoch: epoch whose weights were evaluated.
        n_images: number of drawings embedded in training.
        seconds: wall time of all epochs.
        n_parameters: number of weights and biases of the network.
        flops_per_image: number of floating-point operations to embed one drawing.
        device: device and number format, for example ``"cpu bfloat16"``.
        history: all epochs.
        in_study: whether the study made this fit; its time is part of the time of the study.
    """

    stopped: str | None
    diverged: str | None
    epochs: int
    best_epoch: int
    n_images: int
    seconds: float
    n_parameters: int
    flops_per_image: int
    device: str
    history: list[EpochRecord]
    in_study: bool = False
