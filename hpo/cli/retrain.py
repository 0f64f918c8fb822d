"""The actions of retrain_best.py: refit the best trial, evaluate and export networks."""

import logging
from pathlib import Path

from data.drawings import FULL_SIZE, Drawings
from data.errors import InputError
from data.files import make_folder
from hpo.cli.console import LOGGER
from hpo.cli.retrain_output import result_table, write_validation
from hpo.refit.networks import chosen_seeds, find_result
from hpo.refit.plan import RetrainPlan, make_plan, require_digest
from hpo.refit.result import RESULT_FILE, SeedResult
from hpo.refit.retrain import (
    EvaluatedFit,
    fit_networks,
    log_test_evaluation,
    validate_chosen,
    validate_networks,
)
from hpo.refit.run import compose_result, run_retraining
from hpo.refit.settings import RetrainConfig
from hpo.report.retraining.files import write_results
from hpo.report.retraining.frames import AVERAGED
from hpo.settings.study_settings import StudySettings
from hpo.study.dataset import load_data, split_data, task_settings, validation_episodes
from model.checkpoint import load_network
from model.device import choose_compute
from model.export import export_network
from model.metrics import evaluate_network, validation_accuracy
from model.provenance import provenance
from model.siamese import SiameseNet

REQUIRED_METADATA = ("data", "data_digest", "seed", "train_on")


def retrain_best(request: RetrainConfig) -> list[Path]:
    """Refit the best trial, evaluate the fits, write the results; return the network files.

    The networks of the study whose fits chose the winner are evaluated, too, and returned last. If
    the folder contains the results of the same retraining, they are printed, and nothing is fitted
    or evaluated again.

    Raises:
        InputError: the study, the data or the device cannot be used, a fit has diverged, or a file
            cannot be written.
    """
    plan = make_plan(request)
    if logging.getLogger(LOGGER).isEnabledFor(logging.INFO):
        _print_plan(plan)
    if not request.test:
        fit_networks(plan, again=request.again)
        write_validation(plan, validate_networks(plan), validate_chosen(plan))
    elif not request.again and (found := find_result(plan)):
        print(result_table(found))
        print(f"found    {plan.folder}/{RESULT_FILE}; --again fits and evaluates again")
    else:
        retraining = run_retraining(plan, request)
        write_results(plan.folder, *retraining)
        print(result_table(retraining.result))
        print(
            f"wrote    {plan.folder}/report.html, {RESULT_FILE}, two tables, one network per seed"
        )
    chosen = [plan.chosen_network(seed) for seed in chosen_seeds(plan)]
    return [*map(plan.network, plan.seeds), *chosen]


def evaluate_checkpoint(path: Path, request: RetrainConfig) -> None:
    """Evaluate a saved network like a refit, print the metrics, and write the results.

    Without ``request.test``, only the validation accuracies are printed.

    Raises:
        InputError: the file is not a network of retrain_best.py, or the data has changed.
    """
    compute, out = choose_compute(request.device, request.precision), request.out
    net, config, metadata = load_network(path)
    if missing := [name for name in REQUIRED_METADATA if name not in metadata]:
        raise InputError(
            f"{path} must contain its {missing[0]}, but does not. Choose a network of "
            "retrain_best.py."
        )
    net.precision = compute.precision
    task = task_settings(metadata)
    dataset = load_data(task, request.data_root, config.model.image_size, or_glyphs=False)
    require_digest(dataset.drawings.digest, metadata["data_digest"])
    split = split_data(task, dataset).to(compute.device)
    held_out = metadata["train_on"] == "train"
    if not request.test:
        _print_validation(path, net.to(compute.device), split.val if held_out else None, task)
        return
    evaluation = evaluate_network(net.to(compute.device), split, val_is_held_out=held_out)
    accuracy = evaluation.metrics.official.accuracy
    log_test_evaluation(f"retrain_best.py --checkpoint {path.name}", [accuracy])
    fits = [EvaluatedFit(SeedResult(metadata["seed"], None, evaluation.metrics), evaluation)]
    full_size = split_data(task, load_data(task, request.data_root, FULL_SIZE))
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
        folder: folder of the exported files; None for the folder of each network.
    """
    for network in networks:
        if folder:
            make_folder(folder)
        print("wrote    " + ", ".join(map(str, export_network(network, form, folder))))


def _print_plan(plan: RetrainPlan) -> None:
    """Print which trial is refitted, and how."""
    origin, seeds = plan.origin, ", ".join(map(str, plan.seeds))
    if origin.trial is not None:
        print(f"study    {origin.study} in {origin.storage}")
    print(f"trial    {origin.value_text if origin.trial is None else origin.trial}", end="")
    print(f", {origin.value_text}" if origin.trial is not None else "")
    epochs = plan.config.fit.max_epochs
    print(
        f"refit    on {origin.train_on}, {epochs} epoch{'s' * (epochs > 1)}, seeds {seeds}",
        flush=True,
    )


def _print_validation(
    path: Path, net: SiameseNet, val: Drawings | None, task: StudySettings
) -> None:
    """Print the validation accuracies of a saved network.

    Args:
        path: file of the network.
        net: network on the device of the drawings.
        val: validation drawings, or None if the network was trained on them.
        task: settings of the episodes.

    Raises:
        InputError: the network was trained on the validation alphabets.
    """
    if val is None:
        raise InputError(
            f"--no-test needs a network that was not trained on the validation alphabets, but "
            f"{path} was. Leave out --no-test."
        )
    accuracy = validation_accuracy(net, val, validation_episodes(task, val))
    print(f"validation episodes  {accuracy.plain:.1%}")
    print(f"{AVERAGED}  {accuracy.averaged:.1%}")
