"""What a study's trials say about its parameters; frames again, nothing here draws."""

from typing import Any

import optuna
import pandas as pd
from optuna.importance import PedAnovaImportanceEvaluator, get_param_importances
from optuna.storages import RDBStorage
from optuna.study import Study
from optuna.trial import TrialState

from hpo import records
from hpo.study import IDENTITY

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
        by: their order, as :func:`hpo.records.progress_frame` has it.
    """
    parts = [records.progress_frame(records.trial_frame(p), by).assign(study=p.study_name) for p in peers]
    frame = pd.concat(parts) if parts else pd.DataFrame(columns=["study", "trial", "cost", "best"])
    return frame[["study", "trial", "cost", "best"]].dropna()
