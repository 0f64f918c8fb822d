"""The configuration of a running trial, and the settings that rebuild that of a stored one.

The cost of a network of the user's own is measured. The number of steps that follows from it is
stored in the trial, so that a resumed trial, a retry and a refit use the same number.
"""

from dataclasses import replace

import optuna
from optuna.trial import FrozenTrial

from hpo.settings.base_config import base_config
from hpo.settings.study_settings import StudySettings
from hpo.space.configuration import with_relative_cost
from hpo.space.distributions import suggest_config
from hpo.study.trials import STEPS
from model.config import Config
from model.device import ComputeConfig
from model.step_cost import relative_step_cost


def trial_config(trial: optuna.Trial, settings: StudySettings, compute: ComputeConfig) -> Config:
    """Return the configuration of a running trial.

    Args:
        trial: suggests the searched parameters; stores the number of steps if it was measured.
        settings: settings of the study.
        compute: device and precision, with which the cost of a network is measured.
    """
    base = base_config(settings)
    config = suggest_config(trial, base, settings.space)
    if settings.network is None or settings.recipe != "episode" or not settings.space.changes_cost:
        return config
    if STEPS not in trial.user_attrs:
        trial.set_user_attr(STEPS, _measured_steps(config, base, compute))
    return replace(config, fit=replace(config.fit, steps_per_epoch=trial.user_attrs[STEPS]))


def _measured_steps(config: Config, base: Config, compute: ComputeConfig) -> int:
    """Return the steps per epoch that take as long as those of the base configuration."""
    if config.model == base.model and _batch(config) == _batch(base):
        return base.fit.steps_per_epoch
    relative_cost = relative_step_cost(config, base, compute)
    return with_relative_cost(config, relative_cost).fit.steps_per_epoch


def _batch(config: Config) -> tuple[int, int]:
    return config.fit.n_characters, config.fit.n_drawings


def settings_of_trial(settings: StudySettings, trial: FrozenTrial) -> StudySettings:
    """Return settings that rebuild the configuration of a trial: with its number of steps.

    Args:
        settings: settings of the study.
        trial: a trial of the study.
    """
    if settings.network is None or STEPS not in trial.user_attrs:
        return settings
    return replace(settings, steps_per_epoch=trial.user_attrs[STEPS])
