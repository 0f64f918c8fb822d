"""What a study's trials say about its parameters; frames again, nothing here draws.

What lies between the trials of a study, over two parameters."""

from typing import Any

import numpy as np
import optuna
import pandas as pd
from optuna.importance import PedAnovaImportanceEvaluator, get_param_importances
from optuna.storages import RDBStorage
from optuna.study import Study
from optuna.trial import TrialState
from scipy.interpolate import griddata
from scipy.spatial import QhullError

from hpo.report.study import frames
from hpo.study.open import IDENTITY

MIN_TRIALS = 4  # complete trials, below which an importance says nothing


def importance_frame(study: Study) -> pd.DataFrame:
    """Return ``parameter`` and ``importance`` (adding up to 1), the greatest first.

    Empty where fewer than :data:`MIN_TRIALS` trials are complete, or all have one value.

    Source: Watanabe, Bansal & Hutter (2023), PED-ANOVA: Efficiently Quantifying Hyperparameter
    Importance in Arbitrary Subspaces; how parameters of the best trials differ from the others'.
    """
    complete = study.get_trials(deepcopy=False, states=(TrialState.COMPLETE,))
    if len(complete) < MIN_TRIALS or len({trial.value for trial in complete}) == 1:
        return pd.DataFrame({"parameter": [], "importance": []})
    found = get_param_importances(study, evaluator=PedAnovaImportanceEvaluator())
    frame = pd.DataFrame(found.items(), columns=["parameter", "importance"])
    return frame.sort_values("importance", ascending=False, ignore_index=True)


def random_search_studies(storage: RDBStorage, study: Study) -> list[Study]:
    """Return the studies of the same storage that are alike but for random sampling.

    Their pruner and seed may differ: they show what chance finds in the same space.
    """
    ours = _comparable(study.user_attrs.get(IDENTITY))
    names = [
        summary.study_name
        for summary in optuna.get_all_study_summaries(storage)
        if summary.study_name != study.study_name
        and _comparable(summary.user_attrs.get(IDENTITY)) == ours
        and summary.user_attrs[IDENTITY]["settings"]["sampler"] == "random"
    ]
    return [optuna.load_study(study_name=name, storage=storage) for name in names]


def _comparable(identity: dict[str, Any] | None) -> dict[str, Any] | None:
    """Return what must be equal in two studies whose progress is compared."""
    if identity is None:
        return None
    free = ("sampler", "local", "pruner", "seed")
    settings = {n: v for n, v in identity["settings"].items() if n not in free}
    return {n: v for n, v in identity.items() if n not in free} | {"settings": settings}


def best_so_far_frame(peers: list[Study], by: str = "end") -> pd.DataFrame:
    """Return ``study``, ``trial``, ``cost``, ``best`` of every ended trial of some studies.

    Args:
        peers: the studies.
        by: their order, as :func:`hpo.report.study.frames.progress_frame` has it.
    """
    parts = [
        frames.progress_frame(frames.trial_frame(p), by).assign(study=p.study_name) for p in peers
    ]
    frame = pd.concat(parts) if parts else pd.DataFrame(columns=["study", "trial", "cost", "best"])
    return frame[["study", "trial", "cost", "best"]].dropna()


CELLS = 24  # of either axis


def interpolate(
    frame: pd.DataFrame, x: str, y: str, log: set[str]
) -> tuple[np.ndarray, np.ndarray, np.ndarray] | None:
    """Return what lies between the complete trials, as a grid over two parameters.

    Args:
        frame: of :func:`hpo.report.study.frames.trial_frame`.
        x: a parameter.
        y: another.
        log: those of the two that are interpolated on a log scale.

    Returns:
        Values of x, values of y, and a matrix of shares (rows y, columns x; NaN outside of the
        trials' hull); None where the trials span no area.
    """
    done = frame[frame["state"] == "complete"]
    points = [np.log(done[p]) if p in log else done[p].astype(float) for p in (x, y)]
    span = [np.ptp(p) if len(p) else 0.0 for p in points]
    if min(span) == 0 or len(done) < MIN_TRIALS:
        return None
    scaled = [(p - p.min()) / s for p, s in zip(points, span, strict=True)]
    steps = np.linspace(0, 1, CELLS)
    try:
        inside = griddata(np.stack(scaled, 1), done["value"], tuple(np.meshgrid(steps, steps)))
    except QhullError:  # all trials lie on one line
        return None
    axes = [p.min() + steps * s for p, s in zip(points, span, strict=True)]
    xs, ys = (np.exp(a) if p in log else a for a, p in zip(axes, (x, y), strict=True))
    return xs, ys, inside
