"""Print the tables of docs/speed.md from the committed results."""

import json
from pathlib import Path
from typing import Any

from hpo.cli.entry_point import run_command

RESULTS = Path(__file__).parent / "results"
PLAIN, PAIRS, OURS = "plain loop", "+ freed memory kept", "+ each drawing embedded once: ours"


def results(name: str) -> dict[str, Any]:
    """Return the committed results of a benchmark."""
    return dict(json.loads((RESULTS / f"{name}.json").read_text()))


def throughput_lines() -> list[str]:
    """Return rows of images per second and the speed-up over the plain loop."""
    lines = []
    for title, rows in results("throughput").items():
        if title.endswith(("filters", "of them")):
            by_row = {row["row"]: row for row in rows}
            plain = by_row[PLAIN]
            for kind, name in (("training", PAIRS), ("training", OURS), ("embedding", OURS)):
                rate, times = by_row[name][f"{kind}, images/s"], by_row[name][f"{kind}, ×"]
                what = {PAIRS: " on pairs", OURS: " on episodes"}[name] if kind[0] == "t" else ""
                theirs = f"{plain[f'{kind}, images/s']:,.0f}"
                what = f"{title}: {kind}{what}, images/s"
                lines.append(f"| {what} | {rate:,.0f} | {theirs} | {times:.1f} × |")
    return lines


def accuracy_lines() -> list[str]:
    """Return a row per level of official accuracy: seconds of training from random weights."""
    found = results("time_to_accuracy")
    table = next(rows for title, rows in found.items() if title.startswith("Seconds to"))
    return [
        f"| seconds to {row['official accuracy']} official, {row['fits that reached it']} fits "
        f"(from–to) | {row['ours, mean s']} ({row['from–to']}) | {row['plain loop, s']} | |"
        for row in table
        if row["ours, mean s"]
    ]


def main() -> None:
    """Print the tables."""
    print("\n".join(table()))


def table() -> list[str]:
    """Return the rows of the table of speed."""
    head = ["| two CPU cores with AMX, bfloat16 | ours | plain loop | |", "|---|---|---|---|"]
    return [*head, *throughput_lines(), *accuracy_lines()]


if __name__ == "__main__":
    run_command(main, "Run the same command again to start over.")
