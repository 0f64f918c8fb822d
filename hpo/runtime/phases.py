"""The phases of a study: the search, the fits of the finalists, and further fits of the winner."""

import logging
import signal
import warnings
from collections.abc import Sequence
from concurrent.futures import ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from contextlib import closing
from dataclasses import replace
from functools import partial

import optuna
from optuna.storages import RDBStorage
from optuna.study import Study

from data.errors import InputError
from hpo.runtime.launcher import Launcher
from hpo.runtime.processes import CONTEXT, GROUP_SIGNALS
from hpo.runtime.progress import Progress, finalist_label
from hpo.runtime.supervisor import ObserverFactory, supervise
from hpo.runtime.worker import open_run
from hpo.search.finalists import finalist_fits, open_finalists
from hpo.search.winner import record_winner, record_winner_accuracy, winner_fits
from hpo.settings.base_config import base_config
from hpo.settings.study_settings import StudyConfig
from hpo.study.budget import (
    N_TRIALS,
    Budget,
    count_finished,
    count_started,
    count_stop_requests,
    study_budget,
)
from hpo.study.identity import settings_from_dict, version_note
from hpo.study.open import IDENTITY
from hpo.study.storage import open_storage, storage_errors
from model.config import REFERENCE_COST, Config, StepCost
from model.device import choose_compute
from model.own_module import check_network
from model.own_network import OwnConfig
from model.step_cost import measure_step_cost

logger = logging.getLogger(__name__)

MAX_PROBE_SIZE = 52  # pixels; larger images take longer to measure, and their costs are similar


def run_study(
    run: StudyConfig, launcher: Launcher, observers: Sequence[ObserverFactory] = ()
) -> Study:
    """Search until the budget is spent; then, unless a stop was requested, fit the finalists.

    Args:
        run: configuration of the run.
        launcher: starts the workers.
        observers: functions that return an observer for the study of each phase.

    Raises:
        InputError: data, storage, device, study or disk cannot be used.
        WorkerError: several trials in a row failed with an unexpected exception.
    """
    if isinstance(network := base_config(run.settings).model, OwnConfig):
        check_network(network)
    optuna.logging.set_verbosity(optuna.logging.ERROR)  # Progress prints the trials instead
    with storage_errors(run.storage):
        requested_cost, run = run.step_cost, _with_measured_cost(run)
        # One process creates tables and study; the workers only load them.
        storage, study, parts, _ = open_run(run)
        run = _with_stored_cost(run, study, requested_cost)
        run = replace(run, stop_requests=count_stop_requests(study))
        budget = study_budget(run)
        study.set_user_attr(N_TRIALS, run.n_trials)
        if note := version_note(study.user_attrs[IDENTITY]):
            logger.info("note     %s", note)
        progress = Progress(
            study,
            run.n_trials,
            run.max_epochs,
            next_phase=describe_finalists(run, evaluate_winner=parts.held_out is not None),
        )
        supervise(run, "search", budget, launcher, progress, observers=observers)
        if is_search_over(study, budget):
            n_finalists = affordable_finalists(study, run)
            run = replace(run, n_finalists=n_finalists)
            _fit_finalists(run, storage, study, launcher, observers)
            if parts.held_out is not None:
                _fit_winner(run, storage, study, launcher, observers)
        return study


def _with_measured_cost(run: StudyConfig) -> StudyConfig:
    """Return a run with measured costs of a step, if its study does not exist and needs them."""
    if run.step_cost or run.recipe != "episode" or not run.space.changes_cost or run.network:
        return run
    with closing(open_storage(run.storage)) as storage:
        if run.name in optuna.get_all_study_names(storage):
            return run
    size = min(run.image_size, MAX_PROBE_SIZE)
    base = base_config(replace(run.settings, image_size=size))
    cost = measure_in_process(base, run.device, run.precision)
    logger.info("steps    measured for this machine; --step-cost %s repeats the study", cost)
    return replace(run, step_cost=cost)


def _with_stored_cost(run: StudyConfig, study: Study, requested: StepCost | None) -> StudyConfig:
    """Return a run with the step costs of its study, which may have been measured elsewhere.

    Args:
        run: configuration of the run.
        study: its study.
        requested: costs that the user has asked for, or None.

    Raises:
        InputError: other costs were requested.
    """
    stored = settings_from_dict(study.user_attrs[IDENTITY]["settings"]).cost
    if requested not in (None, stored):
        raise InputError(
            f"--step-cost of study '{study.study_name}' must be {stored}, but is "
            f"{requested}. Remove --step-cost, or choose another --study-name."
        )
    return replace(run, step_cost=stored)


def measure_in_process(base: Config, device: str, precision: str) -> StepCost:
    """Return the costs of a step, measured in a process that then releases its memory and its GPU.

    Args:
        base: configuration of the study.
        device: see :func:`model.device.choose_compute`; another one if it does not exist here.
        precision: see :func:`model.device.choose_compute`.
    """
    try:
        with ProcessPoolExecutor(1, CONTEXT, _ignore_signals) as executor:
            return executor.submit(_measure_on, base, device, precision).result()
    except BrokenProcessPool:
        warnings.warn("The step costs could not be measured; the defaults are used.", stacklevel=2)
        return REFERENCE_COST


def _ignore_signals() -> None:
    """Leave the reaction to a signal to the parent process."""
    for number in GROUP_SIGNALS:
        signal.signal(number, signal.SIG_IGN)


def _measure_on(base: Config, device: str, precision: str) -> StepCost:
    try:
        compute = choose_compute(device, precision)
    except InputError:  # with Ray, only the workers may have it
        compute = choose_compute("auto", precision)
    return measure_step_cost(base, compute)


def is_search_over(study: Study, budget: Budget) -> bool:
    """Return whether the finalists may be fitted: no trial runs, and no further one may start."""
    is_idle = count_started(study) == count_finished(study)
    is_spent = budget.is_time_spent(study) or budget.is_stagnant(study)
    return count_finished(study) >= budget.n_trials or (is_idle and is_spent)


def affordable_finalists(study: Study, run: StudyConfig) -> int:
    """Return how many finalists the time budget allows, with the further fits of the winner."""
    if run.time_budget is None:
        return run.n_finalists
    n = study_budget(run).affordable_fits(study) // run.n_finalist_seeds - 1
    return min(run.n_finalists, max(n, 0))


def _fit_finalists(
    run: StudyConfig,
    storage: RDBStorage,
    study: Study,
    launcher: Launcher,
    observers: Sequence[ObserverFactory],
) -> None:
    """Fit the finalists of a finished study, if there are at least two, and record the winner."""
    fits = finalist_fits(study, run.n_finalists, run.n_finalist_seeds, run.settings.seed)
    finalists = open_finalists(storage, study, fits) if fits else None
    if finalists and _run_fits(run, "finalists", study, finalists, len(fits), launcher, observers):
        record_winner(study, finalists, run.n_finalist_seeds)


def _fit_winner(
    run: StudyConfig,
    storage: RDBStorage,
    study: Study,
    launcher: Launcher,
    observers: Sequence[ObserverFactory],
) -> None:
    """Fit the winner, if there is one, with further seeds, and record its unbiased accuracy."""
    fits = winner_fits(study, run.n_finalist_seeds, run.settings.seed)
    winner = open_finalists(storage, study, fits, "winner") if fits else None
    if winner and _run_fits(run, "winner", study, winner, len(fits), launcher, observers):
        record_winner_accuracy(study, winner)


def _run_fits(
    run: StudyConfig,
    phase: str,
    search_study: Study,
    study: Study,
    n_fits: int,
    launcher: Launcher,
    observers: Sequence[ObserverFactory],
) -> bool:
    """Run the fits of finalists; return whether all of them have finished."""
    budget = Budget(n_fits, None, run.stop_requests)
    label = partial(finalist_label, word="winner" if phase == "winner" else "final")
    progress = Progress(study, n_fits, run.max_epochs, label)
    supervise(run, phase, budget, launcher, progress, search_study, observers)
    return count_finished(study) >= n_fits


def describe_finalists(run: StudyConfig, *, evaluate_winner: bool) -> str:
    """Return how many fits follow the search, as text; empty if there are fewer than two finalists.

    Args:
        run: configuration of the run.
        evaluate_winner: whether the winner is fitted with further seeds.
    """
    n = min(run.n_finalists, run.n_trials)
    return f"{(n + evaluate_winner) * run.n_finalist_seeds} fits of finalists" if n > 1 else ""
