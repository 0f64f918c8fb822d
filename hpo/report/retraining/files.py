"""The files of a retraining in its folder: tables, report and result."""

import json
from functools import partial
from pathlib import Path

import pandas as pd

from data.files import write_atomically
from data.splits import Split
from hpo.refit.result import RESULT_FILE, RetrainResult
from hpo.refit.retrain import EvaluatedFit
from hpo.report.html_page import write_page
from hpo.report.retraining.page import retrain_page


def write_results(
    folder: Path, result: RetrainResult, fits: list[EvaluatedFit], full_size: Split
) -> None:
    """Write ``predictions.csv``, ``confusions.csv``, ``report.html`` and, last, ``result.json``.

    A folder with ``result.json`` is therefore complete.

    Args:
        folder: folder of the files.
        result: result of the fits.
        fits: the fits, for the two tables and the filters.
        full_size: the data set at 105 pixels, for the pictures of the report.

    Raises:
        InputError: the folder cannot be written to, or the disk is full.
    """
    predictions, confusions = (
        pd.concat(
            [getattr(fit.evaluation, name).assign(seed=fit.result.seed) for fit in fits],
            ignore_index=True,
        )
        for name in ("predictions", "confusions")
    )
    for name, table in (("predictions", predictions), ("confusions", confusions)):
        write_atomically(folder / f"{name}.csv", partial(table.to_csv, index=False))
    filters_NHW = fits[0].evaluation.filters_NHW
    page = retrain_page(result, predictions, confusions, filters_NHW, full_size)
    write_page(folder / "report.html", page)
    text = json.dumps(result.to_dict(), indent=1, allow_nan=False) + "\n"
    write_atomically(folder / RESULT_FILE, lambda path: path.write_text(text))
