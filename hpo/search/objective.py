"""One trial: parameters in, best validation one-shot accuracy out.

It is handed training and validation drawings alone, so it cannot reach the test alphabets.
"""

import warnings
from dataclasses import dataclass
from pathlib import Path

import optuna

from data.drawings import Drawings
from data.errors import InputError
from hpo.search.trial_files import TrialFiles, attach_images, trial_images
from hpo.space.configuration import suggest_config
from hpo.study.settings import StudySettings, base_config
from model.checkpoint import save_network
from model.config import Config
from model.device import ComputeConfig
from model.fit_state import FitState
from model.tensorboard_log import log_epochs
from model.train import Validation, data_identity, fit


@dataclass(frozen=True)
class Objective:
    """Trains one trial's network and reports its validation accuracy after every epoch.

    Args:
        settings: of the study.
        train: training drawings.
        validation: the study's fixed episodes.
        compute: where to compute, and how.
        files: what is kept of the trials.
    """

    settings: StudySettings
    train: Drawings
    validation: Validation
    compute: ComputeConfig
    files: TrialFiles

    def __call__(self, trial: optuna.Trial) -> float:
        """Return the highest accuracy over the epochs; chance for a fit that died.

        A dead fit completes at chance level, so that every sampler learns to stay away from it.

        Raises:
            optuna.TrialPruned: the pruner found the trial hopeless.

        Source: Koch 2015 §3.2 "Hyperparameter optimization": the best epoch counts.
        """
        path = self.files.checkpoint(trial)
        config = suggest_config(trial, base_config(self.settings), self.settings.search)
        state, pruned = self.train_network(trial, config, self.settings.seed, path)
        best = state.best
        assert best is not None
        value = self.validation.chance if state.history[-1].diverged else best.accuracy
        if not pruned and self.files.is_among_best(trial.study, value):
            facts = state.facts() | {"trial": trial.number, "train_on": "train"}
            facts |= {"data": self.train.name, "data_digest": self.train.digest}
            save_network(self.files.network(trial.number), state.best_net(), config, facts)
        if self.files.artifacts:
            images = trial_images(state, self.validation, pruned=pruned)
            attach_images(trial, images, self.files.artifacts)
        if pruned:
            raise optuna.TrialPruned
        return value

    def train_network(
        self, trial: optuna.Trial, config: Config, seed: int, path: Path
    ) -> tuple[FitState, bool]:
        """Fit until the end or until the pruner says so; return the fit, and whether it did.

        Args:
            trial: is told each epoch's accuracy, and in the end what the fit cost.
            config: what to fit.
            seed: of the fit.
            path: of the checkpoint; the fit goes on from there if there is one.
        """
        state = self._restored(config, seed, path)
        pruned = False
        epochs = fit(
            state,
            self.train,
            self.validation,
            checkpoint_path=path,
            checkpoint_interval=self.files.seconds,
        )
        for result in log_epochs(epochs, self.files.tensorboard_folder(trial)):
            trial.report(result.accuracy, step=result.epoch)
            if pruned := not result.stopped and trial.should_prune():
                break
        record(trial, state)
        return state, pruned

    def _restored(self, config: Config, seed: int, path: Path) -> FitState:
        """Return a new fit; a checkpoint from which it could not go on is deleted."""
        state = FitState(config, seed, self.compute)
        state.data = data_identity(self.train, self.validation)
        if path.exists():
            try:
                state.load(path)
            except InputError as error:
                warnings.warn(f"{error} The trial starts over.", stacklevel=2)
                path.unlink()
                return FitState(config, seed, self.compute)
        return state


def record(trial: optuna.Trial, state: FitState) -> None:
    """Write down what the trial cost, how it ended and which configuration it stood for.

    The parameters say the configuration in full; its digest proves that they were read alike.
    """
    facts = state.facts() | {"config_digest": state.config.digest}
    for name, value in facts.items():
        trial.set_user_attr(name, value)
