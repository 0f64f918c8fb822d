"""The file of a trained network: what it stores about its fit, in a study and in a retraining."""

import math
from pathlib import Path
from typing import Any

from data.drawings import Drawings
from data.seen_classes import TRAIN, training_metadata
from hpo.settings.study_settings import StudySettings
from hpo.study.dataset import task_metadata
from model.checkpoint import save_network
from model.fit_state import FIT_FORMAT, FitState
from model.provenance import provenance
from model.siamese import SiameseNet


def save_trial_network(
    path: Path,
    net: SiameseNet,
    state: FitState,
    train: Drawings,
    settings: StudySettings,
    *,
    trial: int,
) -> None:
    """Save the network of a fit of a study; ``retrain_best.py --checkpoint`` evaluates the file.

    Args:
        path: file to write.
        net: network of the best epoch.
        state: its finished fit.
        train: drawings that it was trained on.
        settings: settings of the study.
        trial: number of the trial whose configuration was fitted.

    Raises:
        InputError: the folder is not writable, or the disk is full.
    """
    metadata = {"trial": trial, "train_on": TRAIN} | fit_metadata(state, train, settings)
    save_network(path, net, state.config, metadata)


def fit_metadata(state: FitState, train: Drawings, settings: StudySettings) -> dict[str, Any]:
    """Return how a finished fit was trained, and on which data and task, as JSON values.

    Args:
        state: the fit.
        train: drawings that it was trained on.
        settings: settings of the study.
    """
    return {
        **state.metadata(),
        "history": fit_history(state),
        **training_metadata(train, state.start.seen if state.start else ()),
        **task_metadata(settings),
        "fit_format": FIT_FORMAT,
        "provenance": provenance(state.compute),
    }


def fit_history(state: FitState) -> list[dict[str, Any]]:
    """Return epoch, loss and accuracy of all epochs; None for a value that is not finite."""
    return [
        {
            "epoch": result.epoch,
            "loss": result.loss if math.isfinite(result.loss) else None,
            "accuracy": None if math.isnan(result.accuracy) else result.accuracy,
        }
        for result in state.history
    ]
