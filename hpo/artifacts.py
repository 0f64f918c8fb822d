"""Pictures of an ended trial for the live dashboard: learning curve, filters, errors.

Tensor suffixes: K errors, N images, R blocks, Q queries, S support, H W pixels.
"""

import math
import tempfile
import warnings
from pathlib import Path

import optuna
import torch
from optuna.artifacts import FileSystemArtifactStore, upload_artifact
from torch import Tensor

from data.pictures import curve_png, encode_png, stretch_contrast, tile
from model.evaluate import episode_logits
from model.siamese import SiameseNet
from model.state import FitState
from model.train import Validation

MAX_TRIAL_ERRORS = 24


def most_confident_errors(net: SiameseNet, validation: Validation, most: int = MAX_TRIAL_ERRORS) -> Tensor:
    """Return K×3 positions of drawings, K ≤ ``most``: query, right and chosen support.

    The surest errors come first: those whose chosen logit is farthest above the right one's.
    """
    episodes = validation.episodes
    logits_RQS = episode_logits(net, validation.drawings, episodes).cpu()
    right = logits_RQS.gather(-1, episodes.target_RQ.unsqueeze(-1)).squeeze(-1)
    chosen, answer_RQ = logits_RQS.max(-1)
    margin = (chosen - right).flatten()
    order = margin.argsort(descending=True)[:most]
    order = order[margin[order] > 0]
    support_RQ = [
        episodes.support_RS.gather(1, column).flatten()[order]
        for column in (episodes.target_RQ, answer_RQ)
    ]
    return torch.stack([episodes.query_RQ.flatten()[order], *support_RQ], dim=1)


def trial_images(state: FitState, validation: Validation, *, pruned: bool) -> dict[str, bytes]:
    """Return PNGs by file name: the curve, the first layer's filters, and a full fit's errors."""
    scored = [result.accuracy for result in state.history if not math.isnan(result.accuracy)]
    net = state.best_net()
    filters_NHW = stretch_contrast(net.conv1.weight.mean(1))
    n_columns = math.ceil(math.sqrt(2 * len(filters_NHW)))
    found = {
        "curve.png": curve_png(scored, "validation accuracy"),
        "filters.png": encode_png(tile(filters_NHW, n_columns, zoom=8)),
    }
    if not pruned and not state.history[-1].died:
        errors_K3 = most_confident_errors(net, validation)
        images_NHW = validation.drawings.images_NHW[errors_K3.flatten()]
        if len(images_NHW):
            found["errors (query, right, chosen).png"] = encode_png(tile(images_NHW, 12))
    return found


def attach_images(trial: optuna.Trial, images: dict[str, bytes], folder: Path) -> None:
    """Attach pictures to a running trial; without room for them, it goes on without."""
    try:
        folder.mkdir(parents=True, exist_ok=True)
        store = FileSystemArtifactStore(folder)
        with tempfile.TemporaryDirectory() as temporary:
            for name, png in images.items():
                path = Path(temporary) / name
                path.write_bytes(png)
                upload_artifact(artifact_store=store, file_path=str(path), study_or_trial=trial)
    except OSError as error:
        warnings.warn(f"Trial {trial.number}'s pictures were not kept ({error}).", stacklevel=2)
