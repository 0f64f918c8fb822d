"""What retrain_best.py does: refit and evaluate the best trial, or evaluate or export a network."""

import json
import time
from functools import partial
from pathlib import Path
from typing import Any

import pandas as pd

from data import published
from data.drawings import FULL_SIZE
from data.errors import InputError
from data.files import make_folder, write_atomically
from data.load import load_dataset
from data.splits import Split, split_dataset
from data.text import text_table
from hpo.refit.plan import RetrainRequest, make_plan, require_digest
from hpo.refit.result import RESULT_FILE, RetrainResult, SeedResult
from hpo.refit.retrain import EvaluatedFit, fit_and_evaluate, log_test_evaluation
from hpo.report.html_page import write_page
from hpo.report.retraining.frames import FITS_ONLY, headline_rows, interval_text, wilson_text
from hpo.report.retraining.page import retrain_page
from model.checkpoint import load_network
from model.device import choose_compute
from model.evaluate import wilson_interval
from model.export import export_network
from model.metrics import evaluate_baseline, evaluate_network
from model.provenance import provenance
from model.summary import format_mean, summarize_metrics

REQUIRED_METADATA = ("data", "data_digest", "seed", "train_on")


def retrain(request: RetrainRequest) -> list[Path]:
    """Refit the best trial, evaluate the fits, write the results; return the network files.

    Raises:
        InputError: the study, the data or the device cannot be used, a fit has diverged, or a file
            cannot be written.
    """
    started = time.monotonic()
    plan = make_plan(request)
    origin, seeds = plan.origin, ", ".join(map(str, plan.seeds))
    print(f"study    {origin.study} in {origin.storage}")
    print(f"trial    {origin.trial}, {origin.value_text}")
    epochs = plan.config.fit.max_epochs
    print(f"refit    on {origin.train_on}, {epochs} epochs, seeds {seeds}", flush=True)
    fits = fit_and_evaluate(plan)
    wall_seconds = round(time.monotonic() - started, 1)
    full_size = split_dataset(load_dataset(plan.split.test.name, request.data_root, FULL_SIZE))
    result = compose_result(
        fits,
        plan.split,
        full_size,
        config=plan.config,
        provenance=provenance(plan.compute),
        origin=origin,
        wall_seconds=wall_seconds,
    )
    write_results(plan.folder, result, fits, full_size)
    for seed in plan.seeds:
        plan.checkpoint(seed).unlink(missing_ok=True)
    print(result_table(result))
    print(f"wrote    {plan.folder}/report.html, {RESULT_FILE}, two tables, one network per seed")
    return [plan.network(seed) for seed in plan.seeds]


def evaluate_checkpoint(
    path: Path, data_root: Path | None, device_name: str, precision: str, out: Path | None
) -> None:
    """Evaluate a saved network like a refit, print the metrics, and write the results to ``out``.

    Raises:
        InputError: the file is not a network of retrain_best.py, or the data has changed.
    """
    compute = choose_compute(device_name, precision)
    net, config, metadata = load_network(path)
    if missing := [name for name in REQUIRED_METADATA if name not in metadata]:
        raise InputError(
            f"{path} must contain its {missing[0]}, but does not. Name a network of "
            "retrain_best.py."
        )
    net.precision = compute.precision
    dataset = load_dataset(metadata["data"], data_root, config.model.image_size, or_glyphs=False)
    require_digest(dataset.drawings.digest, metadata["data_digest"])
    split = split_dataset(dataset).to(compute.device)
    held_out = metadata["train_on"] == "train"
    evaluation = evaluate_network(net.to(compute.device), split, val_is_held_out=held_out)
    accuracy = evaluation.metrics.official.accuracy
    log_test_evaluation(f"retrain_best.py --checkpoint {path.name}", [accuracy])
    fits = [EvaluatedFit(SeedResult(metadata["seed"], None, evaluation.metrics), evaluation)]
    full_size = split_dataset(load_dataset(metadata["data"], data_root, FULL_SIZE))
    result = compose_result(
        fits, split, full_size, config=config, provenance=provenance(compute), origin=None
    )
    if out is not None:
        write_results(out, result, fits, full_size)
    print(result_table(result))
    if out is not None:
        print(f"wrote    {out}/report.html, {RESULT_FILE} and two tables")


def export_networks(networks: list[Path], form: str, folder: Path | None) -> None:
    """Export networks for other programs and print the files.

    Args:
        networks: files of the networks.
        form: ``"onnx"`` or ``"torch"``; see :func:`model.export.export_network`.
        folder: folder of the exported files; None for that of each network.
    """
    for network in networks:
        if folder:
            make_folder(folder)
        print("wrote    " + ", ".join(map(str, export_network(network, form, folder))))


def compose_result(
    fits: list[EvaluatedFit], split: Split, full_size: Split, **facts: Any
) -> RetrainResult:
    """Return the result of evaluated fits.

    Args:
        fits: at least one fit.
        split: data set that was evaluated on.
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
    """Write ``result.json``, ``predictions.csv``, ``confusions.csv`` and ``report.html``.

    Args:
        folder: folder of the files.
        result: result of the fits.
        fits: the fits, for the two tables and the filters.
        full_size: the data set at 105 pixels, for the pictures of the report.

    Raises:
        InputError: the folder cannot be written to, or the disk is full.
    """
    text = json.dumps(result.to_dict(), indent=1, allow_nan=False) + "\n"
    write_atomically(folder / RESULT_FILE, lambda path: path.write_text(text))
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


def result_table(result: RetrainResult) -> str:
    """Return the headline metrics as text: ours, those of the baseline, and those of the paper."""
    n_seeds = len(result.seeds)
    head = f"ours ({n_seeds} seed{'s' * (n_seeds > 1)})"
    rows = [["", head, "1-NN pixels", "paper", "paper's 1-NN"]]
    for i, row in enumerate(headline_rows(result)):
        paper = ["–", "–"]
        if i == 0 and result.data == "omniglot":
            paper = [f"{100 * share:.1f} %" for share in (published.CONVNET, published.NEAREST)]
        baseline = "–" if row.baseline is None else f"{row.baseline:.1%}"
        rows.append([row.name, format_mean(row.summary), baseline, *paper])
    return "\n".join([text_table(rows), *interval_lines(result)])


def interval_lines(result: RetrainResult) -> list[str]:
    """Return the 95 % intervals of the first line of the table, and what ``±`` means."""
    return [
        f"95 % interval of the first line: {interval_text(result, 'official')}",
        f"  {wilson_text(result)}",
        f"± is {FITS_ONLY}",
    ]
