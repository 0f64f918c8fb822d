"""The images of a trial whose fit has ended, for the live dashboard.

:func:`trial_images` draws them, and :func:`attach_images` stores them as Optuna artifacts.

Tensor suffixes: K errors, N images, R blocks, Q queries, S support, H height, W width.
"""

import math
import tempfile
import warnings
from pathlib import Path

import optuna
import torch
from optuna.artifacts import FileSystemArtifactStore, upload_artifact
from torch import Tensor

from data.pictures import curve_png, encode_png, stretch_contrast, tile_images
from model.evaluate import episode_logits
from model.fit_state import FitState
from model.siamese import SiameseNet
from model.train import Validation

MAX_TRIAL_ERRORS = 24  # maximum number of errors that the image of a trial shows
N_ERROR_COLUMNS = 12  # four triplets of query, correct and chosen drawing per row
FILTER_ZOOM = 8  # width and height of a filter weight in pixels


def trial_images(state: FitState, validation: Validation, *, pruned: bool) -> dict[str, bytes]:
    """Return the images of a trial whose fit has ended, as PNG data by file name.

    They show the learning curve, the filters of the first layer and, unless the trial was pruned
    or diverged, the most confident errors.
    """
    accuracies = [r.accuracy for r in state.history if not math.isnan(r.accuracy)]
    net = state.best_net()
    images = {"curve.png": curve_png(accuracies, "validation accuracy")}
    if (filters_NHW := net.first_filters()) is not None:
        n_columns = math.ceil(math.sqrt(2 * len(filters_NHW)))
        sheet = tile_images(stretch_contrast(filters_NHW), n_columns, zoom=FILTER_ZOOM)
        images["filters.png"] = encode_png(sheet)
    if not pruned and not state.history[-1].diverged:
        errors_K3 = most_confident_errors(net, validation)
        images_NHW = validation.drawings.images_NHW[errors_K3.flatten()]
        if len(images_NHW):
            sheet = tile_images(images_NHW, N_ERROR_COLUMNS)
            images["errors (query, correct, chosen).png"] = encode_png(sheet)
    return images


def most_confident_errors(
    net: SiameseNet, validation: Validation, n_max: int = MAX_TRIAL_ERRORS
) -> Tensor:
    """Return the most confident errors, the most confident one first.

    They are the errors in which the logit of the chosen drawing exceeds the logit of the correct
    drawing most.

    Args:
        net: network to evaluate.
        validation: drawings and episodes.
        n_max: maximum number of errors.

    Returns:
        K×3 positions of drawings (int64), K ≤ ``n_max``: query, correct support and chosen support.
    """
    episodes = validation.episodes
    logits_RQS = episode_logits(net, validation.drawings, episodes).cpu()
    correct_RQ = logits_RQS.gather(-1, episodes.target_RQ.unsqueeze(-1)).squeeze(-1)
    highest_RQ, prediction_RQ = logits_RQS.max(-1)
    margins = (highest_RQ - correct_RQ).flatten()
    order_K = margins.argsort(descending=True)[:n_max]
    order_K = order_K[margins[order_K] > 0]
    columns = [
        episodes.first_support(column_RQ).flatten()[order_K]
        for column_RQ in (episodes.target_RQ, prediction_RQ)
    ]
    return torch.stack([episodes.query_RQ.flatten()[order_K], *columns], dim=1)


def attach_images(trial: optuna.Trial, images: dict[str, bytes], folder: Path) -> None:
    """Attach images to a running trial as artifacts; if they cannot be written, warn and continue.

    Args:
        trial: running trial.
        images: PNG data by file name.
        folder: folder of the artifacts.
    """
    try:
        folder.mkdir(parents=True, exist_ok=True)
        store = FileSystemArtifactStore(folder)
        with tempfile.TemporaryDirectory() as temporary:
            for name, png in images.items():
                path = Path(temporary) / name
                path.write_bytes(png)
                upload_artifact(artifact_store=store, file_path=str(path), study_or_trial=trial)
    except OSError as error:
        warnings.warn(f"Images of trial {trial.number} were not saved ({error}).", stacklevel=2)
