"""The files of an evaluation: result.json, its tables, and the report."""

from pathlib import Path
from typing import Any

import pandas as pd

from data.splits import Split
from hpo.report import write_page as write_page
from hpo.result import compose_result, write_result_files
from hpo.retrain_report import retrain_page
from model.score import TestMetrics, evaluate_baseline


def write_results(
    folder: Path | None, scores: list[TestMetrics], parts: Split, full_size: Split, about: dict[str, Any]
) -> dict[str, Any]:
    """Return the content of result.json, after writing it with its tables and the report.

    Args:
        folder: of the files, or None to write none.
        scores: of every fit; their tables bear its ``seed``.
        parts: what was evaluated on.
        full_size: the same data at 105 pixels, for 1-NN and the pictures.
        about: what is true of all fits.

    Raises:
        InputError: the folder cannot be written, or the disk is full.
    """
    result = compose_result([s.figures for s in scores], parts, evaluate_baseline(full_size), about)
    if folder is not None:
        predictions = pd.concat([s.predictions for s in scores], ignore_index=True)
        confusions = pd.concat([s.confusions for s in scores], ignore_index=True)
        write_result_files(folder, result, predictions, confusions)
        filters_NHW = scores[0].filters_NHW
        page = retrain_page(result, predictions, confusions, filters_NHW, full_size)
        write_page(folder / "report.html", page)
    return result
