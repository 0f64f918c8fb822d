"""Refit a study's winner over several seeds and evaluate each fit once on the test."""

import math
import sys
import time
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import torch
from optuna.study import Study
from optuna.trial import FixedTrial, FrozenTrial, TrialState

from data.drawings import Drawings
from data.episodes import VALIDATIONS
from data.errors import InputError
from data.splits import Split
from hpo.settings import StudySettings, base_config
from hpo.space import suggest_config
from model.config import Config
from model.state import FitState
from model.train import Validation, fit

# A trial is short so that many can be tried; the winner is worth a longer fit.
EPOCHS_FACTOR = {"episode": 6, "paper": 1}


def choose_trial(study: Study, number: int | None) -> FrozenTrial:
    """Return the trial of that number, or the complete one of the highest value.

    Raises:
        InputError: there is none, or it has not been completed.
    """
    complete = {t.number: t for t in study.get_trials(states=(TrialState.COMPLETE,))}
    if not complete:
        raise InputError(
            f"Study '{study.study_name}' has no complete trial yet. Let run_study.py finish one."
        )
    if number is None:
        return max(complete.values(), key=lambda t: t.value or 0.0)
    if number not in complete:
        raise InputError(
            f"--trial must be a complete trial of study '{study.study_name}', but {number} is none."
            f" Choose one of {', '.join(map(str, sorted(complete)))}."
        )
    return complete[number]


def retrain_config(settings: StudySettings, trial: FrozenTrial, max_epochs: int | None) -> Config:
    """Return the trial's configuration, rebuilt by the search's own function, with a longer fit."""
    config = suggest_config(FixedTrial(trial.params), base_config(settings), settings.search)
    epochs = max_epochs or settings.max_epochs * EPOCHS_FACTOR[settings.recipe]
    return replace(config, fit=replace(config.fit, max_epochs=epochs))


@dataclass(frozen=True)
class Refit:
    """One seed's fit: the trained state and its wall time in seconds."""

    seed: int
    state: FitState
    seconds: float


@dataclass(frozen=True)
class RefitPlan:
    """What is refitted, on what, where.

    Args:
        config: of every fit.
        seeds: one fit each.
        train: its drawings.
        split: for the validation; None of it is used where ``choose_epoch`` is False.
        choose_epoch: whether validation chooses the epoch (not where it is trained on).
        settings: of the study, for its validation episodes.
        device: where to compute.
        precision: ``"float32"`` or ``"bfloat16"``.
        folder: for the checkpoints of fits under way.
    """

    config: Config
    seeds: list[int]
    train: Drawings
    split: Split
    choose_epoch: bool
    settings: StudySettings
    device: torch.device
    precision: str
    folder: Path


def checkpoint_path(folder: Path, seed: int) -> Path:
    """Return where the fit of a seed that is under way is kept."""
    return folder / f"seed-{seed}.fit.pt"


def refits(plan: RefitPlan) -> Iterator[Refit]:
    """Yield one finished fit per seed; a fit that was killed goes on where it was.

    Raises:
        InputError: a fit died, or its checkpoint is torn or of another configuration.
    """
    episodes = VALIDATIONS[plan.settings.validation](plan.split.val)
    validation = Validation(plan.split.val.to(plan.device), episodes)
    for seed in plan.seeds:
        state = FitState(plan.config, seed, plan.device, plan.precision)
        started, path = time.monotonic(), checkpoint_path(plan.folder, seed)
        chosen_by = validation if plan.choose_epoch else None
        for result in fit(state, plan.train, chosen_by, checkpoint_path=path):
            if sys.stderr.isatty():
                end = "\n" if result.stopped else "\r"
                shown = (
                    "" if math.isnan(result.accuracy) else f" · {result.accuracy:.1%} validation"
                )
                line = f"seed {seed} epoch {result.epoch}/{plan.config.fit.max_epochs}"
                print(f"{line} · loss {result.loss:.3f}{shown}   ", end=end, file=sys.stderr)
        if state.history[-1].died:
            raise InputError(
                f"The fit of seed {seed} died: {state.history[-1].stopped}. Choose another --trial."
            )
        yield Refit(
            seed, state, sum(r.seconds for r in state.history) or time.monotonic() - started
        )


def fit_facts(refit: Refit) -> dict[str, Any]:
    """Return how one fit went, as JSON values."""
    best = refit.state.best
    assert best is not None
    return {
        "seed": refit.seed,
        "epochs": refit.state.history[-1].epoch,
        "best_epoch": best.epoch,
        "stopped": refit.state.history[-1].stopped,
        "n_images": refit.state.n_images,
        "fit_seconds": round(refit.seconds, 1),
    }
