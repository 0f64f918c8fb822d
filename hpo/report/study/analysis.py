"""Analyses of the trials of a study: parameter importance, random search, interpolation."""

from collections.abc import Iterator
from contextlib import contextmanager
from math import inf
from typing import Any

import numpy as np
import optuna
import pandas as pd
from optuna.importance import PedAnovaImportanceEvaluator, get_param_importances
from optuna.storages import RDBStorage
from optuna.study import Study
from optuna.trial import FrozenTrial, TrialState, create_trial
from scipy.interpolate import griddata
from scipy.spatial import QhullError

from hpo.report.study import frames
from hpo.study.open import IDENTITY
from hpo.study.trials import accuracy_of, trial_attributes
from model.schema import upgrade

MIN_TRIALS = 4  # complete trials; with fewer, there are no plots of the parameters
MIN_RANKED = 10  # complete and pruned trials; with fewer, no importance is computed
N_BEST, BEST_SHARE = 5, 0.1  # the trials that PED-ANOVA compares with all: the larger number
N_GRID_POINTS = 24  # along each axis of the interpolation


def importance_frame(study: Study) -> pd.DataFrame:
    """Return ``parameter`` and ``importance`` (sum 1), the highest importance first.

    They are the importances for the accuracy, from all trials of :func:`ranked_trials`. The frame
    has no rows if these are fewer than :data:`MIN_RANKED`, or if all are equally good.

    Source: Watanabe, Bansal & Hutter (2023), PED-ANOVA: Efficiently Quantifying Hyperparameter
    Importance in Arbitrary Subspaces; it compares the best trials with all trials.
    """
    ranked = ranked_trials(study)
    if len(ranked) < MIN_RANKED or len(set(map(_rank, ranked))) == 1:
        return pd.DataFrame({"parameter": [], "importance": []})
    trials = [
        create_trial(params=t.params, distributions=t.distributions, value=rank)
        for rank, t in enumerate(ranked)
    ]
    with _quiet():
        by_rank = optuna.create_study(direction="minimize")
    by_rank.add_trials(trials)
    evaluator = PedAnovaImportanceEvaluator(target_quantile=max(BEST_SHARE, N_BEST / len(ranked)))
    importances = get_param_importances(by_rank, evaluator=evaluator)
    frame = pd.DataFrame(importances.items(), columns=["parameter", "importance"])
    return frame.sort_values("importance", ascending=False, ignore_index=True)


@contextmanager
def _quiet() -> Iterator[None]:
    """Let Optuna print errors only."""
    level = optuna.logging.get_verbosity()
    optuna.logging.set_verbosity(optuna.logging.ERROR)
    try:
        yield
    finally:
        optuna.logging.set_verbosity(level)


def ranked_trials(study: Study) -> list[FrozenTrial]:
    """Return the complete and the pruned trials, the best first.

    Complete trials are better than pruned ones, and a trial that was pruned later is better than
    one that was pruned earlier. Trials of the same length are ordered by their accuracy. Trials
    that diverged are the worst. So the best trials are those of full length, and every trial
    counts.
    """
    states = (TrialState.COMPLETE, TrialState.PRUNED)
    return sorted(study.get_trials(deepcopy=False, states=states), key=_rank, reverse=True)


def _rank(trial: FrozenTrial) -> tuple[float, float]:
    reported = [value for _, value in sorted(trial.intermediate_values.items())]
    accuracy = accuracy_of(trial) or (reported[-1] if reported else 0.0)
    if trial_attributes(trial).get("diverged"):
        return 0, accuracy
    return inf if trial.state == TrialState.COMPLETE else len(reported), accuracy


def random_search_studies(storage: RDBStorage, study: Study) -> list[Study]:
    """Return the random searches in a storage with which a study can be compared.

    They have the same space, data and training as the study; pruner and seed may differ.
    """
    ours = _comparable(study.user_attrs.get(IDENTITY))
    names = [
        summary.study_name
        for summary in optuna.get_all_study_summaries(storage)
        if summary.study_name != study.study_name
        and IDENTITY in summary.user_attrs
        and _comparable(summary.user_attrs[IDENTITY]) == ours
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
