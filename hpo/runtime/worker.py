"""One training process: it takes trials of a study until the study's budget is spent."""

import traceback
from collections.abc import Callable
from dataclasses import replace
from typing import NamedTuple

import optuna
import torch
from optuna.exceptions import StorageInternalError
from optuna.storages import RDBStorage
from optuna.study import Study

from data import cache
from data.episodes import VALIDATION_EPISODES, Episodes
from data.errors import InputError
from data.load import load_dataset
from data.splits import Split, split_dataset
from hpo.runtime.requeue import (
    TrialObjective,
    requeue,
    requeue_orphans,
    run_one_trial,
    was_requeued,
)
from hpo.search.finalists import FinalistObjective, finalist_fits, fresh_episodes, open_finalists
from hpo.search.objective import Objective
from hpo.search.trial_files import TrialFiles, trial_files
from hpo.study.budget import Budget
from hpo.study.open import N_EPISODES, open_study
from hpo.study.settings import RunConfig, study_identity
from hpo.study.storage import is_interrupt, open_storage, storage_errors
from model.device import choose_compute
from model.provenance import provenance
from model.train import Validation

MAX_BUGS = 3


class WorkerPhase(NamedTuple):
    """What a worker does: trials of a study, until a budget is spent or the search's is stopped."""

    storage: RDBStorage
    study: Study
    search: Study
    goal: TrialObjective
    budget: Budget
    files: TrialFiles


def open_run(run: RunConfig) -> tuple[RDBStorage, Study, Split, Episodes]:
    """Return storage, study, drawings and the study's episodes; the study is made if need be.

    Raises:
        InputError: data, storage or study are not what they should be.
    """
    settings = run.settings
    packed = cache.load_packed(run.packed) if run.packed else None
    parts = split_dataset(packed or load_dataset(settings.data, run.data_root, settings.image_size))
    episodes = VALIDATION_EPISODES[run.settings.validation](parts.val)
    storage = open_storage(
        run.storage,
        heartbeat=run.heartbeat,
        on_stale_trial=lambda study, trial: requeue(study, trial.number, run.max_retries),
    )
    ours = study_identity(run.settings, parts.train, parts.val, episodes)
    return (
        storage,
        open_study(storage, run.study_name, run.settings, ours),
        parts,
        episodes,
    )


def search_phase(run: RunConfig, index: int = 0) -> WorkerPhase:
    """Return the study's own trials.

    Args:
        run: what was asked for.
        index: of the worker; several GPUs are given out in turn.

    Raises:
        InputError: data, storage, device or study are not what they should be.
    """
    compute = choose_compute(worker_device(run.device, index), run.precision)
    storage, study, parts, episodes = open_run(run)
    study.set_user_attr("provenance", provenance(compute))
    study.set_user_attr(N_EPISODES, len(episodes))
    seconds, n_best, courses = (
        run.checkpoint_interval,
        run.n_finalists,
        run.tensorboard,
    )
    files = trial_files(study, run.var, seconds, n_best, courses)
    objective = Objective(
        settings=run.settings,
        train=parts.train.to(compute.device),
        validation=Validation(parts.val.to(compute.device), episodes),
        compute=compute,
        files=files,
    )
    return WorkerPhase(storage, study, study, objective, run.budget, files)


def finalist_phase(run: RunConfig, index: int = 0) -> WorkerPhase:
    """Return the finalists' fits; the study has ended."""
    storage, study, _, goal, budget, _ = search_phase(run, index)
    assert isinstance(goal, Objective)
    fits = open_finalists(storage, study, run)
    files = trial_files(fits, run.var, run.checkpoint_interval, 0, run.tensorboard)
    fresh = fresh_episodes(run.settings, goal.validation.drawings)
    n_fits = len(finalist_fits(study, run))
    again = FinalistObjective(replace(goal, files=files), study, fresh, n_fits)
    budget = Budget(n_fits, None, budget.stop_requests)
    return WorkerPhase(storage, fits, study, again, budget, files)


PHASES: dict[str, Callable[[RunConfig, int], WorkerPhase]] = {
    "search": search_phase,
    "finalists": finalist_phase,
}


def worker_device(device: str, index: int) -> str:
    """Return the device of a worker: with several GPUs, each worker has the next."""
    n_gpus = torch.cuda.device_count() if device in ("auto", "cuda") else 0
    return f"cuda:{index % n_gpus}" if n_gpus > 1 else device


def run_worker(run: RunConfig, phase: str, index: int = 0) -> None:
    """Take trials until the phase's budget is spent.

    Raises:
        InputError: the storage failed, or the disk is full.
        Exception: a bug of ours struck in three trials in a row.
    """
    optuna.logging.set_verbosity(optuna.logging.ERROR)  # Ctrl-C is no news worth a traceback
    bugs = 0
    with storage_errors(run.storage):
        todo = PHASES[phase](run, index)
        while True:
            requeue_orphans(todo.study, todo.files.lock, run.max_retries)
            todo.files.delete_obsolete(todo.study)
            if todo.budget.is_exhausted(todo.study, todo.search):
                return
            try:
                run_one_trial(todo.study, todo.goal, todo.files.lock)
                bugs = 0
            except (InputError, StorageInternalError):
                raise
            except Exception as error:
                if is_interrupt(error):
                    raise KeyboardInterrupt from error  # it struck inside Optuna
                if was_requeued(todo.study):  # we were asleep, and taken for dead
                    continue
                bugs += 1
                if bugs >= MAX_BUGS:
                    raise
                traceback.print_exc()
