"""The phases of a study: the search, the fits of the finalists, and further fits of the winner."""

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
from hpo.study.budget import (
    N_TRIALS,
    Budget,
    count_finished,
    count_started,
    count_stop_requests,
)
from hpo.study.open import IDENTITY
from hpo.study.settings import RunConfig, StudySettings, base_config, version_note
from hpo.study.storage import open_storage, storage_errors
from model.config import REFERENCE_COST, Config, StepCost
from model.device import choose_compute
from model.schema import upgrade
from model.step_cost import measure_step_cost

SIZES = {"filters", "kernels", "units"}  # groups of parameters that change the cost of a step

MAX_PROBE_SIZE = 52  # pixels; larger images take longer to measure, and their costs are similar


def run_study(
    run: RunConfig, launcher: Launcher, observers: Sequence[ObserverFactory] = ()
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
    optuna.logging.set_verbosity(optuna.logging.ERROR)  # Progress prints the trials instead
    with storage_errors(run.storage):
        run = _with_measured_cost(run)
        # One process creates tables and study; the workers only load them.
        storage, study, parts, _ = open_run(run)
        run = _with_stored_cost(run, study)
        run = replace(run, budget=replace(run.budget, stop_requests=count_stop_requests(study)))
        study.set_user_attr(N_TRIALS, run.budget.n_trials)
        if note := version_note(study.user_attrs[IDENTITY]):
            print(f"note     {note}", flush=True)
        progress = Progress(
            study,
            run.budget.n_trials,
            run.settings.max_epochs,
            next_phase=describe_finalists(run, evaluate_winner=parts.held_out is not None),
        )
        supervise(run, "search", run.budget, launcher, progress, observers=observers)
        if is_search_over(study, run.budget):
            n_finalists = affordable_finalists(study, run)
            run = replace(run, n_finalists=n_finalists)
            _fit_finalists(run, storage, study, launcher, observers)
            if parts.held_out is not None:
                _fit_winner(run, storage, study, launcher, observers)
        return study


def _with_measured_cost(run: RunConfig) -> RunConfig:
    """Return a run with measured costs of a step, if its study does not exist and needs them."""
    settings = run.settings
    if not run.measure_cost or settings.recipe != "episode" or SIZES.isdisjoint(settings.search):
        return run
    with closing(open_storage(run.storage)) as storage:
        if run.study_name in optuna.get_all_study_names(storage):
            return run
    size = min(settings.image_size, MAX_PROBE_SIZE)
    base = base_config(replace(settings, image_size=size))
    cost = measure_in_process(base, run.device, run.precision)
    print(f"steps    measured for this machine; --step-cost {cost} repeats the study", flush=True)
    return replace(run, settings=replace(settings, step_cost=cost))


def _with_stored_cost(run: RunConfig, study: Study) -> RunConfig:
    """Return a run with the step costs of its study, which may have been measured elsewhere.

    Raises:
        InputError: other costs were requested.
    """
    identity = upgrade("identity", study.user_attrs[IDENTITY])
    stored = StudySettings.from_dict(identity["settings"]).step_cost
    if stored != run.settings.step_cost and not run.measure_cost:
        raise InputError(
            f"--step-cost of study '{study.study_name}' must be {stored}, but is "
            f"{run.settings.step_cost}. Remove --step-cost, or choose another --study-name."
        )
    return replace(run, settings=replace(run.settings, step_cost=stored), measure_cost=False)


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
    return count_finished(study) >= budget.n_trials or (is_idle and budget.is_time_spent(study))


def affordable_finalists(study: Study, run: RunConfig) -> int:
    """Return how many finalists the time budget allows, with the further fits of the winner."""
    if run.budget.seconds is None:
        return run.n_finalists
    n = run.budget.affordable_fits(study) // run.n_finalist_seeds - 1
    return min(run.n_finalists, max(n, 0))


def _fit_finalists(
    run: RunConfig,
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
    run: RunConfig,
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
    run: RunConfig,
    phase: str,
    search_study: Study,
    study: Study,
    n_fits: int,
    launcher: Launcher,
    observers: Sequence[ObserverFactory],
) -> bool:
    """Run the fits of finalists; return whether all of them have finished."""
    budget = Budget(n_fits, None, run.budget.stop_requests)
    label = partial(finalist_label, word="winner" if phase == "winner" else "final")
    progress = Progress(study, n_fits, run.settings.max_epochs, label)
    supervise(run, phase, budget, launcher, progress, search_study, observers)
    return count_finished(study) >= n_fits


def describe_finalists(run: RunConfig, *, evaluate_winner: bool) -> str:
    """Return how many fits follow the search, as text; empty if there are fewer than two finalists.

    Args:
        run: configuration of the run.
        evaluate_winner: whether the winner is fitted with further seeds.
    """
    n = min(run.n_finalists, run.budget.n_trials)
    return f"{(n + evaluate_winner) * run.n_finalist_seeds} fits of finalists" if n > 1 else ""
