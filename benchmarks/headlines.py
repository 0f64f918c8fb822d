"""Write the headline results: ``results/summary.json`` and the tables of README and results page.

``uv run benchmarks/headlines.py`` reads every ``results/*/result.json`` and prints the tables. A
result is named after its folder.
"""

import json
from collections.abc import Iterator
from pathlib import Path
from statistics import fmean, stdev
from typing import Any

from ensemble import JOINT

from data import published
from hpo.cli.entry_point import run_command
from hpo.refit.result import RetrainResult
from model.summary import MeanSd, format_mean

RESULTS = Path(__file__).parents[1] / "results"


def headline(name: str, result: RetrainResult) -> dict[str, Any]:
    """Return the metrics of a retraining, and the time of its study and of one fit."""
    summary, origin, provenance = result.summary, result.origin, result.provenance
    assert origin is not None, "a retraining, not the evaluation of a saved network"
    fits = [seed.fit for seed in result.seeds if seed.fit]
    fit_seconds = fmean(fit.seconds for fit in fits)
    # A study that has evaluated its winner has made one of the fits.
    more_seconds = 0.0 if any(fit.in_study for fit in fits) else fit_seconds
    return {
        "name": name,
        "protocol": "one network, one answer",
        "recipe": result.config.fit.recipe,
        "image_size": result.config.model.image_size,
        "train_on": origin.train_on,
        "n_seeds": len(result.seeds),
        "official_mean": summary.official.mean,
        "official_sd": summary.official.sd,
        "official_averaged_mean": summary.averaged.mean,
        "validation_mean": summary.validation and summary.validation.mean,
        "study_seconds": origin.study_seconds,
        "wall_seconds_study": origin.study_seconds,
        "wall_seconds_fit": round(fit_seconds, 1),
        "wall_seconds_total": round(origin.study_seconds + more_seconds, 1),
        "n_cores": provenance["n_cores"],
        "machine": provenance["cpu"],
        "device": f"{provenance['cpu']}, {provenance['device']} {provenance['precision']}",
        "commit": provenance["commit"],
        "command": provenance["command"],
    }


def copies(alone: dict[str, Any], result: RetrainResult) -> dict[str, Any]:
    """Return the metrics of the same networks whose answers average distorted copies."""
    averaged = result.summary.averaged
    return alone | {
        "name": f"{alone['name']}, averaged copies",
        "protocol": "averaged copies",
        "official_mean": averaged.mean,
        "official_sd": averaged.sd,
    }


def together(alone: dict[str, Any], found: dict[str, Any]) -> Iterator[dict[str, Any]]:
    """Yield the metrics of joint answers, and of ensembles, which average the fits of a retraining.

    Args:
        alone: metrics of the retraining.
        found: result of benchmarks/ensemble.py. Subsets share fits, so the standard
            deviation is not the one of independent ensembles.
    """
    by_kind = {
        (line["fits together"], line["episodes"]): line["accuracies"] for line in found["each"]
    }
    if joint := by_kind.get((1, JOINT)):
        yield alone | {
            "name": f"{alone['name']}, joint answers",
            "protocol": "joint answers",
            "official_mean": fmean(joint),
            "official_sd": stdev(joint),
            "official_averaged_mean": None,
            "commit": found["provenance"]["commit"],
            "command": found["provenance"]["command"],
        }
    for n in sorted({n for n, _ in by_kind} - {1}):
        official, validation = by_kind[n, "official"], by_kind[n, "validation"]
        more_seconds = (n - 1) * alone["wall_seconds_fit"]
        yield alone | {
            "name": f"{alone['name']}, {n} fits together",
            "protocol": "several networks",
            "official_mean": fmean(official),
            "official_sd": stdev(official) if len(official) > 1 else None,
            "n_subsets": len(official),
            "official_averaged_mean": None,
            "validation_mean": fmean(validation),
            "wall_seconds_total": round(alone["wall_seconds_total"] + more_seconds, 1),
            "commit": found["provenance"]["commit"],
            "command": found["provenance"]["command"],
        }


def headlines() -> list[dict[str, Any]]:
    """Return a headline per committed result, best first."""
    found = []
    for path in sorted(RESULTS.glob("*/result.json")):
        result = RetrainResult.read(path)
        alone = headline(path.parent.name, result)
        found += [alone, copies(alone, result)]
        if (ensemble := path.with_name("ensemble.json")).exists():
            found += together(alone, json.loads(ensemble.read_text()))
    return sorted(found, key=lambda line: -line["official_mean"])


# Headlines of the README, and the commands that reproduce them.
COMMANDS = {
    "default": "`run_study.py`, then `retrain_best.py`",
    "52px": "`retrain_best.py --image-size 52 --max-epochs 108`",
    "52px, 2 fits together": "two of these networks, logits averaged",
    "52px, 3 fits together": "three of these networks, logits averaged",
}


def ladder(lines: list[dict[str, Any]]) -> list[str]:
    """Return the table of the README: our accuracies and the published ones, ascending."""
    nearest = RetrainResult.read(RESULTS / "default" / "result.json").baseline.official
    rows = [
        (nearest.accuracy, "1-nearest neighbour on pixels", "", ""),
        (published.CONVNET, "**Koch et al. (2015)**", "", ""),
        (published.HUMAN, "humans", "", ""),
    ]
    for line in lines:
        if line["name"] in COMMANDS:
            said = format_mean(MeanSd(line["official_mean"], line["official_sd"]))
            minutes = f"{line['wall_seconds_total'] / 60:.0f} min"
            rows.append((line["official_mean"], COMMANDS[line["name"]], f"**{said}**", minutes))
    head = ["| | official 400 | time of study and one fit |", "|---|---|---|"]
    shown = [(n, said or f"{100 * share:.1f} %", time) for share, n, said, time in sorted(rows)]
    return head + [f"| {name} | {said} | {time} |" for name, said, time in shown]


def table(lines: list[dict[str, Any]]) -> list[str]:
    """Return the table of docs/results.md."""
    head = ["", "trained on", "pixels", "official", "averaged", "validation", "study and one fit"]
    rows = ["| " + " | ".join(head) + " |", "|" + "---|" * len(head)]
    for line in lines:
        if line["protocol"] == "averaged copies":
            continue  # a column of the table
        official = format_mean(MeanSd(line["official_mean"], line["official_sd"]))
        known = line["validation_mean"] is not None
        folder = line["name"].partition(",")[0]
        file = "ensemble" if "," in line["name"] else "result"
        averaged = line["official_averaged_mean"]
        fits = f"{line['n_seeds']} seeds"
        if "n_subsets" in line:
            n, n_seeds = line["n_subsets"], line["n_seeds"]
            fits = f"all {n_seeds} fits" if n == 1 else f"the {n} pairs of {n_seeds} fits"
        cells = [
            f"[{line['name']}](../results/{folder}/{file}.json)",
            line["train_on"],
            str(line["image_size"]),
            f"**{official}** ({fits})",
            "–" if averaged is None else f"{averaged:.1%}",
            f"{line['validation_mean']:.1%}" if known else "–",
            f"{line['wall_seconds_total'] / 60:.0f} min",
        ]
        rows.append("| " + " | ".join(cells) + " |")
    return rows


def main() -> None:
    """Write the summary and print the tables."""
    lines = headlines()
    (RESULTS / "summary.json").write_text(json.dumps(lines, indent=1) + "\n")
    print("\n".join([*ladder(lines), "", *table(lines)]))


if __name__ == "__main__":
    run_command(main, "Run the same command again to start over.")
