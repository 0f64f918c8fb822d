"""The files of a retraining: it is fitted, evaluated, and written to its folder."""

import json
import time
from functools import partial
from pathlib import Path
from typing import Any

import pandas as pd

from data.drawings import FULL_SIZE
from data.files import write_atomically
from data.splits import Split
from hpo.refit.networks import find_result
from hpo.refit.plan import RetrainPlan
from hpo.refit.result import RESULT_FILE, RetrainResult
from hpo.refit.retrain import EvaluatedFit, evaluate_networks, fit_networks
from hpo.refit.settings import RetrainConfig
from hpo.report.html_page import write_page
from hpo.report.retraining.page import retrain_page
from hpo.study.dataset import load_data, split_data
from model.evaluate import wilson_interval
from model.metrics import evaluate_baseline
from model.provenance import provenance
from model.summary import summarize_metrics


def retrain_and_write(plan: RetrainPlan, request: RetrainConfig) -> RetrainResult:
    """Fit and evaluate the networks of a plan, and write the results; return the stored ones.

    If the folder contains the results of the same retraining, nothing is fitted or evaluated again,
    unless ``request.again``.

    Args:
        plan: plan of the retraining.
        request: its settings.

    Raises:
        InputError: a fit has diverged, or a file cannot be written.
    """
    if not request.again and (found := find_result(plan)):
        return found
    started, settings = time.monotonic(), plan.settings
    fit_networks(plan, again=request.again)
    fits = evaluate_networks(plan)
    wall_seconds = round(time.monotonic() - started, 1)
    full_size = split_data(settings, load_data(settings, request.data_root, FULL_SIZE))
    result = compose_result(
        fits,
        plan.split,
        full_size,
        config=plan.config,
        provenance=provenance(plan.compute),
        origin=plan.origin,
        wall_seconds=wall_seconds,
        settings=plan.sections,
    )
    write_results(plan.folder, result, fits, full_size)
    return result


def compose_result(
    fits: list[EvaluatedFit], split: Split, full_size: Split, **facts: Any
) -> RetrainResult:
    """Return the result of evaluated fits.

    Args:
        fits: at least one fit.
        split: data set of the evaluation.
        full_size: the same data set at 105 pixels, for the 1-NN baseline.
        facts: further fields of :class:`hpo.refit.result.RetrainResult`.
    """
    summary = summarize_metrics([fit.result.metrics for fit in fits])
    return RetrainResult(
        data=split.test.name,
        data_digest=split.test.digest,
        summary=summary,
        n_way=split.official.n_way,
        official_interval=wilson_interval(summary.official.mean, len(split.official)),
        seeds=[fit.result for fit in fits],
        baseline=evaluate_baseline(full_size),
        **facts,
    )


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
