"""The two things retrain_best.py does: refit and evaluate a winner, or evaluate a checkpoint."""

import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pandas as pd
import torch

from data.errors import InputError
from data.load import load
from data.splits import Split, split, train_and_val
from hpo.result import summarise, table, write
from hpo.retrain import (
    RefitPlan,
    checkpoint_path,
    choose_trial,
    fit_facts,
    refits,
    retrain_config,
)
from hpo.storage import hide_password, open_storage, storage_errors
from hpo.study import load_study
from model.checkpoint import load_network, save_network
from model.device import choose_device, choose_precision
from model.evaluate import wilson_interval
from model.provenance import provenance
from model.score import score_baseline, score_network


@dataclass(frozen=True)
class RetrainJob:
    """What was asked of retrain_best.py; see its flags.

    Args:
        storage: database address.
        study_name: or None for the latest.
        trial: number, or None for the best.
        n_seeds: number of fits.
        max_epochs: or None for the default.
        train_on: ``"train"`` or ``"train+val"``.
        out: folder of the results, or None for the default.
        data_root: folder of the archives, or None.
        device: name.
        precision: name.
    """

    storage: str
    study_name: str | None
    trial: int | None
    n_seeds: int
    max_epochs: int | None
    train_on: str
    out: Path | None
    data_root: Path | None
    device: str
    precision: str


def on_device(parts: Split, device: torch.device) -> Split:
    """Return the split with its validation and test drawings on a device."""
    return Split(parts.train, parts.val.to(device), parts.test.to(device), parts.official)


def compose(figures: list[dict[str, Any]], parts: Split, facts: dict[str, Any]) -> dict[str, Any]:
    """Return the content of result.json from the figures of every seed."""
    summary = summarise(figures)
    return {
        "data": parts.test.name,
        "data_digest": parts.test.digest,
        **facts,
        "summary": summary,
        "official_interval": wilson_interval(summary["official"]["mean"], len(parts.official)),
        "seeds": figures,
        "baseline": score_baseline(parts),
    }


def retrain(job: RetrainJob) -> None:
    """Refit the winner over the seeds, evaluate, print the table, write the files.

    Raises:
        InputError: no such study or trial, or data, checkpoint or folder are not usable.
    """
    started = time.monotonic()
    with storage_errors(job.storage):
        storage = open_storage(job.storage, create=False)
        study, settings = load_study(storage, job.study_name)
        trial = choose_trial(study, job.trial)
    packed = load(settings.data, job.data_root, settings.image_size)
    check_digest(packed.drawings.digest, study.user_attrs["identity"]["data_digest"])
    device = choose_device(job.device)
    parts = split(packed.drawings, packed.official)
    folder = job.out or Path("var/retrain") / f"{study.study_name}-{trial.number}"
    folder.mkdir(parents=True, exist_ok=True)
    config = retrain_config(settings, trial, job.max_epochs)
    both = job.train_on == "train+val"
    plan = RefitPlan(
        config=config,
        # Not the study's own seed: the winner may owe a little of its rank to that one.
        seeds=[settings.seed + 1 + i for i in range(job.n_seeds)],
        train=train_and_val(packed.drawings) if both else parts.train,
        split=parts,
        choose_epoch=not both,
        settings=settings,
        device=device,
        precision=choose_precision(job.precision, device),
        folder=folder,
    )
    print(f"study    {study.study_name} in {hide_password(job.storage)}")
    print(f"trial    {trial.number}, {trial.value:.1%} of the validation episodes in the study")
    print(
        f"refit    {job.n_seeds} seeds on {job.train_on}, {config.fit.max_epochs} epochs",
        flush=True,
    )
    figures, predictions = fit_and_score(plan, on_device(parts, device))
    facts = {
        "study": study.study_name,
        "trial": trial.number,
        "study_value": trial.value,
        "train_on": job.train_on,
        "config": config.to_dict(),
        "provenance": provenance(device, plan.precision),
        "wall_seconds": round(time.monotonic() - started, 1),
    }
    result = compose(figures, parts, facts)
    write(folder, result, predictions)
    for seed in plan.seeds:
        checkpoint_path(folder, seed).unlink(missing_ok=True)
    print(table(result))
    print(f"wrote    {folder}/result.json, predictions.csv and one network per seed")


def fit_and_score(plan: RefitPlan, parts: Split) -> tuple[list[dict[str, Any]], pd.DataFrame]:
    """Fit every seed, keep its network, and evaluate it once on the test."""
    figures, predictions = [], []
    for refit in refits(plan):
        net = refit.state.best_net()
        score = score_network(net, parts)
        figures.append(fit_facts(refit) | score.figures)
        predictions.append(score.predictions.assign(seed=refit.seed))
        facts = {
            "seed": refit.seed,
            "data": parts.test.name,
            "data_digest": parts.test.digest,
            "verification": score.figures["verification"],
        }
        save_network(plan.folder / f"seed-{refit.seed}.pt", net, plan.config, facts)
        accuracy = score.figures["official"]["accuracy"]
        print(f"seed {refit.seed}   {accuracy:.1%} official, {refit.seconds:.0f} s", flush=True)
    return figures, pd.concat(predictions, ignore_index=True)


def check_digest(found: str, studied: str) -> None:
    """Raise unless the data is what the study was made with."""
    if found != studied:
        raise InputError(
            "The data must be what the study was made with, but its digest is "
            f"{found[:12]} and the study's {studied[:12]}. Name the right --data-root."
        )


def evaluate_checkpoint(
    path: Path, data_root: Path | None, device_name: str, precision: str, out: Path | None
) -> None:
    """Evaluate a saved network on everything that a retraining reports.

    Raises:
        InputError: no such network, or it was trained on other data.
    """
    device = choose_device(device_name)
    net, config, facts = load_network(path)
    net.precision = choose_precision(precision, device)
    packed = load(facts["data"], data_root, config.model.image_size)
    check_digest(packed.drawings.digest, facts["data_digest"])
    parts = on_device(split(packed.drawings, packed.official), device)
    score = score_network(net.to(device), parts)
    more = {"config": config.to_dict(), "provenance": provenance(device, net.precision)}
    result = compose([{"seed": facts["seed"]} | score.figures], parts, more)
    print(table(result))
    if out is not None:
        write(out, result, score.predictions.assign(seed=facts["seed"]))
        print(f"wrote    {out}/result.json and predictions.csv")
