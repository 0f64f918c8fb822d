"""Analyses of the trials of a study: parameter importance, random search, interpolation."""

import warnings
from typing import Any

import numpy as np
import optuna
import pandas as pd
from optuna.importance import PedAnovaImportanceEvaluator, get_param_importances
from optuna.storages import RDBStorage
from optuna.study import Study
from optuna.trial import FrozenTrial, TrialState
from scipy.interpolate import griddata
from scipy.spatial import QhullError

from hpo.report.study import frames
from hpo.study.goals import has_one_goal
from hpo.study.open import IDENTITY
from hpo.study.trials import accuracy_of
from model.schema import upgrade

MIN_TRIALS = 4  # complete trials; with fewer, nothing is computed
N_GRID_POINTS = 24  # along each axis of the interpolation


def importance_frame(study: Study) -> pd.DataFrame:
    """Return ``parameter`` and ``importance`` (sum 1), the highest importance first.

    They are the importances for the accuracy. The frame has no rows if fewer than
    :data:`MIN_TRIALS` trials are complete or all have the same accuracy.

    Source: Watanabe, Bansal & Hutter (2023), PED-ANOVA: Efficiently Quantifying Hyperparameter
    Importance in Arbitrary Subspaces; it compares the best trials with all trials.
    """
    complete = study.get_trials(deepcopy=False, states=(TrialState.COMPLETE,))
    if len(complete) < MIN_TRIALS or len({accuracy_of(t) for t in complete}) == 1:
        return pd.DataFrame({"parameter": [], "importance": []})
    target = None if has_one_goal(study) else _negative_accuracy
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", message=".* low `target` values", category=UserWarning)
        importances = get_param_importances(
            study, evaluator=PedAnovaImportanceEvaluator(), target=target
        )
    frame = pd.DataFrame(importances.items(), columns=["parameter", "importance"])
    return frame.sort_values("importance", ascending=False, ignore_index=True)


def _negative_accuracy(trial: FrozenTrial) -> float:
    """Return what PED-ANOVA minimises in a study of two goals; it ignores their cost."""
    return -(accuracy_of(trial) or 0.0)


def random_search_studies(storage: RDBStorage, study: Study) -> list[Study]:
    """Return the random searches in a storage with which a study can be compared.

    They have the same space, data and training as the study; pruner and seed may differ.
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


def best_so_far_frame(studies: list[Study], by: str = "end") -> pd.DataFrame:
    """Return ``study``, ``trial``, ``cost`` and ``best`` of the ended trials of several studies.

    Args:
        studies: studies whose names become the column ``study``.
        by: order of the trials; see :func:`hpo.report.study.frames.progress_frame`.
    """
    columns = ["study", "trial", "cost", "best"]
    parts = [
        frames.progress_frame(frames.trial_frame(study), by).assign(study=study.study_name)
        for study in studies
    ]
    frame = pd.concat(parts) if parts else pd.DataFrame(columns=columns)
    return frame[columns].dropna()


def interpolate(
    frame: pd.DataFrame, x: str, y: str, log: set[str]
) -> tuple[np.ndarray, np.ndarray, np.ndarray] | None:
    """Interpolate the value linearly between the complete trials, on a grid of two parameters.

    Args:
        frame: frame of :func:`hpo.report.study.frames.trial_frame`.
        x: name of the first parameter.
        y: name of the second parameter.
        log: names of the parameters on a log scale.

    Returns:
        Grid values of x, grid values of y, and the matrix of accuracies (a row per y, a column per
        x; NaN outside the convex hull of the trials). None if the trials span no area.
    """
    complete = frame[frame["state"] == "complete"]
    points = [np.log(complete[p]) if p in log else complete[p].astype(float) for p in (x, y)]
    spans = [np.ptp(p) if len(p) else 0.0 for p in points]
    if min(spans) == 0 or len(complete) < MIN_TRIALS:
        return None
    scaled = [(p - p.min()) / span for p, span in zip(points, spans, strict=True)]
    steps = np.linspace(0, 1, N_GRID_POINTS)
    grid = tuple(np.meshgrid(steps, steps))
    try:
        values = griddata(np.stack(scaled, 1), complete["value"], grid)
    except QhullError:  # all trials lie on one line
        return None
    axes = [p.min() + steps * span for p, span in zip(points, spans, strict=True)]
    xs, ys = (np.exp(a) if p in log else a for a, p in zip(axes, (x, y), strict=True))
    return xs, ys, values


def _comparable(identity: dict[str, Any] | None) -> dict[str, Any] | None:
    """Return the part of an identity that two studies must share to be compared."""
    if identity is None:
        return None
    identity = upgrade("identity", identity)
    ignored = ("sampler", "local", "pruner", "seed", "step_cost", "version")
    settings = {name: v for name, v in identity["settings"].items() if name not in ignored}
    return {name: v for name, v in identity.items() if name not in ignored} | {"settings": settings}
