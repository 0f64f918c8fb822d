"""A retraining's result.json and predictions.csv as frames; nothing here draws."""

from typing import Any

import numpy as np
import pandas as pd
import torch

from model.similarity import similarity
from model.test_metrics import REPORTED_WAYS

Result = dict[str, Any]


def n_way_frame(result: Result) -> pd.DataFrame:
    """Return ``n_way``, ``mean``, ``least``, ``most`` over the fits: random test episodes."""
    names = list(result["seeds"][0]["random_episodes"])
    each = pd.DataFrame([seed["random_episodes"] for seed in result["seeds"]])[names]
    mean = [result["summary"]["random_episodes"][name]["mean"] for name in names]
    return pd.DataFrame(
        {
            "n_way": [int(name) for name in names],
            "mean": mean,
            "least": each.min().to_numpy(),
            "most": each.max().to_numpy(),
        }
    )


def alphabet_frame(result: Result) -> pd.DataFrame:
    """Return ``alphabet``, ``part`` (test or val), ``n_way``, ``mean``, ``least``, ``most``."""
    rows = []
    for part, found in result["summary"]["by_alphabet"].items():
        for name, means in found.items():
            for n in (str(n) for n in REPORTED_WAYS if str(n) in means):
                each = [seed["by_alphabet"][part][name][n] for seed in result["seeds"]]
                rows.append((name, part, int(n), means[n], min(each), max(each)))
    return pd.DataFrame(rows, columns=["alphabet", "part", "n_way", "mean", "least", "most"])


def lake_run_frame(result: Result) -> pd.DataFrame:
    """Return ``lake_run``, ``mean``, ``least``, ``most``: the official runs of 20 episodes."""
    each = pd.DataFrame([seed["official"]["per_lake_run"] for seed in result["seeds"]])
    mean = pd.Series(result["summary"]["official_per_lake_run"])
    frame = pd.DataFrame({"mean": mean, "least": each.min(), "most": each.max()})
    return frame.rename_axis("lake_run").reset_index()


def fit_frame(result: Result) -> pd.DataFrame:
    """Return ``seed``, ``epoch``, ``loss``, ``accuracy`` (NaN without validation) of every fit."""
    parts = [pd.DataFrame(s["history"]).assign(seed=s["seed"]) for s in _with_history(result)]
    columns = ["seed", "epoch", "loss", "accuracy"]
    frame = pd.concat(parts) if parts else pd.DataFrame(columns=columns)
    return frame[columns].astype({"accuracy": float})


def _with_history(result: Result) -> list[dict[str, Any]]:
    return [seed for seed in result["seeds"] if seed.get("history")]


def thresholds(result: Result) -> dict[int, float]:
    """Return the logit from which on each seed's verification says "same", where one was chosen."""
    return {s["seed"]: s["verification"]["threshold"] for s in result["seeds"] if s["verification"]}


def error_frame(predictions: pd.DataFrame, threshold: dict[int, float]) -> pd.DataFrame:
    """Return the official episodes that some fit answered wrongly, the surest error first.

    Args:
        predictions: content of predictions.csv.
        threshold: of each seed; see :func:`thresholds`. Without one it is 0.

    Columns beside those of predictions.csv (of the fit that was surest): ``n_wrong`` of ``n_fits``,
    and the two drawings' similarities ``p_right`` and ``p_answer`` in (0, 1).
    """
    logits = torch.tensor(predictions[["logit_right", "logit_answer"]].to_numpy())
    zero = torch.tensor([threshold.get(seed, 0.0) for seed in predictions["seed"]])
    p = similarity(logits, zero[:, None]).numpy()
    frame = predictions.assign(p_right=p[:, 0], p_answer=p[:, 1], n_fits=predictions.seed.nunique())
    wrong = frame[frame["character"] != frame["answer"]]
    wrong = wrong.assign(margin=wrong["logit_answer"] - wrong["logit_right"])
    wrong = wrong.sort_values("margin", ascending=False)
    counts = wrong.groupby(["lake_run", "item"]).size().rename("n_wrong")
    first = wrong.drop_duplicates(["lake_run", "item"])
    return first.merge(counts, on=["lake_run", "item"]).reset_index(drop=True)


def confusion_shares(confusions: pd.DataFrame) -> dict[str, np.ndarray]:
    """Return by alphabet a C×C float32 matrix: how often each character was taken for each.

    Args:
        confusions: ``alphabet``, ``character``, ``answer``, ``count``.
    """
    found = {}
    for name, rows in confusions.groupby("alphabet"):
        n = int(rows[["character", "answer"]].to_numpy().max()) + 1
        counts_CC = np.zeros((n, n), "float32")
        np.add.at(counts_CC, (rows["character"], rows["answer"]), rows["count"])
        found[str(name)] = counts_CC / np.maximum(counts_CC.sum(1, keepdims=True), 1)
    return found


def top_confusions(confusions: pd.DataFrame, n: int = 12) -> pd.DataFrame:
    """Return the ``n`` greatest shares of a character's episodes answered by one other character.

    Columns: ``alphabet``, ``character``, ``answer``, ``share``.
    """
    keys = ["alphabet", "character"]
    shares = confusions.groupby([*keys, "answer"], as_index=False)["count"].sum()
    shares["share"] = shares["count"] / shares.groupby(keys)["count"].transform("sum")
    other = shares[shares["character"] != shares["answer"]]
    return other.sort_values("share", ascending=False, ignore_index=True).head(n)
