"""One trial: parameters in, best validation one-shot accuracy out.

It is handed training and validation drawings alone, so it cannot reach the test alphabets.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import optuna
import torch

from data.drawings import Drawings
from hpo.owner import claim, put_back
from hpo.settings import StudySettings, base_config
from hpo.space import suggest_config
from model.state import EpochResult, FitState
from model.train import CHANCE, Validation, fit

OnEpoch = Callable[[int, EpochResult], None]


@dataclass(frozen=True)
class Objective:
    """Trains one trial's network and reports its validation accuracy after every epoch.

    Args:
        settings: of the study.
        train: training drawings.
        validation: the study's fixed episodes.
        device: where to compute.
        precision: ``"float32"`` or ``"bfloat16"``.
        on_epoch: called with the trial's number and each result.
    """

    settings: StudySettings
    train: Drawings
    validation: Validation
    device: torch.device
    precision: str
    on_epoch: OnEpoch

    def __call__(self, trial: optuna.Trial) -> float:
        """Return the highest accuracy over the epochs; 1/20 for a fit that died.

        A dead fit completes at chance level, so that every sampler learns to stay away from it.

        Raises:
            optuna.TrialPruned: the pruner found the trial hopeless.

        Source: Koch 2015 §3.2 "Hyperparameter optimization": the best epoch counts.
        """
        claim(trial)
        config = suggest_config(trial, base_config(self.settings), self.settings.search)
        state = FitState(config, self.settings.seed, self.device, self.precision)
        try:
            for result in fit(state, self.train, self.validation):
                trial.report(result.accuracy, step=result.epoch)
                self.on_epoch(trial.number, result)
                if not result.stopped and trial.should_prune():
                    record(trial, state, "pruned")
                    raise optuna.TrialPruned
        except KeyboardInterrupt:
            put_back(trial.study, trial.number, trial.params)
            raise
        record(trial, state, state.history[-1].stopped)
        best = state.best
        return CHANCE if best is None or state.history[-1].died else best.accuracy


def record(trial: optuna.Trial, state: FitState, ended: str | None) -> None:
    """Write down what the trial cost, how it ended and which configuration it stood for."""
    last, best = state.history[-1], state.best
    facts: dict[str, Any] = {
        "ended": ended,
        "died": ended if last.died else None,
        "epochs": last.epoch,
        "best_epoch": best.epoch if best else None,
        "n_images": last.n_images,
        "seconds": round(sum(result.seconds for result in state.history), 3),
        "n_parameters": sum(p.numel() for p in state.net.parameters()),
        "flops_per_image": state.config.model.flops,
        "device": f"{state.device.type} {state.precision}",
        "config": state.config.to_dict(),
    }
    for name, value in facts.items():
        trial.set_user_attr(name, value)
