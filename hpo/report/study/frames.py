"""What a study knows, as frames; nothing here draws.

Shares lie in [0, 1], times are in seconds, and a parameter's column is named as it is.
"""

from collections.abc import Iterable
from datetime import datetime
from typing import Any

import pandas as pd
from optuna.study import Study
from optuna.trial import FrozenTrial

from hpo.study.budget import union_seconds
from hpo.study.trials import FINALISTS, STATES, retry_numbers, state_of, trial_attributes

COLUMNS = ("trial", "state", "value", "why", "epochs", "seconds", "flops", "start", "end")


def _row(trial: FrozenTrial, again: dict[int, int]) -> dict[str, Any]:
    attrs, start, end = trial_attributes(trial), trial.datetime_start, trial.datetime_complete
    state, reported = state_of(trial, again), trial.intermediate_values
    value = trial.value
    if state == "pruned" and value is None and reported:
        value = reported[max(reported)]
    return {
        **trial.params,  # a finalist's bear names of ours
        "trial": trial.number,
        "state": state,
        "value": value,
        "why": attrs.get("diverged") or attrs.get("stopped"),
        "epochs": len(trial.intermediate_values),
        "seconds": None if state == "interrupted" else attrs.get("seconds"),
        "flops": attrs.get("flops_per_image"),
        "start": start,
        "end": end,
    }


def trial_frame(study: Study) -> pd.DataFrame:
    """Return a row per trial, by number: :data:`COLUMNS`, then the parameters.

    ``value`` is the validation accuracy, the last one for a pruned trial; ``seconds`` is what the
    fit took, unknown for a failed trial and for an interrupted one, whose work the next one takes
    over (both end when somebody notices); ``flops`` are
    those of embedding one image.
    """
    again = retry_numbers(study)
    rows = [_row(trial, again) for trial in study.get_trials(deepcopy=False)]
    names = dict.fromkeys(name for row in rows for name in row)
    frame = pd.DataFrame(rows, columns=[*COLUMNS, *(n for n in names if n not in COLUMNS)])
    return frame.astype({"value": float, "seconds": float, "flops": float})


def thin_rows(frame: pd.DataFrame, most: int) -> pd.DataFrame:
    """Return every k-th row, so that at most so many are drawn."""
    return frame.iloc[:: max(1, -(-len(frame) // most))]


def parameter_names(frame: pd.DataFrame) -> list[str]:
    """Return the names of the parameters in a frame of :func:`trial_frame`."""
    return [name for name in frame.columns if name not in COLUMNS]


def log_scale_parameters(study: Study) -> set[str]:
    """Return the parameters that were sampled on a log scale."""
    seen = [t.distributions.items() for t in study.get_trials(deepcopy=False)]
    return {name for each in seen for name, d in each if getattr(d, "log", False)}


def progress_frame(frame: pd.DataFrame, by: str = "end") -> pd.DataFrame:
    """Return the ended trials with best so far and cost so far, in the order in which they ended.

    With several workers that is not the order in which they were begun: ``by="trial"``.

    Columns in addition to those of :func:`trial_frame`: ``best`` (highest value of the complete
    trials so far; NaN before the first) and ``cost`` (seconds of training so far).
    """
    ended = frame[frame["state"].isin(STATES[:5])].sort_values([by, "trial"] if by == "end" else by)
    complete = ended["value"].where(ended["state"].isin(["complete", "diverged"]))
    return ended.assign(best=complete.cummax().ffill(), cost=ended["seconds"].fillna(0).cumsum())


def curve_frame(study: Study) -> pd.DataFrame:
    """Return ``trial``, ``epoch``, ``accuracy``, ``state`` of every reported epoch."""
    again = retry_numbers(study)
    rows = [
        (trial.number, epoch, accuracy, state_of(trial, again))
        for trial in study.get_trials(deepcopy=False)
        for epoch, accuracy in sorted(trial.intermediate_values.items())
    ]
    return pd.DataFrame(rows, columns=["trial", "epoch", "accuracy", "state"])


def cost_frame(frame: pd.DataFrame, finalists: pd.DataFrame | None = None) -> pd.DataFrame:
    """Return ``on``, ``trials`` and ``seconds``: where the budget went.

    What no fit accounts for, while at least one trial was running or the next was being begun, is
    not in it.
    """
    groups = [(state, frame[frame["state"] == state]) for state in STATES[:5]]
    if finalists is not None:
        groups.append(("finalists", finalists))
    rows = [(on, len(group), group["seconds"].sum()) for on, group in groups if len(group)]
    return pd.DataFrame(rows, columns=["on", "trials", "seconds"])


def pareto_frame(frame: pd.DataFrame) -> pd.DataFrame:
    """Return the complete trials by FLOPs, with ``front``: none is as cheap and better."""
    done = frame[(frame["state"] == "complete") & frame["flops"].notna()]
    done = done.sort_values(["flops", "value"], ascending=[True, False])
    better = done["value"] > done["value"].cummax().shift(fill_value=-1.0)
    return done.assign(front=better)


def best_rows(frame: pd.DataFrame, share: float = 0.25, at_least: int = 5) -> pd.DataFrame:
    """Return the best complete trials: a share of them, but at least so many."""
    done = frame[frame["state"] == "complete"].sort_values("value", ascending=False)
    return done.head(max(at_least, round(share * len(done))))


def layer_rate_frame(frame: pd.DataFrame) -> pd.DataFrame:
    """Return ``trial``, ``value``, ``layer``, ``lr``, ``momentum`` of the complete trials."""
    done = frame[frame["state"] == "complete"]
    layers = [name[:-3] for name in parameter_names(frame) if name.endswith(".lr")]
    layers = [layer for layer in layers if f"{layer}.momentum" in frame.columns]
    parts = [
        done[["trial", "value", f"{layer}.lr", f"{layer}.momentum"]]
        .set_axis(["trial", "value", "lr", "momentum"], axis=1)
        .assign(layer=layer)
        for layer in layers
    ]
    return pd.concat(parts, ignore_index=True) if parts else pd.DataFrame()


def finalist_frame(study: Study) -> pd.DataFrame:
    """Return ``trial``, ``n``, ``mean``, ``sd``, ``least``, ``most`` of the finalists, best first.

    Empty while there are none; see :mod:`hpo.search.finalists`.
    """
    accuracies = study.user_attrs.get(FINALISTS, {}).get("accuracies", {})
    rows = [_score(int(number), pd.Series(each)) for number, each in accuracies.items()]
    frame = pd.DataFrame(rows, columns=["trial", "n", "mean", "sd", "least", "most"])
    return frame.sort_values("mean", ascending=False, ignore_index=True)


def _score(number: int, each: "pd.Series[float]") -> Iterable[Any]:
    return number, len(each), each.mean(), each.std(), each.min(), each.max()


def trials_per_hour(frame: pd.DataFrame, now: datetime) -> float | None:
    """Return how many of the latest ten trials ended per hour in which one was running."""
    ended = (
        frame[frame["state"].isin(["complete", "pruned", "diverged"])].sort_values("end").tail(10)
    )
    if len(ended) < 2:
        return None
    running = frame[frame["state"] == "running"].assign(end=now)
    running["start"] = running["start"].clip(lower=ended["start"].min())
    spans = pd.concat([ended, running])[["start", "end"]].itertuples(index=False)
    hours = union_seconds((start, end) for start, end in spans) / 3600
    return len(ended) / hours if hours > 0 else None
