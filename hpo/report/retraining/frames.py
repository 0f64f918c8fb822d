"""Data frames and table rows of a retraining's report, for the terminal too; nothing is drawn here.

Frames over the fits have the columns ``mean``, ``lowest`` and ``highest``. Tensor suffixes: C
characters of an alphabet.
"""

from dataclasses import asdict, dataclass

import numpy as np
import pandas as pd
import torch

from data.labels import alphabet_label
from hpo.refit.result import RetrainResult
from model.evaluate import N_COPIES
from model.intervals import MIN_EPISODES, TOO_FEW, format_interval
from model.metrics import REPORTED_WAYS
from model.similarity import similarity
from model.summary import MeanSd, metric_intervals

AVERAGED = f"with {N_COPIES} distorted copies averaged"
N_CONFUSIONS = 12
FITS_ONLY = (
    "the standard deviation over the fits of one configuration; another search, which may find "
    "another configuration, is not included"
)


@dataclass(frozen=True)
class HeadlineRow:
    """One metric of a retraining; accuracies in [0, 1].

    Args:
        name: description of the metric.
        summary: mean and standard deviation over the fits.
        fits: accuracy of every fit.
        baseline: accuracy of 1-NN on pixels; None if it was not measured.
        interval: 95 % interval of the mean and what it covers, as text; a dash if not computed.
    """

    name: str
    summary: MeanSd
    fits: list[float]
    baseline: float | None = None
    interval: str = "–"


def headline_rows(result: RetrainResult) -> list[HeadlineRow]:
    """Return the headline metrics of a retraining, the official accuracy first."""
    summary, baseline = result.summary, result.baseline
    metrics = [seed.metrics for seed in result.seeds]
    n_episodes, label = baseline.official.n_episodes, result.episodes_label
    rows = [
        HeadlineRow(
            f"{label} {n_episodes} episodes, {result.n_way}-way",
            summary.official,
            [m.official.accuracy for m in metrics],
            baseline.official.accuracy,
            interval_text(result, "official"),
        ),
        HeadlineRow(
            AVERAGED,
            summary.averaged,
            [m.averaged.official for m in metrics],
            interval=interval_text(result, "averaged"),
        ),
    ]
    for n in (n for n in REPORTED_WAYS if n in summary.random_episodes):
        accuracies = [m.random_episodes[n] for m in metrics]
        name = f"random within-{alphabet_label(result.data)}, {n}-way"
        mean, interval = summary.random_episodes[n], interval_text(result, f"{n}-way")
        rows.append(HeadlineRow(name, mean, accuracies, baseline.random_episodes.get(n), interval))
    if summary.verification:
        accuracies = [m.verification.test_accuracy for m in metrics if m.verification]
        interval = interval_text(result, "verification")
        rows.append(
            HeadlineRow("verification", summary.verification, accuracies, interval=interval)
        )
    if summary.validation:
        accuracies = [m.validation_accuracy or 0.0 for m in metrics]
        name = "validation episodes"
        rows.append(HeadlineRow(name, summary.validation, accuracies, baseline.validation_accuracy))
    if summary.averaged_validation:
        accuracies = [m.averaged.validation_accuracy or 0.0 for m in metrics]
        rows.append(HeadlineRow(AVERAGED, summary.averaged_validation, accuracies))
    return rows


def interval_text(result: RetrainResult, metric: str) -> str:
    """Return the 95 % interval of a mean and what it covers; a dash if it was not computed.

    Args:
        result: result of a retraining.
        metric: key of :func:`model.summary.metric_intervals`.
    """
    intervals = metric_intervals([seed.metrics for seed in result.seeds])
    return format_interval(intervals[metric]) if metric in intervals else "–"


def wilson_text(result: RetrainResult) -> str:
    """Return the Wilson interval of the official accuracy and what it covers."""
    (low, high), n = result.official_interval, result.baseline.official.n_episodes
    if n < MIN_EPISODES:
        return f"Wilson interval: {TOO_FEW}"
    return (
        f"Wilson interval over {n} episodes as if independent, one network: {low:.1%} to {high:.1%}"
    )


def n_way_frame(result: RetrainResult) -> pd.DataFrame:
    """Return ``n_way``, ``mean``, ``lowest``, ``highest`` on random episodes of the test."""
    by_way = result.summary.random_episodes
    fits = pd.DataFrame([seed.metrics.random_episodes for seed in result.seeds])[list(by_way)]
    return pd.DataFrame(
        {
            "n_way": list(by_way),
            "mean": [summary.mean for summary in by_way.values()],
            "lowest": fits.min().to_numpy(),
            "highest": fits.max().to_numpy(),
        }
    )


def alphabet_frame(result: RetrainResult) -> pd.DataFrame:
    """Return ``alphabet``, ``part`` (test or val), ``n_way``, ``mean``, ``lowest``, ``highest``."""
    rows = []
    for part, alphabets in result.summary.by_alphabet.items():
        for name, means in alphabets.items():
            for n in (n for n in REPORTED_WAYS if n in means):
                fits = [seed.metrics.by_alphabet[part][name][n] for seed in result.seeds]
                rows.append((name, part, n, means[n], min(fits), max(fits)))
    columns = ["alphabet", "part", "n_way", "mean", "lowest", "highest"]
    return pd.DataFrame(rows, columns=columns)


def lake_run_frame(result: RetrainResult) -> pd.DataFrame:
    """Return ``lake_run``, ``mean``, ``lowest``, ``highest`` of the official runs."""
    fits = pd.DataFrame([seed.metrics.official.per_lake_run for seed in result.seeds])
    mean = pd.Series(result.summary.official_per_lake_run)
    frame = pd.DataFrame({"mean": mean, "lowest": fits.min(), "highest": fits.max()})
    return frame.rename_axis("lake_run").reset_index()


def fit_frame(result: RetrainResult) -> pd.DataFrame:
    """Return ``seed``, ``epoch``, ``loss``, ``accuracy`` (NaN without validation) of all epochs."""
    rows = [
        {"seed": seed.seed, **asdict(epoch)}
        for seed in result.seeds
        for epoch in (seed.fit.history if seed.fit else [])
    ]
    frame = pd.DataFrame(rows, columns=["seed", "epoch", "loss", "accuracy"])
    return frame.astype({"accuracy": float})


def thresholds(result: RetrainResult) -> dict[int, float]:
    """Return the threshold of verification, a logit, by seed; only of fits that have one."""
    return {
        seed.seed: seed.metrics.verification.threshold
        for seed in result.seeds
        if seed.metrics.verification
    }


def error_frame(predictions: pd.DataFrame, threshold_by_seed: dict[int, float]) -> pd.DataFrame:
    """Return the official episodes that at least one fit got wrong, the largest margin first.

    The margin is the logit of the wrong answer minus the logit of the correct candidate. If several
    fits got an episode wrong, the row of the fit with the largest margin is kept.

    Args:
        predictions: content of predictions.csv.
        threshold_by_seed: from :func:`thresholds`; 0 is used for a seed without a threshold.

    Returns:
        The columns of ``predictions``, ``n_wrong`` (fits that got the episode wrong), ``n_fits``,
        and the similarities to the query in (0, 1): ``p_correct`` and ``p_answer``.
    """
    logits = torch.tensor(predictions[["logit_right", "logit_answer"]].to_numpy())
    threshold = torch.tensor([threshold_by_seed.get(seed, 0.0) for seed in predictions["seed"]])
    p = similarity(logits, threshold[:, None]).numpy()
    frame = predictions.assign(
        p_correct=p[:, 0], p_answer=p[:, 1], n_fits=predictions.seed.nunique()
    )
    wrong = frame[frame["character"] != frame["answer"]]
    wrong = wrong.assign(margin=wrong["logit_answer"] - wrong["logit_right"])
    wrong = wrong.sort_values("margin", ascending=False)
    counts = wrong.groupby(["lake_run", "item"]).size().rename("n_wrong")
    largest_margin = wrong.drop_duplicates(["lake_run", "item"])
    return largest_margin.merge(counts, on=["lake_run", "item"]).reset_index(drop=True)


def confusion_matrices(confusions: pd.DataFrame) -> dict[str, np.ndarray]:
    """Return one float32 matrix (C, C) per alphabet: the share of each answer (column).

    A row contains the shares in the episodes of one character; it is 0 if there were none.

    Args:
        confusions: ``alphabet``, ``character``, ``answer``, ``count``.
    """
    matrices = {}
    for name, rows in confusions.groupby("alphabet"):
        n = int(rows[["character", "answer"]].to_numpy().max()) + 1
        counts_CC = np.zeros((n, n), "float32")
        np.add.at(counts_CC, (rows["character"], rows["answer"]), rows["count"])
        matrices[str(name)] = counts_CC / np.maximum(counts_CC.sum(1, keepdims=True), 1)
    return matrices


def top_confusions(confusions: pd.DataFrame, n: int = N_CONFUSIONS) -> pd.DataFrame:
    """Return the ``n`` most frequent wrong answers, relative to the episodes of the character.

    Columns: ``alphabet``, ``character``, ``answer``, ``share`` in [0, 1].
    """
    keys = ["alphabet", "character"]
    shares = confusions.groupby([*keys, "answer"], as_index=False)["count"].sum()
    shares["share"] = shares["count"] / shares.groupby(keys)["count"].transform("sum")
    other = shares[shares["character"] != shares["answer"]]
    return other.sort_values("share", ascending=False, ignore_index=True).head(n)
