"""The fits of the study that chose the winner: a row of their own, and what it means.

They are in no mean, interval or plot of a retraining, because the winner was chosen by them.
"""

from statistics import fmean

from hpo.refit.result import RetrainResult
from hpo.report.html_page import Section
from hpo.report.retraining.frames import AVERAGED, HeadlineRow
from model.summary import format_mean, mean_and_sd

CHOSEN = "fits that chose the winner"


def chosen_label(n: int) -> str:
    """Return what ``n`` fits of the study are called, for example ``fits … winner (2)``."""
    return f"{CHOSEN} ({n})"


def chosen_note(accuracies: list[float]) -> str:
    """Return what the accuracies of the fits that chose the winner mean, as a sentence.

    Args:
        accuracies: accuracies in [0, 1] on validation, at least one.
    """
    return (
        f"The {CHOSEN} are in no mean or interval of the other fits. Their accuracy on validation, "
        f"{fmean(accuracies):.1%}, is too high on average, because they were chosen by it."
    )


def chosen_row(result: RetrainResult) -> HeadlineRow | None:
    """Return the official accuracy of the fits that chose the winner, or None without them."""
    if not result.chosen:
        return None
    accuracies = [fit.metrics.official.accuracy for fit in result.chosen]
    return HeadlineRow(chosen_label(len(accuracies)), mean_and_sd(accuracies), accuracies)


def chosen_lines(result: RetrainResult) -> list[str]:
    """Return what the row of the fits that chose the winner means; empty without them."""
    if not result.chosen:
        return []
    label = result.episodes_label
    first = f"The row of the {CHOSEN} shows the {label} episodes, as the first line does."
    return [first, chosen_note(_validation(result))]


def chosen_sections(result: RetrainResult) -> list[Section]:
    """Return the section with the accuracies of each fit; empty without such fits."""
    if not result.chosen:
        return []
    metrics = [fit.metrics for fit in result.chosen]
    rows = {
        f"{result.episodes_label} episodes": [m.official.accuracy for m in metrics],
        AVERAGED: [m.averaged.official for m in metrics],
        "validation episodes": _validation(result),
    }
    table = [["", chosen_label(len(metrics)), *(f"seed {fit.seed}" for fit in result.chosen)]]
    for name, accuracies in rows.items():
        fits = [f"{accuracy:.1%}" for accuracy in accuracies]
        table.append([name, format_mean(mean_and_sd(accuracies)), *fits])
    return [Section(CHOSEN.capitalize(), chosen_note(_validation(result)), table=table)]


def _validation(result: RetrainResult) -> list[float]:
    """Return the validation accuracies; these fits never train on the validation alphabets."""
    return [fit.metrics.validation_accuracy or 0.0 for fit in result.chosen]
