"""The costs of a training step by which a study chooses the number of steps of its trials."""

import logging
import signal
import warnings
from collections.abc import Callable
from concurrent.futures import ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from contextlib import closing, suppress
from dataclasses import replace
from functools import partial
from typing import TypeVar

import optuna
from optuna.study import Study

from data.errors import InputError
from hpo.runtime.in_process import InProcessLauncher
from hpo.runtime.launcher import Launcher
from hpo.runtime.processes import CONTEXT, GROUP_SIGNALS
from hpo.settings.base_config import base_config, typical_config
from hpo.settings.study_settings import StudyConfig
from hpo.study.budget import planned_length
from hpo.study.identity import settings_of
from hpo.study.plan import EPOCH_SECONDS
from hpo.study.storage import open_storage
from model.config import REFERENCE_COST, Config, StepCost
from model.device import ComputeConfig, choose_compute
from model.step_cost import measure_epoch_seconds, measure_step_cost

logger = logging.getLogger(__name__)

T = TypeVar("T")

MAX_PROBE_SIZE = 52  # pixels; larger images take longer to measure, and their costs are similar


def with_measured_cost(run: StudyConfig, launcher: Launcher) -> StudyConfig:
    """Return a run with measured costs of a step, if its study does not exist and needs them."""
    if run.step_cost or run.recipe != "episode" or not run.space.changes_cost or run.network:
        return run
    with closing(open_storage(run.storage)) as storage:
        if run.name in optuna.get_all_study_names(storage):
            return run
    size = min(run.image_size, MAX_PROBE_SIZE)
    base = base_config(replace(run.settings, image_size=size, start_from=None))
    measure = measure_here if isinstance(launcher, InProcessLauncher) else measure_in_new_process
    cost = measure(base, run.device, run.precision)
    logger.info(
        "steps    costs measured on this machine; to repeat this study, add --step-cost %s", cost
    )
    return replace(run, step_cost=cost)


def with_stored_cost(run: StudyConfig, study: Study, requested: StepCost | None) -> StudyConfig:
    """Return a run with the step costs of its study, which may have been measured elsewhere.

    Args:
        run: configuration of the run.
        study: its study.
        requested: costs that the user has asked for, or None.

    Raises:
        InputError: other costs were requested.
    """
    stored = settings_of(study).cost
    if requested not in (None, stored):
        raise InputError(
            f"--step-cost of study '{study.study_name}' must be {stored}, but is "
            f"{requested}. Remove --step-cost, or choose another --study-name."
        )
    return replace(run, step_cost=stored)


def with_length(run: StudyConfig, launcher: Launcher) -> tuple[StudyConfig, float | None]:
    """Return a run that knows how long its fits are.

    If the user has not given ``max_epochs``, a study keeps the length that its time budget has
    chosen. In a new study, the time budget chooses it, unless the number of trials is given.

    Returns:
        The run, and how long an epoch takes if that was measured.

    Raises:
        InputError: an epoch cannot be measured.
    """
    if run.max_epochs is not None:
        return run, None
    if stored := _stored_length(run):
        return replace(run, max_epochs=stored), None
    if run.time_budget is None or run.n_trials is not None:
        return replace(run, max_epochs=run.settings.max_epochs), None
    seconds = measure_epoch(run, launcher)
    # Meanwhile, another process may have created the study.
    length = _stored_length(run) or planned_length(run, seconds)
    return replace(run, max_epochs=length), seconds


def _stored_length(run: StudyConfig) -> int | None:
    """Return the epochs of a fit in the stored study of a run, if it has a time budget."""
    with closing(open_storage(run.storage)) as storage, suppress(KeyError):  # not stored yet
        study = optuna.load_study(study_name=run.name, storage=storage)
        if run.time_budget is not None or EPOCH_SECONDS in study.user_attrs:
            return settings_of(study).max_epochs
    return None


def store_epoch_seconds(
    run: StudyConfig, study: Study, launcher: Launcher, seconds: float | None
) -> None:
    """Store in a study how long an epoch takes, if it has a time budget and has not stored it.

    Args:
        run: configuration of the run.
        study: its study.
        launcher: starts the workers.
        seconds: how long an epoch takes; None to measure it.

    Raises:
        InputError: an epoch cannot be measured.
    """
    if run.time_budget is not None and EPOCH_SECONDS not in study.user_attrs:
        study.set_user_attr(EPOCH_SECONDS, seconds or measure_epoch(run, launcher))


def measure_epoch(run: StudyConfig, launcher: Launcher) -> float:
    """Return how many seconds an epoch of a run takes.

    Raises:
        InputError: the process that measures was killed, probably because memory is short.
    """
    typical = typical_config(run.settings)
    is_local = isinstance(launcher, InProcessLauncher)
    measure = measure_epoch_here if is_local else partial(in_new_process, measure_epoch_here)
    try:
        return measure(typical, run.device, run.precision)
    except BrokenProcessPool as error:
        raise InputError(
            "The process that measures an epoch for --time-budget was killed, probably because "
            "memory is short. Free memory and run the command again, or start another study with "
            "a smaller --image-size."
        ) from error


def measure_in_new_process(base: Config, device: str, precision: str) -> StepCost:
    """Return the costs of a step, or the defaults if they cannot be measured.

    See :func:`in_new_process`.
    """
    try:
        return in_new_process(measure_here, base, device, precision)
    except BrokenProcessPool:
        warnings.warn("The step costs could not be measured; the defaults are used.", stacklevel=2)
        return REFERENCE_COST


def in_new_process(
    measure: Callable[[Config, str, str], T], config: Config, device: str, precision: str
) -> T:
    """Return what a function measures, in a process that then releases its memory and its GPU.

    Args:
        measure: the function.
        config: configuration that is measured.
        device: see :func:`model.device.choose_compute`; another one if it does not exist here.
        precision: see :func:`model.device.choose_compute`.
    """
    with ProcessPoolExecutor(1, CONTEXT, _ignore_signals) as executor:
        return executor.submit(measure, config, device, precision).result()


def _ignore_signals() -> None:
    """Leave the reaction to a signal to the parent process."""
    for number in GROUP_SIGNALS:
        signal.signal(number, signal.SIG_IGN)


def measure_here(base: Config, device: str, precision: str) -> StepCost:
    """Return the costs of a step, measured in this process; see :func:`in_new_process`."""
    return measure_step_cost(base, _compute(device, precision))


def measure_epoch_here(config: Config, device: str, precision: str) -> float:
    """Return the seconds of an epoch, measured in this process; see :func:`in_new_process`."""
    return measure_epoch_seconds(config, _compute(device, precision))


def _compute(device: str, precision: str) -> ComputeConfig:
    try:
        return choose_compute(device, precision)
    except InputError:  # with Ray, only the workers may have it
        return choose_compute("auto", precision)
