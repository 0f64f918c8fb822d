"""One trial: parameters in, best validation one-shot accuracy out.

It is handed training and validation drawings alone, so it cannot reach the test alphabets.
"""

from collections.abc import Callable
from dataclasses import dataclass

import optuna

from data.drawings import Drawings
from hpo.owner import claim, put_back
from hpo.settings import StudySettings, base_config
from hpo.space import suggest_config
from model.device import Machine
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
        machine: where to compute, and how.
        on_epoch: called with the trial's number and each result.
    """

    settings: StudySettings
    train: Drawings
    validation: Validation
    machine: Machine
    on_epoch: OnEpoch

    def __call__(self, trial: optuna.Trial) -> float:
        """Return the highest accuracy over the epochs; 1/20 for a fit that died.

        A dead fit completes at chance level, so that every sampler learns to stay away from it.

        Raises:
            optuna.TrialPruned: the pruner found the trial hopeless.

        Source: Koch 2015 §3.2 "Hyperparameter optimization": the best epoch counts.
        """
        try:
            claim(trial)
            return self._run(trial)
        except KeyboardInterrupt:
            put_back(trial.study, trial.number)
            raise

    def _run(self, trial: optuna.Trial) -> float:
        config = suggest_config(trial, base_config(self.settings), self.settings.search)
        state = FitState(config, self.settings.seed, self.machine)
        for result in fit(state, self.train, self.validation):
            trial.report(result.accuracy, step=result.epoch)
            self.on_epoch(trial.number, result)
            if not result.stopped and trial.should_prune():
                record(trial, state)
                raise optuna.TrialPruned
        record(trial, state)
        best = state.best
        assert best is not None
        return CHANCE if state.history[-1].died else best.accuracy


def record(trial: optuna.Trial, state: FitState) -> None:
    """Write down what the trial cost, how it ended and which configuration it stood for."""
    facts = state.facts() | {"config": state.config.to_dict()}
    for name, value in facts.items():
        trial.set_user_attr(name, value)
