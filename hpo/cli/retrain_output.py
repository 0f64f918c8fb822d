"""The output of retrain_best.py: its files and its table.

Tensor suffixes: N filters, H W pixels.
"""

import json
from dataclasses import asdict

from data import published
from data.files import write_atomically
from data.labels import OFFICIAL
from data.text import text_table
from hpo.refit.plan import RetrainPlan
from hpo.refit.result import RetrainResult
from hpo.report.retraining.chosen import (
    chosen_label,
    chosen_lines,
    chosen_note,
    chosen_row,
)
from hpo.report.retraining.frames import (
    AVERAGED,
    FITS_ONLY,
    headline_rows,
    interval_text,
    wilson_text,
)
from model.metrics import ValidationAccuracy
from model.provenance import provenance
from model.summary import format_mean, mean_and_sd

VALIDATION_FILE = "validation.json"  # of a retraining without the test


def write_validation(
    plan: RetrainPlan,
    accuracies: list[ValidationAccuracy],
    chosen: dict[int, ValidationAccuracy],
) -> None:
    """Print the validation accuracies of a plan's networks, and write ``validation.json``.

    Args:
        plan: the plan.
        accuracies: accuracies of the network of each seed.
        chosen: accuracies of the networks whose fits chose the winner, by seed.

    Raises:
        InputError: the folder cannot be written to, or the disk is full.
    """
    plain, averaged = (
        mean_and_sd(values)
        for values in ([a.plain for a in accuracies], [a.averaged for a in accuracies])
    )
    content = {
        "config": plan.config.to_dict(),
        "origin": asdict(plan.origin),
        "provenance": provenance(plan.compute),
        "seeds": [{"seed": s} | asdict(a) for s, a in zip(plan.seeds, accuracies, strict=True)],
        "chosen": [{"seed": s} | asdict(a) for s, a in chosen.items()],
        "plain": asdict(plain),
        "averaged": asdict(averaged),
    }
    text = json.dumps(content, indent=1, allow_nan=False) + "\n"
    write_atomically(plan.folder / VALIDATION_FILE, lambda path: path.write_text(text))
    rows = [["validation episodes", format_mean(plain)], [AVERAGED, format_mean(averaged)]]
    if values := [a.plain for a in chosen.values()]:
        name = f"{chosen_label(len(values))}, validation episodes"
        rows.append([name, format_mean(mean_and_sd(values))])
    print(text_table(rows))
    if values:
        print(chosen_note(values))
    print(f"wrote    {plan.folder}/{VALIDATION_FILE}, one network per seed")
    print(
        "The test was not used. Without --no-test, the same command evaluates these networks on it."
    )


def result_table(result: RetrainResult) -> str:
    """Return the headline metrics of our networks, of the baseline and of the paper as text."""
    n_seeds = len(result.seeds)
    head = f"ours ({n_seeds} seed{'s' * (n_seeds > 1)})"
    rows = [["", head, "1-NN pixels", "paper", "paper's 1-NN"]]
    for i, row in enumerate(headline_rows(result)):
        paper = ["–", "–"]
        if i == 0 and result.episodes_label == OFFICIAL:
            paper = [f"{100 * share:.1f} %" for share in (published.CONVNET, published.NEAREST)]
        baseline = "–" if row.baseline is None else f"{row.baseline:.1%}"
        rows.append([row.name, format_mean(row.summary), baseline, *paper])
    if chosen := chosen_row(result):
        rows.append([chosen.name, format_mean(chosen.summary), *"–––"])
    return "\n".join([text_table(rows), *interval_lines(result), *chosen_lines(result)])


def interval_lines(result: RetrainResult) -> list[str]:
    """Return the 95 % intervals of the first line of the table, and what ``±`` means."""
    return [
        f"95 % interval of the first line: {interval_text(result, 'official')}",
        f"  {wilson_text(result)}",
        f"± is {FITS_ONLY}",
    ]
