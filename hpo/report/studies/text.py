"""The text of a comparison of studies: tables, and warnings if it is not a fair one."""

from collections.abc import Mapping
from typing import Any

import pandas as pd
from optuna.study import Study

from hpo.study.open import IDENTITY
from hpo.study.trials import STATES
from model.schema import upgrade

# Field of an identity → what two studies must share for their accuracies to be comparable.
COMPARED_FIELDS = {
    "data_digest": "data",
    "val_alphabets": "validation groups",
    "episodes": "validation episodes",
}
MISSING = "–"


def stored_identities(studies: list[Study]) -> dict[str, dict[str, Any]]:
    """Return the identities of studies by name, under the current names of their fields."""
    return {s.study_name: upgrade("identity", s.user_attrs.get(IDENTITY, {})) for s in studies}


def comparability_warnings(identities: Mapping[str, Mapping[str, Any]]) -> list[str]:
    """Return a sentence for each reason why the accuracies of the studies are not comparable.

    Args:
        identities: identity by name of the study, from :func:`stored_identities`.
    """
    warnings = []
    for field, noun in COMPARED_FIELDS.items():
        names: dict[Any, list[str]] = {}
        for name, identity in identities.items():
            names.setdefault(str(identity.get(field)), []).append(name)
        if len(names) > 1:
            parts = " | ".join(", ".join(part) for part in names.values())
            warnings.append(
                f"The studies have different {noun} ({parts}): their accuracies are not comparable."
            )
    return warnings


def comparison_table(frame: pd.DataFrame, groups: Mapping[str, str]) -> list[list[str]]:
    """Return a table with a row per study; a group is shown only if there is one of several.

    Args:
        frame: frame of :func:`hpo.report.studies.frames.studies_frame`.
        groups: group by name of the study.
    """
    header = [
        "study",
        "complete",
        "pruned",
        "images",
        "hours",
        "images, all fits",
        "hours, all fits",
    ]
    header += ["best in the search", "winner as a finalist", "winner, unbiased"]
    rows = [header]
    for row in frame.to_dict("records"):
        costs = (row["search_images"], row["search_seconds"], row["images"], row["seconds"])
        rows.append(
            [
                str(row["study"]),
                str(row["complete"] + row["diverged"]),
                str(row["pruned"]),
                *(f"{c:,}" if isinstance(c, int) else f"{c / 3600:.2f}" for c in costs),
                *(_percent(row[name]) for name in ("best", "as_finalist")),
                _unbiased(row),
            ]
        )
    if len(set(groups.values())) < len(groups):
        for line, group in zip(rows, ["group", *(groups[n] for n in frame["study"])], strict=True):
            line.insert(1, group)
    return rows


def list_table(frame: pd.DataFrame) -> list[list[str]]:
    """Return a table with a row per study, for the list of studies.

    Args:
        frame: frame of :func:`hpo.report.studies.frames.studies_frame` with one more column,
            ``state``.
    """
    rows = [["study", "data", "trials", "accuracy", "images", "hours", "state", "last activity"]]
    for row in frame.to_dict("records"):
        states = [f"{row[state]} {state}" for state in STATES if row[state]]
        rows.append(
            [
                str(row["study"]),
                str(row["data"]),
                ", ".join(states) or "none",
                _best_known(row),
                f"{row['images']:,}",
                f"{row['seconds'] / 3600:.2f}",
                str(row["state"]),
                MISSING if pd.isna(row["last"]) else f"{row['last']:%Y-%m-%d %H:%M}",
            ]
        )
    return rows


def _best_known(row: dict[str, Any]) -> str:
    """Return the accuracy that is least biased, and what it is."""
    kinds = {"unbiased": "winner", "as_finalist": "winner as a finalist", "best": "best trial"}
    for name, kind in kinds.items():
        if not pd.isna(row[name]):
            return f"{_percent(row[name])} {kind}"
    return MISSING


def _unbiased(row: dict[str, Any]) -> str:
    interval = "" if pd.isna(row["low"]) else f" ({row['low']:.1%} to {row['high']:.1%})"
    return _percent(row["unbiased"]) + interval


def _percent(value: float) -> str:
    return MISSING if pd.isna(value) else f"{value:.1%}"
