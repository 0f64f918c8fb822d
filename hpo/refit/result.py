"""A retraining's result.json, predictions.csv and confusions.csv, and its table as text."""

import json
from collections.abc import Iterator
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from statistics import fmean, stdev
from typing import Any

import pandas as pd

from data.episodes import N_WAY
from data.files import write_atomically
from data.labels import test_episodes_label
from data.splits import Split
from hpo.refit import published
from model.evaluate import N_COPIES, wilson_interval
from model.test_metrics import REPORTED_WAYS

Keys = tuple[str, ...]


def mean_and_sd(values: list[float]) -> dict[str, float | None]:
    """Return mean and sample standard deviation (None for a single value)."""
    return {"mean": fmean(values), "sd": stdev(values) if len(values) > 1 else None}


def summarize_seeds(per_seed: list[dict[str, Any]]) -> dict[str, Any]:
    """Return mean and standard deviation over the seeds of every headline figure.

    None stands for what a fit on the validation alphabets cannot say.
    """
    summary: dict[str, Any] = {
        "official": mean_and_sd([seed["official"]["accuracy"] for seed in per_seed]),
        "averaged": mean_and_sd([seed["averaged"]["official"] for seed in per_seed]),
        "verification": None,
        "validation": None,
        "averaged_validation": None,
        "random_episodes": {
            n: mean_and_sd([seed["random_episodes"][n] for seed in per_seed])
            for n in per_seed[0]["random_episodes"]
        },
    }
    summary["by_alphabet"] = {
        part: {
            alphabet: {
                n: fmean(s["by_alphabet"][part][alphabet][n] for s in per_seed) for n in ways
            }
            for alphabet, ways in alphabets.items()
        }
        for part, alphabets in per_seed[0]["by_alphabet"].items()
    }
    if per_seed[0]["verification"]:
        accuracies = [seed["verification"]["test_accuracy"] for seed in per_seed]
        summary["verification"] = mean_and_sd(accuracies)
        summary["validation"] = mean_and_sd([seed["validation_accuracy"] for seed in per_seed])
        averaged = [seed["averaged"]["validation_accuracy"] for seed in per_seed]
        summary["averaged_validation"] = mean_and_sd(averaged)
    for group in ("per_lake_run", "per_alphabet"):
        summary[f"official_{group}"] = {
            key: fmean(seed["official"][group][key] for seed in per_seed)
            for key in per_seed[0]["official"][group]
        }
    return summary


@dataclass(frozen=True)
class Metric:
    """A headline figure, and the keys under which it is found.

    Args:
        name: of the figure.
        summary: keys in a result's summary, of a mean and a standard deviation.
        seed: keys in one fit's figures.
        baseline: keys in those of 1-NN; none where it has no such figure.
    """

    name: str
    summary: Keys
    seed: Keys
    baseline: Keys = ()


AVERAGED = f"with {N_COPIES} distorted copies averaged"

WAY_KEYS = [("random_episodes", str(n)) for n in REPORTED_WAYS]

METRICS = (
    Metric("official", ("official",), ("official", "accuracy"), ("official", "accuracy")),
    Metric(AVERAGED, ("averaged",), ("averaged", "official")),
    *(Metric(f"random within-alphabet, {keys[1]}-way", keys, keys, keys) for keys in WAY_KEYS),
    Metric("verification", ("verification",), ("verification", "test_accuracy")),
    Metric(
        "validation episodes", ("validation",), ("validation_accuracy",), ("validation_accuracy",)
    ),
    Metric(AVERAGED, ("averaged_validation",), ("averaged", "validation_accuracy")),
)


def lookup(values: dict[str, Any], keys: Keys) -> Any:
    """Return what lies under some keys, None where nothing does."""
    found: Any = values if keys else None
    for key in keys:
        found = (found or {}).get(key)
    return found


def reported_metrics(result: dict[str, Any]) -> Iterator[tuple[str, Metric]]:
    """Yield the headline figures that a result has, and what they are called in it."""
    n_episodes = result["baseline"]["official"]["n_episodes"]
    title = (
        f"{test_episodes_label(result['data'])} {n_episodes} episodes, {official_n_way(result)}-way"
    )
    for line in METRICS:
        if lookup(result["summary"], line.summary):
            yield title if line.name == "official" else line.name, line


def compose_result(
    figures: list[dict[str, Any]], split: Split, baseline: dict[str, Any], facts: dict[str, Any]
) -> dict[str, Any]:
    """Return the content of result.json from the figures of every seed."""
    summary = summarize_seeds(figures)
    return {
        "data": split.test.name,
        "data_digest": split.test.digest,
        **facts,
        "summary": summary,
        "n_way": split.official.n_way,
        "official_interval": wilson_interval(summary["official"]["mean"], len(split.official)),
        "seeds": figures,
        "baseline": baseline,
    }


def official_n_way(result: dict[str, Any]) -> int:
    """Return the number of candidates of an official episode; older files do not say 20."""
    return int(result.get("n_way", N_WAY))


def format_mean(figure: dict[str, Any] | None) -> str:
    """Return ``92.3 ± 0.4 %`` of a mean and a standard deviation in shares."""
    if figure is None:
        return "–"
    sd = "" if figure["sd"] is None else f" ± {100 * figure['sd']:.1f}"
    return f"{100 * figure['mean']:.1f}{sd} %"


def result_table(result: dict[str, Any]) -> str:
    """Return the headline figures as text: ours, the baseline's, the paper's."""
    low, high = result["official_interval"]
    n = len(result["seeds"])
    rows = [("", f"ours ({n} seed{'s' * (n > 1)})", "1-NN pixels", "paper", "its 1-NN")]
    for name, line in reported_metrics(result):
        first = line is METRICS[0] and result["data"] == "omniglot"
        theirs = [f"{100 * share:.1f} %" for share in (published.CONVNET, published.NEAREST)]
        base = lookup(result["baseline"], line.baseline)
        cells = (
            format_mean(lookup(result["summary"], line.summary)),
            "–" if base is None else f"{base:.1%}",
        )
        rows.append((name, *cells, *(theirs if first else ("–", "–"))))
    widths = [max(len(row[i]) for row in rows) for i in range(len(rows[0]))]
    shown = ["  ".join(c.ljust(w) for c, w in zip(r, widths, strict=True)).rstrip() for r in rows]
    shown.append(f"95 % interval of the first line for one network: {low:.1%} to {high:.1%}")
    return "\n".join(shown)


def write_result_files(
    folder: Path, result: dict[str, Any], predictions: pd.DataFrame, confusions: pd.DataFrame
) -> None:
    """Write ``result.json``, ``predictions.csv``, ``confusions.csv``, each whole or not at all."""
    text = json.dumps(result, indent=1, allow_nan=False)
    write_atomically(folder / "result.json", lambda path: path.write_text(text + "\n"))
    for name, frame in (("predictions", predictions), ("confusions", confusions)):
        write_atomically(folder / f"{name}.csv", partial(frame.to_csv, index=False))
