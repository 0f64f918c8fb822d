"""The headline results: ``results/summary.json``, the README's table and that of docs/results.md.

``uv run benchmarks/headlines.py`` reads every ``results/*/result.json``; the folder is the name.
"""

import json
from collections.abc import Iterator
from pathlib import Path
from statistics import fmean, stdev
from typing import Any

from hpo.cli.entry_point import run_command
from hpo.refit import published
from hpo.refit.result import format_mean

RESULTS = Path(__file__).parents[1] / "results"


def headline(name: str, result: dict[str, Any]) -> dict[str, Any]:
    """Return what a retraining came to, with the time of its study and of one of its fits."""
    summary, made, config = result["summary"], result["provenance"], result["config"]
    official, validation = summary["official"], summary["validation"]
    averaged = summary["averaged"]
    seconds = result["study_seconds"] + fmean(seed["seconds"] for seed in result["seeds"])
    return {
        "name": name,
        "recipe": config["fit"]["recipe"],
        "image_size": config["model"]["image_size"],
        "train_on": result["train_on"],
        "n_seeds": len(result["seeds"]),
        "official_mean": official["mean"],
        "official_sd": official["sd"],
        "official_averaged_mean": averaged["mean"],
        "validation_mean": validation and validation["mean"],
        "study_seconds": result["study_seconds"],
        "wall_seconds_total": round(seconds, 1),
        "n_cores": made["n_cores"],
        "device": f"{made['cpu']}, {made['device']} {made['precision']}",
        "commit": made["commit"],
        "command": made["command"],
    }


def together(alone: dict[str, Any], found: dict[str, Any]) -> Iterator[dict[str, Any]]:
    """Yield what several of a retraining's fits come to when they answer together.

    Args:
        alone: the retraining's headline.
        found: of benchmarks/ensemble.py; the subsets of a few fits share fits, so the deviation
            over them is no deviation over independent ensembles.
    """
    by_kind = {
        (line["fits together"], line["episodes"]): line["accuracies"] for line in found["each"]
    }
    for n in sorted({n for n, _ in by_kind} - {1}):
        official, validation = by_kind[n, "official"], by_kind[n, "validation"]
        fit = alone["wall_seconds_total"] - alone["study_seconds"]
        yield alone | {
            "name": f"{alone['name']}, {n} fits together",
            "official_mean": fmean(official),
            "official_sd": stdev(official) if len(official) > 1 else None,
            "n_subsets": len(official),
            "official_averaged_mean": None,
            "validation_mean": fmean(validation),
            "wall_seconds_total": round(alone["study_seconds"] + n * fit, 1),
            "commit": found["provenance"]["commit"],
            "command": found["provenance"]["command"],
        }


def headlines() -> list[dict[str, Any]]:
    """Return a headline per committed result, the best first."""
    found = []
    for path in sorted(RESULTS.glob("*/result.json")):
        alone = headline(path.parent.name, json.loads(path.read_text()))
        found.append(alone)
        if (ensemble := path.with_name("ensemble.json")).exists():
            found += together(alone, json.loads(ensemble.read_text()))
    return sorted(found, key=lambda line: -line["official_mean"])


# The README's choice among the headlines: what a reader does to get there.
COMMANDS = {
    "default": "`run_study.py`, then `retrain_best.py`",
    "52px": "`retrain_best.py --image-size 52 --max-epochs 240`",
    "52px, 2 fits together": "two of these fits together",
}


def ladder(lines: list[dict[str, Any]]) -> list[str]:
    """Return the README's table: ours among those of the paper, the least first."""
    nearest = json.loads((RESULTS / "default" / "result.json").read_text())["baseline"]["official"]
    rows = [
        (nearest["accuracy"], "1-nearest neighbour on pixels", "", ""),
        (published.CONVNET, "**Koch et al. (2015)**", "", ""),
        (published.HUMAN, "humans", "", ""),
    ]
    for line in lines:
        if line["name"] in COMMANDS:
            said = format_mean({"mean": line["official_mean"], "sd": line["official_sd"]})
            minutes = f"{line['wall_seconds_total'] / 60:.0f} min"
            rows.append((line["official_mean"], COMMANDS[line["name"]], f"**{said}**", minutes))
    head = ["| | official 400 | study and one fit |", "|---|---|---|"]
    shown = [(n, said or f"{100 * share:.1f} %", time) for share, n, said, time in sorted(rows)]
    return head + [f"| {name} | {said} | {time} |" for name, said, time in shown]


def table(lines: list[dict[str, Any]]) -> list[str]:
    """Return the table of docs/results.md."""
    head = ["", "trained on", "pixels", "official", "averaged", "validation", "study and one fit"]
    rows = ["| " + " | ".join(head) + " |", "|" + "---|" * len(head)]
    for line in lines:
        official = format_mean({"mean": line["official_mean"], "sd": line["official_sd"]})
        known = line["validation_mean"] is not None
        folder = line["name"].partition(",")[0]
        file = "ensemble" if "," in line["name"] else "result"
        averaged = line["official_averaged_mean"]
        fits = f"{line['n_seeds']} seeds"
        if "n_subsets" in line:
            plural = "" if line["n_subsets"] == 1 else "s"
            fits = f"{line['n_subsets']} choice{plural} from {line['n_seeds']} fits"
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
    """Write the summary and print the table."""
    lines = headlines()
    (RESULTS / "summary.json").write_text(json.dumps(lines, indent=1) + "\n")
    print("\n".join([*ladder(lines), "", *table(lines)]))


if __name__ == "__main__":
    run_command(main, "Run the same command again.")
