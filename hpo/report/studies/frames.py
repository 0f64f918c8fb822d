"""Several studies as pandas data frames: their results and costs, and their best value by compute.

Accuracies are fractions in [0, 1], times are in seconds, and compute is the number of drawings that
were embedded in training.
"""

import re
from collections.abc import Mapping, Sequence
from typing import Any

import pandas as pd
from optuna.storages import RDBStorage
from optuna.study import Study

from hpo.report.study import frames
from hpo.report.study.text import stored_settings
from hpo.search.finalists import finalist_studies
from hpo.search.winner import winner_accuracy, winning_trial
from hpo.study.trials import STATES, count_diverged_finalists, finalist_accuracies
from model.intervals import accuracy_interval

TRAILING_SEED = re.compile(r"[\s._-]*(seed)?[\s._=-]*\d+$", re.IGNORECASE)
SEED_FIELDS = ("seed", "step_cost")  # settings in which studies of one group may differ
CURVE_COLUMNS = ["group", "study", "images", "best"]
BAND_COLUMNS = ["group", "images", "n", "mean", "lowest", "highest"]


def studies_frame(storage: RDBStorage, studies: Sequence[Study]) -> pd.DataFrame:
    """Return a row per study.

    Returns:
        ``study``, ``data``, the number of trials by state (a column for each of
        :data:`hpo.study.trials.STATES`), ``search_images`` and ``search_seconds`` (compute and time
        of the search), ``images`` and ``seconds`` (of the search and its finalists), ``best``
        (highest value in the search), ``as_finalist`` (mean of the winner's fits as a finalist; NaN
        if one diverged), ``unbiased`` (accuracy of the winner on drawings that were not used for
        any choice), ``low`` and ``high`` (its 95 % interval) and ``last`` (latest start or end of a
        trial). An accuracy that was not measured is NaN.
    """
    frame = pd.DataFrame([_study_row(storage, study) for study in studies])
    types = dict.fromkeys(("best", "as_finalist", "unbiased", "low", "high"), "float64")
    return frame.astype({**types, "last": "datetime64[ns]"}) if studies else frame


def _study_row(storage: RDBStorage, study: Study) -> dict[str, Any]:
    trials = frames.trial_frame(study)
    parts = [trials, *map(frames.trial_frame, finalist_studies(storage, study))]
    counts, settings = trials["state"].value_counts(), stored_settings(study)
    return {
        "study": study.study_name,
        "data": settings.data if settings else "?",
        **{state: int(counts.get(state, 0)) for state in STATES},
        "search_images": int(trials["n_images"].sum()),
        "search_seconds": float(trials["seconds"].sum()),
        "images": int(sum(part["n_images"].sum() for part in parts)),
        "seconds": float(sum(part["seconds"].sum() for part in parts)),
        "best": trials.loc[trials["state"] == "complete", "value"].max(),
        **_winner_accuracies(study),
        "last": pd.concat([p[name].dropna() for p in parts for name in ("start", "end")]).max(),
    }


def _winner_accuracies(study: Study) -> dict[str, float | None]:
    """Return the accuracies of the winner; None for each that was not measured."""
    winner, unbiased = winning_trial(study), winner_accuracy(study)
    values = finalist_accuracies(study).get(winner.number, []) if winner else []
    if winner and count_diverged_finalists(study)[winner.number]:
        values = []  # their mean contains chance levels
    interval = accuracy_interval(unbiased) if unbiased else None
    return {
        "as_finalist": sum(values) / len(values) if values else None,
        "unbiased": unbiased.mean if unbiased else None,
        "low": interval.low if interval else None,
        "high": interval.high if interval else None,
    }


def seed_groups(identities: Mapping[str, Mapping[str, Any]]) -> dict[str, str]:
    """Return the group of each study by its name.

    Two studies are in one group if their names differ at most by a trailing seed and their
    identities differ only by the seed.

    Args:
        identities: identity by name of the study, under the current names of its fields.

    Returns:
        Label of the group by name of the study; the label of a single study is its name.
    """
    groups: list[list[str]] = []
    for name, identity in identities.items():
        for names in groups:
            if all(_is_other_seed(n, identities[n], name, identity) for n in names):
                names.append(name)
                break
        else:
            groups.append([name])
    return {name: _group_label(names) for names in groups for name in names}


def _is_other_seed(
    name: str, identity: Mapping[str, Any], other_name: str, other: Mapping[str, Any]
) -> bool:
    stems = {TRAILING_SEED.sub("", text) for text in (name, other_name)}
    seeds = [i.get("settings", {}).get("seed") for i in (identity, other)]
    return len(stems) == 1 and seeds[0] != seeds[1] and _seedless(identity) == _seedless(other)


def _seedless(identity: Mapping[str, Any]) -> dict[str, Any]:
    """Return an identity without its seed, and without what a resumed study may change."""
    settings = {n: v for n, v in identity.get("settings", {}).items() if n not in SEED_FIELDS}
    return {n: v for n, v in identity.items() if n != "version"} | {"settings": settings}


def _group_label(names: list[str]) -> str:
    return names[0] if len(names) == 1 else f"{names[0]} … {names[-1]} ({len(names)} seeds)"


def compute_frame(trials: Mapping[str, pd.DataFrame], groups: Mapping[str, str]) -> pd.DataFrame:
    """Return ``group``, ``study``, ``images`` and ``best``: the best value so far by compute.

    Args:
        trials: frame of :func:`hpo.report.study.frames.trial_frame` by name of the study.
        groups: group by name of the study, from :func:`seed_groups`.

    Returns:
        A row per ended trial from the first complete one on, in the order in which they ended.
    """
    parts = [
        frame.assign(study=name, group=groups[name], images=frame["n_images"].fillna(0).cumsum())
        for name, frame in ((n, frames.progress_frame(trials[n])) for n in trials)
    ]
    curves = pd.concat(parts)[CURVE_COLUMNS] if parts else pd.DataFrame(columns=CURVE_COLUMNS)
    return curves.dropna().reset_index(drop=True)


def band_frame(curves: pd.DataFrame) -> pd.DataFrame:
    """Return mean, lowest and highest best value of the studies of each group, by compute.

    Every row is over all studies of its group with a complete trial: a group begins where the last
    of them has its first complete trial, and ends where the first of them ends.

    Args:
        curves: frame of :func:`compute_frame`.

    Returns:
        ``group``, ``images``, ``n`` (number of studies), ``mean``, ``lowest`` and ``highest``.
    """
    parts = [_group_band(str(group), rows) for group, rows in curves.groupby("group", sort=False)]
    return pd.concat(parts, ignore_index=True) if parts else pd.DataFrame(columns=BAND_COLUMNS)


def _group_band(group: str, rows: pd.DataFrame) -> pd.DataFrame:
    wide = rows.pivot_table(index="images", columns="study", values="best", aggfunc="max")
    end = rows.groupby("study")["images"].max().min()
    wide = wide.sort_index().ffill().loc[:end].dropna()
    return pd.DataFrame(
        {
            "group": group,
            "images": wide.index,
            "n": wide.shape[1],
            "mean": wide.mean(axis=1).to_numpy(),
            "lowest": wide.min(axis=1).to_numpy(),
            "highest": wide.max(axis=1).to_numpy(),
        }
    )
