"""The files of a retraining: result.json, predictions.csv, and the table on the terminal."""

import json
from pathlib import Path
from typing import Any

import pandas as pd

from data.cache import write_atomically
from model.score import mean_and_sd

PAPER = ("92.0 %", "21.7 %")  # Koch 2015 Table 2: its network, its 1-NN


def summarise(per_seed: list[dict[str, Any]]) -> dict[str, Any]:
    """Return mean and standard deviation over the seeds of every headline figure."""
    columns = {
        "official": [seed["official"]["accuracy"] for seed in per_seed],
        "verification_test": [s["verification"]["test_accuracy"] for s in per_seed],
        "validation": [s["validation_accuracy"] for s in per_seed],
    }
    for n in per_seed[0]["random_episodes"]:
        columns[f"random_{n}_way"] = [s["random_episodes"][n] for s in per_seed]
    summary: dict[str, Any] = {}
    for name, values in columns.items():
        mean, sd = mean_and_sd(values)
        summary[name] = {"mean": mean, "sd": sd}
    for group in ("per_run", "per_alphabet"):
        keys = per_seed[0]["official"][group]
        summary[f"official_{group}"] = {
            key: mean_and_sd([s["official"][group][key] for s in per_seed])[0] for key in keys
        }
    return summary


def percent(figure: dict[str, Any]) -> str:
    """Return ``92.3 ± 0.4 %`` of a mean and a standard deviation in shares."""
    sd = "" if figure["sd"] is None else f" ± {100 * figure['sd']:.1f}"
    return f"{100 * figure['mean']:.1f}{sd} %"


def table(result: dict[str, Any]) -> str:
    """Return the headline figures as text: ours, the baseline's, the paper's."""
    ours, base = result["summary"], result["baseline"]
    low, high = result["official_interval"]
    n_episodes = base["official"]["n_episodes"]
    omniglot = result["data"] == "omniglot"
    title = f"official {n_episodes} trials, 20-way" if omniglot else f"{n_episodes} glyph episodes"
    paper = PAPER if omniglot else ("–", "–")
    rows = [
        ("", f"ours ({len(result['seeds'])} seeds)", "1-NN pixels", "paper", "its 1-NN"),
        (title, percent(ours["official"]), f"{base['official']['accuracy']:.1%}", *paper),
    ]
    for n, accuracy in base["random_episodes"].items():
        row = f"random within-alphabet, {n}-way"
        rows.append((row, percent(ours[f"random_{n}_way"]), f"{accuracy:.1%}", "–", "–"))
    rows.append(("verification", percent(ours["verification_test"]), "–", "–", "–"))
    validation = f"{base['validation_accuracy']:.1%}"
    rows.append(("validation episodes", percent(ours["validation"]), validation, "–", "–"))
    widths = [max(len(row[i]) for row in rows) for i in range(len(rows[0]))]
    lines = ["  ".join(c.ljust(w) for c, w in zip(r, widths, strict=True)).rstrip() for r in rows]
    lines.append(f"95 % interval of the first line for one network: {low:.1%} to {high:.1%}")
    return "\n".join(lines)


def write(folder: Path, result: dict[str, Any], predictions: pd.DataFrame) -> None:
    """Write ``result.json`` and ``predictions.csv``, each whole or not at all."""
    text = json.dumps(result, indent=1, allow_nan=False)
    write_atomically(folder / "result.json", lambda path: path.write_text(text + "\n"))
    write_atomically(folder / "predictions.csv", lambda path: predictions.to_csv(path, index=False))
