"""The files of an evaluation: result.json, its tables, and the report."""

import time
from pathlib import Path
from typing import Any

import pandas as pd

from data.drawings import FULL_SIZE
from data.errors import InputError
from data.files import make_folder
from data.load import load_dataset
from data.splits import Split, split_dataset
from hpo.refit.plan import RetrainRequest, make_plan, require_digest
from hpo.refit.result import compose_result, result_table, write_result_files
from hpo.refit.retrain import fit_and_score, official_accuracies, with_seed
from hpo.refit.test_log import log_test_evaluation
from hpo.report.html_page import write_page
from hpo.report.retraining.page import retrain_page
from model.checkpoint import load_network
from model.device import choose_compute
from model.export import export_network
from model.provenance import provenance
from model.test_metrics import TestMetrics, evaluate_baseline, evaluate_network


def write_results(
    folder: Path | None,
    scores: list[TestMetrics],
    parts: Split,
    full_size: Split,
    about: dict[str, Any],
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


def retrain(request: RetrainRequest) -> list[Path]:
    """Refit the winner over the seeds, evaluate, print the table; return the networks' files.

    Raises:
        InputError: something that was asked for is not there or not usable.
    """
    started = time.monotonic()
    plan = make_plan(request)
    facts, epochs = plan.facts, plan.config.fit.max_epochs
    print(f"study    {facts['study']} in {facts['storage']}")
    print(f"trial    {facts['trial']}, {facts['worth']}")
    seeds = ", ".join(map(str, plan.seeds))
    print(f"refit    on {request.train_on}, {epochs} epochs, seeds {seeds}", flush=True)
    scores = fit_and_score(plan)
    about = facts | {
        "config": plan.config.to_dict(),
        "provenance": provenance(plan.compute),
        "wall_seconds": round(time.monotonic() - started, 1),
    }
    full_size = split_dataset(load_dataset(plan.split.test.name, request.data_root, FULL_SIZE))
    result = write_results(plan.folder, scores, plan.split, full_size, about)
    for seed in plan.seeds:
        plan.checkpoint(seed).unlink(missing_ok=True)
    print(result_table(result))
    print(f"wrote    {plan.folder}/report.html, result.json, two tables, a network per seed")
    return list(map(plan.network, plan.seeds))


def print_exported(networks: list[Path], form: str, folder: Path | None) -> None:
    """Write networks as graphs for other programs, and say where; see :func:`export`."""
    for network in networks:
        if folder:
            make_folder(folder)
        print("wrote    " + ", ".join(map(str, export_network(network, form, folder))))


def evaluate_checkpoint(
    path: Path, data_root: Path | None, device_name: str, precision: str, out: Path | None
) -> None:
    """Evaluate a saved network on everything that a retraining reports.

    Raises:
        InputError: no such network, or it was trained on other data.
    """
    compute = choose_compute(device_name, precision)
    net, config, facts = load_network(path)
    if lacking := {"data", "data_digest", "train_on", "seed"} - facts.keys():
        raise InputError(f"{path} does not say its {min(lacking)}. Name one of retrain_best.py's.")
    net.precision = compute.precision
    packed = load_dataset(facts["data"], data_root, config.model.image_size, or_glyphs=False)
    require_digest(packed.drawings.digest, facts["data_digest"])
    parts = split_dataset(packed).to(compute.device)
    held_out = facts["train_on"] == "train"
    score = evaluate_network(net.to(compute.device), parts, val_is_held_out=held_out)
    score = with_seed(score, facts["seed"])
    log_test_evaluation(f"retrain_best.py --checkpoint {path.name}", official_accuracies([score]))
    about = {"config": config.to_dict(), "provenance": provenance(compute)}
    full_size = split_dataset(load_dataset(facts["data"], data_root, FULL_SIZE))
    print(result_table(write_results(out, [score], parts, full_size, about)))
    if out is not None:
        print(f"wrote    {out}/report.html, result.json and two tables")
