"""The phases of a study: the search, the fits of the finalists, and further fits of the winner."""

import logging
from collections.abc import Sequence
from dataclasses import replace
from functools import partial

import optuna
from optuna.storages import RDBStorage
from optuna.study import Study

from data.splits import Split
from hpo.runtime.launcher import Launcher
from hpo.runtime.plan_log import describe_finalists, log_plan
from hpo.runtime.progress import Progress, finalist_label
from hpo.runtime.start import StudyStart, begin_study, choose_generation
from hpo.runtime.step_costs import (
    store_epoch_seconds,
    with_length,
    with_measured_cost,
    with_stored_cost,
)
from hpo.runtime.supervisor import ObserverFactory, supervise
from hpo.runtime.worker_phases import open_run
from hpo.search.choice import record_winner, record_winner_without_fits
from hpo.search.finalists import choose_finalists, finalist_fits, open_finalists
from hpo.search.kept_networks import delete_former_networks
from hpo.search.trial_files import trial_files
from hpo.search.winner import record_winner_accuracy, winner_fits
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
from hpo.study.identity import version_note
from hpo.study.leaks import require_unseen
from hpo.study.open import IDENTITY
from hpo.study.plan import EPOCH_SECONDS
from hpo.study.storage import storage_errors
from model.own_module import check_network
from model.own_network import OwnConfig
from model.start_weights import keep_copy

logger = logging.getLogger(__name__)


def run_phases(
    run: StudyConfig,
    launcher: Launcher,
    observers: Sequence[ObserverFactory] = (),
    *,
    start: StudyStart | None = None,
) -> Study:
    """Search until the budget is spent; then, unless a stop was requested, fit the finalists.

    A study of two goals has no finalists.

    Args:
        run: configuration of the run.
        launcher: starts the workers.
        observers: functions that return an observer for the study of each phase.
        start: what the study begins with.

    Raises:
        InputError: data, storage, device, study or disk cannot be used.
        WorkerError: several trials in a row failed with an unexpected exception.
    """
    if isinstance(network := base_config(run.settings).model, OwnConfig):
        check_network(network)
    optuna.logging.set_verbosity(optuna.logging.ERROR)  # Progress prints the trials instead
    with storage_errors(run.storage):
        start = start or StudyStart()
        run, previous = choose_generation(run) if start.widen else (run, None)
        requested_cost, run = run.step_cost, with_measured_cost(run, launcher)
        run, epoch_seconds = with_length(run, launcher)
        # One process creates tables and study; the workers only load them.
        storage, study, parts, _ = open_run(run)
        prepare_start(run, study, parts)
        run = with_stored_cost(run, study, requested_cost)
        run = replace(run, stop_requests=count_stop_requests(study))
        store_epoch_seconds(run, study, launcher, epoch_seconds)
        budget = study_budget(run, study)
        log_plan(run, budget, study.user_attrs.get(EPOCH_SECONDS))
        run = replace(run, n_trials=budget.n_trials)
        study.set_user_attr(N_TRIALS, run.n_trials)
        begin_study(run, storage, study, start, previous)
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
            study.set_user_attr(N_TRIALS, count_finished(study))  # fewer than planned, perhaps
            if run.has_one_goal:
                is_affordable = budget.affordable_fits(study) >= run.n_finalist_seeds
                evaluate_winner = parts.held_out is not None and is_affordable
                _make_further_fits(run, storage, study, launcher, observers, evaluate_winner)
        return study


def _make_further_fits(
    run: StudyConfig,
    storage: RDBStorage,
    study: Study,
    launcher: Launcher,
    observers: Sequence[ObserverFactory],
    evaluate_winner: bool,
) -> None:
    """Fit the finalists of a finished study, then its winner with further seeds if wanted."""
    finalists = _fit_finalists(run, storage, study, launcher, observers)
    winner = _fit_winner(run, storage, study, launcher, observers) if evaluate_winner else None
    if finalists:
        current = [finalists, winner] if winner else [finalists]
        delete_former_networks(storage, study, current, run.var)


def prepare_start(run: StudyConfig, study: Study, parts: Split) -> None:
    """Copy the network from which the fits start into the folder of a study, if there is one.

    What cannot be checked about its training data is logged.

    Raises:
        InputError: the network has seen held-out data, its file has changed meanwhile, or the copy
            cannot be written.
    """
    for note in require_unseen(run.settings, parts):
        logger.info("note     %s", note)
    if run.start_from is not None:
        keep_copy(run.start_from, trial_files(study, run.var).start)


def is_search_over(study: Study, budget: Budget) -> bool:
    """Return whether the finalists may be fitted: no trial runs, and no further one may start."""
    return budget.is_spent(study) and is_idle(study)


def is_idle(study: Study) -> bool:
    """Return whether no process, on any host, runs a trial of a study."""
    return count_started(study) == count_finished(study)


def affordable_finalists(study: Study, run: StudyConfig) -> int:
    """Return how many finalists the time budget allows, with the further fits of the winner."""
    if run.time_budget is None:
        return run.n_finalists
    n = study_budget(run, study).affordable_fits(study) // run.n_finalist_seeds - 1
    return min(run.n_finalists, max(n, 0))


def _fit_finalists(
    run: StudyConfig,
    storage: RDBStorage,
    study: Study,
    launcher: Launcher,
    observers: Sequence[ObserverFactory],
) -> Study | None:
    """Fit the finalists of a finished study, and record the winner.

    If there are fewer than two finalists, :mod:`hpo.search.choice` needs no further fit.

    Returns:
        The study of their fits; None without fits, or if some of them are left.
    """
    if run.n_finalists > 1 and len(choose_finalists(study, run.n_finalists)) < 2:
        record_winner_without_fits(study)
        return None
    n_finalists = affordable_finalists(study, run)
    fits = finalist_fits(study, n_finalists, run.n_finalist_seeds, run.settings)
    finalists = open_finalists(storage, study, fits) if fits else None
    run = replace(run, n_finalists=n_finalists)  # the workers choose the same finalists
    if finalists and _run_fits(run, "finalists", study, finalists, len(fits), launcher, observers):
        record_winner(study, finalists, run.n_finalist_seeds)
        return finalists
    return None


def _fit_winner(
    run: StudyConfig,
    storage: RDBStorage,
    study: Study,
    launcher: Launcher,
    observers: Sequence[ObserverFactory],
) -> Study | None:
    """Fit the winner with further seeds, and record its unbiased accuracy.

    Returns:
        The study of these fits; None without a winner.
    """
    fits = winner_fits(study, run.n_finalist_seeds, run.settings.seed)
    winner = open_finalists(storage, study, fits, "winner") if fits else None
    if winner and _run_fits(run, "winner", study, winner, len(fits), launcher, observers):
        record_winner_accuracy(study, winner)
    return winner


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
    return count_finished(study) >= n_fits and is_idle(study)
