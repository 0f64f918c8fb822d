"""The objective: train the network of a trial and return its best one-shot validation accuracy.

:meth:`Objective.train_network` reports the accuracy of every epoch and asks the pruner whether to
stop the trial. The workers load the whole data set, but pass only the training and validation
drawings to the objective, so that it cannot reach the test alphabets. :mod:`hpo.refit.plan` is the
first module that uses the test alphabets.
"""

import warnings
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import optuna

from data.drawings import Drawings
from data.errors import InputError
from hpo.search.configuration import trial_config
from hpo.search.networks import save_trial_network
from hpo.search.trial_files import TrialFiles
from hpo.search.trial_images import attach_images, trial_images
from hpo.settings.study_settings import StudySettings
from hpo.study.goals import has_one_goal
from hpo.study.optuna_internals import report_accuracy
from hpo.study.trials import position_in_study
from model.config import Config
from model.device import ComputeConfig
from model.fit_state import EpochResult, FitState
from model.seeds import derive_seed
from model.start_weights import StartWeights
from model.tensorboard_log import log_epochs
from model.train import Validation, data_identity, fit

EpochCallback = Callable[[optuna.Trial, EpochResult], None]


@dataclass(frozen=True)
class Objective:
    """Trains the network of a trial and evaluates it on the validation episodes after every epoch.

    Args:
        settings: settings of the study.
        train: training drawings.
        validation: validation drawings and the fixed episodes of the study.
        compute: device and precision.
        files: files of the trials.
        on_epoch: called after every epoch with the trial and its result; or None.
        start: weights from which every fit starts; None for random weights.
    """

    settings: StudySettings
    train: Drawings
    validation: Validation
    compute: ComputeConfig
    files: TrialFiles
    on_epoch: EpochCallback | None = None
    start: StartWeights | None = None

    def __call__(self, trial: optuna.Trial) -> float | tuple[float, float]:
        """Return the highest validation accuracy of all epochs, in [0, 1].

        With two goals, also return the floating-point operations of one embedding. If the fit
        diverged, the accuracy is chance: the trial is complete, so that every sampler learns to
        avoid its parameters.

        Raises:
            optuna.TrialPruned: the pruner stopped the trial.

        Source: Koch 2015 §3.2 "Hyperparameter optimization": the best epoch determines the value.
        """
        path = self.files.checkpoint(trial)
        config = trial_config(trial, self.settings, self.compute)
        state, pruned = self.train_network(trial, config, self.seed_of(trial), path)
        best = state.best
        assert best is not None
        value = self.validation.chance if state.history[-1].diverged else best.accuracy
        if not pruned and self.files.needs_network(trial, value):
            file, net, number = self.files.network(trial.number), state.best_net(), trial.number
            save_trial_network(file, net, state, self.train, self.settings, trial=number)
        if self.files.artifacts:
            images = trial_images(state, self.validation, pruned=pruned)
            attach_images(trial, images, self.files.artifacts)
        if pruned:
            raise optuna.TrialPruned
        return value if self.settings.has_one_goal else (value, float(state.net.flops))

    def train_network(
        self, trial: optuna.Trial, config: Config, seed: int, path: Path
    ) -> tuple[FitState, bool]:
        """Train until the fit ends or the pruner stops it.

        Args:
            trial: trial to which accuracies and cost are reported.
            config: configuration of network and fit.
            seed: seed of the fit.
            path: file of the checkpoint; if it exists, the fit is resumed from it.

        Returns:
            The fit, and whether the pruner stopped it. At epochs before the last one of the
            checkpoint, the pruner has already let the trial continue.
        """
        state = self._resume_or_start(config, seed, path)
        n_stored = len(state.history)
        pruned, has_pruner = False, has_one_goal(trial.study)  # Optuna prunes no trial of two goals
        epochs = fit(
            state,
            self.train,
            self.validation,
            checkpoint_path=path,
            checkpoint_interval=self.files.checkpoint_interval,
        )
        for result in log_epochs(epochs, self.files.tensorboard_folder(trial)):
            report_accuracy(trial, result.accuracy, result.epoch)
            if self.on_epoch:
                self.on_epoch(trial, result)
            is_behind = has_pruner and not result.stopped and self._should_prune(trial)
            if pruned := is_behind and result.epoch >= n_stored:
                break
        record_fit(trial, state)
        return state, pruned

    def seed_of(self, trial: optuna.Trial) -> int:
        """Return the seed of the fit of a trial; a retry has that of its original trial."""
        if self.settings.trial_seeds == "shared":
            return self.settings.seed
        return derive_seed(self.settings.seed, self._position(trial))

    def _should_prune(self, trial: optuna.Trial) -> bool:
        """Return whether a trial ends now. The default never does: the others must beat it."""
        is_behind = trial.should_prune()  # also asked for the default, to compare later trials
        return is_behind and self._position(trial) > 0

    @staticmethod
    def _position(trial: optuna.Trial) -> int:
        return position_in_study(trial.study.get_trials(deepcopy=False), trial.number)

    def _resume_or_start(self, config: Config, seed: int, path: Path) -> FitState:
        """Return the fit of the checkpoint, or a new fit if there is no usable checkpoint."""
        state = FitState(config, seed, self.compute, start=self.start)
        state.data = data_identity(self.train, self.validation)
        if path.exists():
            try:
                state.load(path)
            except InputError as error:
                if isinstance(error.__cause__, OSError):
                    raise  # the file may be readable later
                path.unlink()
                warnings.warn(
                    f"Checkpoint {path} is not usable and was deleted; the trial starts over.",
                    stacklevel=2,
                )
                return FitState(config, seed, self.compute, start=self.start)
        return state


def record_fit(trial: optuna.Trial, state: FitState) -> None:
    """Store in a trial what its fit cost, how it ended, and the digest of its configuration.

    The digest shows whether a later version builds the same configuration from the parameters.
    """
    attributes = state.metadata() | {"config_digest": state.config.digest}
    for name, value in attributes.items():
        trial.set_user_attr(name, value)
