"""Results of retrainings written by hand, whose networks were neither trained nor evaluated."""

from typing import Any

import pandas as pd
import torch

from data.splits import Split
from hpo.refit.fit_record import EpochRecord, FitRecord
from hpo.refit.result import RetrainResult, SeedResult, TrialOrigin
from model.architecture import ModelConfig
from model.config import Config, FitConfig, LayerRates
from model.evaluate import wilson_interval
from model.intervals import ClusterAccuracies
from model.metrics import (
    AveragedAccuracy,
    BaselineMetrics,
    NetworkEvaluation,
    NetworkMetrics,
)
from model.predictions import official_accuracy, prediction_table
from model.summary import summarize_metrics
from model.verification import RocCurve, RocPoint, VerificationMetrics

CONFIG = Config(
    ModelConfig(filters=(8, 8, 8, 8), units=16),
    FitConfig("episode", (LayerRates(0.1, 0.9, 0.0),) * 6, 8, 50),
)
ORIGIN = TrialOrigin("sqlite:///study.db", "s", 3, 0.5, 60.0, "train", "50.0% of the episodes")
PROVENANCE: dict[str, Any] = {
    "commit": "0" * 40,
    "dirty": True,
    "versions": {"torch": "2"},
    "cpu": "a processor",
    "device": "cpu",
    "precision": "float32",
    "command": ["retrain_best.py", "--data-root=/home/someone/omniglot"],
}


def evaluation(split: Split, seed: int, *, val_is_held_out: bool = True) -> NetworkEvaluation:
    """The evaluation of a network that answers at random, but better with a higher seed."""
    rng = torch.Generator().manual_seed(seed)
    official = split.official
    scores_RQS = torch.randn(*official.query_RQ.shape, official.n_way, generator=rng)
    right_RQ1 = official.target_RQ.unsqueeze(-1)
    scores_RQS.scatter_add_(-1, right_RQ1, torch.full(right_RQ1.shape, float(seed)))
    predictions = prediction_table(scores_RQS, split.test, official)
    parts = {"test": split.test} | ({"val": split.val} if val_is_held_out else {})
    ways = range(2, 1 + int(split.test.count_A.min()))
    by_alphabet = {
        part: {a: {n: 1 / (n + i + seed) for n in ways} for i, a in enumerate(drawings.alphabets)}
        for part, drawings in parts.items()
    }
    verification = VerificationMetrics(
        threshold=0.5 * seed,
        validation_accuracy=0.7,
        test_accuracy=0.6 + 0.01 * seed,
        n_pairs=10_000,
        chosen=RocPoint(0.3, 0.6),
        roc=RocCurve([0.0, 0.25 / seed, 1.0], [0.0, 0.5, 1.0]),
    )
    metrics = NetworkMetrics(
        official=official_accuracy(predictions),
        validation_accuracy=0.4 + 0.01 * seed if val_is_held_out else None,
        random_episodes={n: 1 / (n + seed) for n in ways},
        by_alphabet=by_alphabet,
        verification=verification if val_is_held_out else None,
        averaged=AveragedAccuracy(0.45 + 0.01 * seed if val_is_held_out else None, 0.3),
        clusters={"official": ClusterAccuracies("alphabet", [[0.2, 0.3]], [40, 40])},
    )
    confusions = pd.DataFrame(
        [(a, 0, 0, 3) for a in split.test.alphabets] + [(split.test.alphabets[0], 1, 2, 4)],
        columns=["alphabet", "character", "answer", "count"],
    )
    return NetworkEvaluation(metrics, predictions, confusions, torch.rand(8, 4, 4, generator=rng))


def fit_record(seed: int) -> FitRecord:
    history = [EpochRecord(1, 1.0 / seed, 0.1 * seed), EpochRecord(2, None, None)]
    return FitRecord("all epochs done", None, 2, 1, 64, 10.0 * seed, 5, 6, "cpu float32", history)


def result(
    split: Split, evaluations: dict[int, NetworkEvaluation], **changes: Any
) -> RetrainResult:
    """The result of these evaluations by seed, with changes of its fields."""
    summary = summarize_metrics([e.metrics for e in evaluations.values()])
    metrics = next(iter(evaluations.values())).metrics
    fields: dict[str, Any] = {
        "data": split.test.name,
        "data_digest": split.test.digest,
        "origin": ORIGIN,
        "config": CONFIG,
        "provenance": PROVENANCE,
        "wall_seconds": 30.0,
        "summary": summary,
        "n_way": split.official.n_way,
        "official_interval": wilson_interval(summary.official.mean, len(split.official)),
        "seeds": [SeedResult(s, fit_record(s), e.metrics) for s, e in evaluations.items()],
        "baseline": BaselineMetrics(metrics.official, 0.2, {2: 0.6, 5: 0.4}),
    }
    return RetrainResult(**{**fields, **changes})
