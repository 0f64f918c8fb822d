"""What retrain_best.py does: refit a winner and evaluate it, or evaluate a checkpoint."""

import math
import sys
import time
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

from data.drawings import FULL_SIZE
from data.errors import InputError
from data.files import make_folder
from data.load import load_dataset
from data.splits import split_dataset
from hpo.official_log import log_test_evaluation
from hpo.plan import RetrainPlan, RetrainRequest, require_digest, make_plan
from hpo.publish import write_results
from hpo.result import result_table
from hpo.wording import test_episodes_label
from model.checkpoint import load_network, save_network
from model.device import choose_compute
from model.epoch_log import log_epochs
from model.export import export_network
from model.provenance import provenance
from model.score import TestMetrics, evaluate_network
from model.state import FitState
from model.train import fit


def fit_seeds(plan: RetrainPlan) -> Iterator[FitState]:
    """Yield one finished fit per seed; a fit that was killed goes on where it was.

    Raises:
        InputError: a fit died, or its checkpoint is torn or of another configuration.
    """
    for seed in plan.seeds:
        state = FitState(plan.config, seed, plan.machine)
        path = plan.checkpoint(seed)
        epochs = fit(state, plan.train, plan.validation, checkpoint_path=path)
        for result in log_epochs(epochs, plan.course(seed)):
            if sys.stderr.isatty():
                known = not math.isnan(result.accuracy)
                shown = f" · {result.accuracy:.1%} validation" if known else ""
                line = f"seed {seed} epoch {result.epoch}/{plan.config.fit.max_epochs}"
                end = "\n" if result.stopped else "\r"
                print(f"{line} · loss {result.loss:.3f}{shown}   ", end=end, file=sys.stderr)
        if state.history[-1].died:
            why = state.history[-1].stopped
            raise InputError(f"The fit of seed {seed} died: {why}. Choose another --trial.")
        yield state


def fit_and_score(plan: RetrainPlan) -> list[TestMetrics]:
    """Fit every seed, keep its network, and evaluate it once on the test."""
    scores = []
    for state in fit_seeds(plan):
        net, facts = state.best_net(), state.facts()
        score = evaluate_network(net, plan.split, val_is_held_out=plan.validation is not None)
        figures = facts | {"history": history_records(state)} | score.figures
        scores.append(with_seed(replace(score, figures=figures), state.seed))
        about = plan.facts | facts | {"verification": score.figures["verification"]}
        about |= {"data": plan.split.test.name, "data_digest": plan.split.test.digest}
        about["provenance"] = provenance(plan.machine)
        save_network(plan.network(state.seed), net, plan.config, about)
        log_test_evaluation(f"retrain_best.py, {describe_plan(plan)}", official_accuracies([score]))
        accuracy, seconds = score.figures["official"]["accuracy"], facts["seconds"]
        whose = test_episodes_label(plan.split.test.name)
        print(f"seed {state.seed}   {accuracy:.1%} {whose}, {seconds:.0f} s", flush=True)
    return scores


def history_records(state: FitState) -> list[dict[str, float | None]]:
    """Return loss and validation accuracy by epoch, as JSON values."""
    return [
        {
            "epoch": result.epoch,
            "loss": result.loss if math.isfinite(result.loss) else None,
            "accuracy": None if math.isnan(result.accuracy) else result.accuracy,
        }
        for result in state.history
    ]


def with_seed(score: TestMetrics, seed: int) -> TestMetrics:
    """Return a score whose rows bear the fit's seed."""
    frames = {n: getattr(score, n).assign(seed=seed) for n in ("predictions", "confusions")}
    return replace(score, figures={"seed": seed} | score.figures, **frames)


def retrain(job: RetrainRequest) -> list[Path]:
    """Refit the winner over the seeds, evaluate, print the table; return the networks' files.

    Raises:
        InputError: something that was asked for is not there or not usable.
    """
    started = time.monotonic()
    plan = make_plan(job)
    facts, epochs = plan.facts, plan.config.fit.max_epochs
    print(f"study    {facts['study']} in {facts['storage']}")
    print(f"trial    {facts['trial']}, {facts['worth']}")
    seeds = ", ".join(map(str, plan.seeds))
    print(f"refit    on {job.train_on}, {epochs} epochs, seeds {seeds}", flush=True)
    scores = fit_and_score(plan)
    about = facts | {
        "config": plan.config.to_dict(),
        "provenance": provenance(plan.machine),
        "wall_seconds": round(time.monotonic() - started, 1),
    }
    full_size = split_dataset(load_dataset(plan.split.test.name, job.data_root, FULL_SIZE))
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


def describe_plan(plan: RetrainPlan) -> str:
    """Return what a retraining fits, in a few words."""
    facts, pixels = plan.facts, plan.config.model.image_size
    epochs, mirrors = plan.config.fit.max_epochs, plan.config.fit.mirrors
    said = f"{facts['study']} trial {facts['trial']} on {facts['train_on']}, {pixels} pixels"
    return f"{said}, {epochs} epochs, {'with' if mirrors else 'no'} mirrors"


def official_accuracies(scores: list[TestMetrics]) -> list[float]:
    """Return the official figure of every network."""
    return [score.figures["official"]["accuracy"] for score in scores]


def evaluate_checkpoint(
    path: Path, data_root: Path | None, device_name: str, precision: str, out: Path | None
) -> None:
    """Evaluate a saved network on everything that a retraining reports.

    Raises:
        InputError: no such network, or it was trained on other data.
    """
    machine = choose_compute(device_name, precision)
    net, config, facts = load_network(path)
    if lacking := {"data", "data_digest", "train_on", "seed"} - facts.keys():
        raise InputError(f"{path} does not say its {min(lacking)}. Name one of retrain_best.py's.")
    net.precision = machine.precision
    packed = load_dataset(facts["data"], data_root, config.model.image_size, or_glyphs=False)
    require_digest(packed.drawings.digest, facts["data_digest"])
    parts = split_dataset(packed).to(machine.device)
    held_out = facts["train_on"] == "train"
    score = evaluate_network(net.to(machine.device), parts, val_is_held_out=held_out)
    score = with_seed(score, facts["seed"])
    log_test_evaluation(f"retrain_best.py --checkpoint {path.name}", official_accuracies([score]))
    about = {"config": config.to_dict(), "provenance": provenance(machine)}
    full_size = split_dataset(load_dataset(facts["data"], data_root, FULL_SIZE))
    print(result_table(write_results(out, [score], parts, full_size, about)))
    if out is not None:
        print(f"wrote    {out}/report.html, result.json and two tables")
