"""The trials of a study as pandas data frames, from which tables and plots are made.

Accuracies are fractions in [0, 1] and times are in seconds. The column of a parameter has the name
of the parameter.
"""

from collections.abc import Sequence
from datetime import datetime
from typing import Any

import numpy as np
import pandas as pd
from optuna.study import Study

from hpo.space.paths import OWN_PREFIX
from hpo.study.budget import union_seconds
from hpo.study.trials import STATES, TrialSummary, summarize_trials

COLUMNS = ("trial", "state", "value", "n_epochs", "seconds", "n_images", "flops", "start", "end")
PROGRESS_COLUMNS = ("best", "cost")  # added by progress_frame
ENDED_STATES = STATES[:5]
N_LATEST_TRIALS = 10  # from which the rate of a study is estimated


def trial_frame(study: Study) -> pd.DataFrame:
    """Return a row per trial, sorted by number: :data:`COLUMNS`, then one column per parameter.

    ``value`` is the validation accuracy; ``seconds`` is the duration of the fit, NaN for failed and
    interrupted trials (the retry of an interrupted trial includes its training); ``n_images`` is
    the number of drawings that the fit embedded in training, NaN for the same trials; ``flops`` is
    the number of floating-point operations to embed one image.
    """
    rows = [_trial_row(summary) for summary in summarize_trials(study)]
    names = dict.fromkeys(name for row in rows for name in row)
    frame = pd.DataFrame(rows, columns=[*COLUMNS, *(n for n in names if n not in COLUMNS)])
    return frame.astype(dict.fromkeys(("value", "seconds", "n_images", "flops"), float))


def parameter_names(frame: pd.DataFrame) -> list[str]:
    """Return the names of the parameters in a frame of :func:`trial_frame`."""
    return [name for name in frame.columns if name not in (*COLUMNS, *PROGRESS_COLUMNS)]


def numeric_parameters(frame: pd.DataFrame, names: Sequence[str] | None = None) -> list[str]:
    """Return the names of the parameters whose values are numbers; true and false are not.

    Args:
        frame: frame of :func:`trial_frame`.
        names: names to choose from; None for all parameters.
    """
    names = parameter_names(frame) if names is None else names
    return [name for name in names if not _is_choice(frame[name])]


def _is_choice(values: "pd.Series[Any]") -> bool:
    """Return whether a parameter has choices such as texts, in place of a range."""
    given = values.dropna()
    return any(isinstance(value, bool | str | np.bool_) for value in given)


def log_scale_parameters(study: Study) -> set[str]:
    """Return the names of the parameters that were sampled on a log scale."""
    return {
        name
        for trial in study.get_trials(deepcopy=False)
        for name, distribution in trial.distributions.items()
        if getattr(distribution, "log", False)
    }


def progress_frame(frame: pd.DataFrame, by: str = "end") -> pd.DataFrame:
    """Return the ended trials with two more columns: the best value so far and the cost so far.

    Args:
        frame: frame of :func:`trial_frame`.
        by: order of the trials: ``"end"`` or ``"trial"``. With several workers, trials do not end
            in the order of their numbers.

    Returns:
        The columns of :func:`trial_frame`, ``best`` (highest value of the complete trials so far;
        NaN before the first one) and ``cost`` (seconds of training so far).
    """
    order = [by, "trial"] if by == "end" else by
    ended = frame[frame["state"].isin(ENDED_STATES)].sort_values(order)
    complete = ended["value"].where(ended["state"] == "complete")
    return ended.assign(best=complete.cummax().ffill(), cost=ended["seconds"].fillna(0).cumsum())


def curve_frame(study: Study) -> pd.DataFrame:
    """Return ``trial``, ``epoch``, ``accuracy`` and ``state`` of every reported epoch."""
    rows = [
        (summary.number, epoch, accuracy, summary.state)
        for summary in summarize_trials(study)
        for epoch, accuracy in summary.accuracies.items()
    ]
    return pd.DataFrame(rows, columns=["trial", "epoch", "accuracy", "state"])


def cost_frame(frame: pd.DataFrame, finalists: pd.DataFrame | None = None) -> pd.DataFrame:
    """Return ``group``, ``n_fits`` and ``seconds``: the training time by state of the trials.

    Args:
        frame: frame of :func:`trial_frame`.
        finalists: frame of the finalists' fits, which form a separate group; None without them.
    """
    groups = [(state, frame[frame["state"] == state]) for state in ENDED_STATES]
    if finalists is not None:
        groups.append(("finalists", finalists))
    rows = [(name, len(group), group["seconds"].sum()) for name, group in groups if len(group)]
    return pd.DataFrame(rows, columns=["group", "n_fits", "seconds"])


def pareto_frame(frame: pd.DataFrame) -> pd.DataFrame:
    """Return the complete trials sorted by FLOPs, with the column ``front``.

    ``front`` is true if every other trial with the same or fewer FLOPs has a lower value; of trials
    with equal FLOPs and equal values, only the first is marked.
    """
    complete = frame[(frame["state"] == "complete") & frame["flops"].notna()]
    complete = complete.sort_values(["flops", "value"], ascending=[True, False])
    is_better = complete["value"] > complete["value"].cummax().shift(fill_value=-1.0)
    return complete.assign(front=is_better)


def best_rows(frame: pd.DataFrame, share: float = 0.25, at_least: int = 5) -> pd.DataFrame:
    """Return the complete trials with the highest values, best first.

    Args:
        frame: frame of :func:`trial_frame`.
        share: fraction of the complete trials that is returned.
        at_least: minimum number of trials, if so many are complete.
    """
    complete = frame[frame["state"] == "complete"].sort_values("value", ascending=False)
    return complete.head(max(at_least, round(share * len(complete))))


def thin_rows(frame: pd.DataFrame, max_rows: int) -> pd.DataFrame:
    """Return every k-th row, with the smallest k that leaves at most ``max_rows`` rows."""
    return frame.iloc[:: max(1, -(-len(frame) // max_rows))]


def layer_rate_frame(frame: pd.DataFrame) -> pd.DataFrame:
    """Return ``trial``, ``value``, ``layer``, ``lr`` and ``momentum`` of the complete trials.

    A layer is left out unless its learning rate and its momentum were searched.
    """
    complete = frame[frame["state"] == "complete"]
    names = [name for name in parameter_names(frame) if not name.startswith(OWN_PREFIX)]
    layers = [name[:-3] for name in names if name.endswith(".lr")]
    layers = [layer for layer in layers if f"{layer}.momentum" in frame.columns]
    parts = [
        complete[["trial", "value", f"{layer}.lr", f"{layer}.momentum"]]
        .set_axis(["trial", "value", "lr", "momentum"], axis=1)
        .assign(layer=layer)
        for layer in layers
    ]
    return pd.concat(parts, ignore_index=True) if parts else pd.DataFrame()


def finalist_frame(study: Study) -> pd.DataFrame:
    """Return statistics of the finalists' fits, the highest mean first.

    Returns:
        ``trial``, ``n`` (number of fits), ``mean``, ``sd`` (sample standard deviation), ``lowest``
        and ``highest`` accuracy as finalists; no rows if no finalists were fitted.
    """
    rows = [
        (
            s.number,
            len(s.finalist_values),
            s.finalist_value,
            values.std(),
            values.min(),
            values.max(),
        )
        for s in summarize_trials(study)
        if s.finalist_values
        for values in [pd.Series(s.finalist_values)]
    ]
    frame = pd.DataFrame(rows, columns=["trial", "n", "mean", "sd", "lowest", "highest"])
    return frame.sort_values("mean", ascending=False, ignore_index=True)


def trials_per_hour(frame: pd.DataFrame, now: datetime) -> float | None:
    """Return how many of the latest trials ended per hour. Time without running trials is excluded.

    Args:
        frame: frame of :func:`trial_frame`.
        now: current time; running trials count up to it.

    Returns:
        None if fewer than two trials have ended.
    """
    ended = frame[frame["state"].isin(["complete", "pruned", "diverged"])].sort_values("end")
    ended = ended.tail(N_LATEST_TRIALS)
    if len(ended) < 2:
        return None
    running = frame[frame["state"] == "running"].assign(end=now)
    running["start"] = running["start"].clip(lower=ended["start"].min())
    spans = pd.concat([ended, running])[["start", "end"]].itertuples(index=False)
    hours = union_seconds((start, end) for start, end in spans) / 3600
    return len(ended) / hours if hours > 0 else None


def _trial_row(summary: TrialSummary) -> dict[str, Any]:
    cost = summary.cost
    counted = cost if summary.state != "interrupted" else None
    return {
        # The parameters come first, so that "trial" below overrides the parameter of finalists.
        **summary.params,
        "trial": summary.number,
        "state": summary.state,
        "value": summary.value,
        "n_epochs": len(summary.accuracies),
        "seconds": counted.seconds if counted else None,
        "n_images": counted.n_images if counted else None,
        "flops": cost.flops_per_image if cost else None,
        "start": summary.start,
        "end": summary.end,
    }
