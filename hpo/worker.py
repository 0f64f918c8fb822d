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
from hpo.budget import Budget
from hpo.finalists import FinalistObjective, finalist_fits, fresh_episodes, open_finalists
from hpo.interrupts import is_interrupt
from hpo.job import RunConfig
from hpo.keeping import TrialFiles, trial_files
from hpo.objective import Objective
from hpo.retry import TrialObjective, requeue_orphans, run_one_trial, was_requeued
from hpo.settings import study_identity
from hpo.storage import open_storage, storage_errors
from hpo.study import N_EPISODES, open_study
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
    keeping: TrialFiles


def open_run(job: RunConfig) -> tuple[RDBStorage, Study, Split, Episodes]:
    """Return storage, study, drawings and the study's episodes; the study is made if need be.

    Raises:
        InputError: data, storage or study are not what they should be.
    """
    settings = job.settings
    packed = cache.load_packed(job.packed) if job.packed else None
    parts = split_dataset(packed or load_dataset(settings.data, job.data_root, settings.image_size))
    episodes = VALIDATION_EPISODES[job.settings.validation](parts.val)
    storage = open_storage(job.storage, heartbeat=job.heartbeat, max_retries=job.max_retries)
    ours = study_identity(job.settings, parts.train, parts.val, episodes)
    return storage, open_study(storage, job.study_name, job.settings, ours), parts, episodes


def search_phase(job: RunConfig, index: int = 0) -> WorkerPhase:
    """Return the study's own trials.

    Args:
        job: what was asked for.
        index: of the worker; several GPUs are given out in turn.

    Raises:
        InputError: data, storage, device or study are not what they should be.
    """
    machine = choose_compute(worker_device(job.device, index), job.precision)
    storage, study, parts, episodes = open_run(job)
    study.set_user_attr("provenance", provenance(machine))
    study.set_user_attr(N_EPISODES, len(episodes))
    seconds, n_best, courses = job.checkpoint_seconds, job.n_finalists, job.tensorboard
    keeping = trial_files(study, job.var, seconds, n_best, courses)
    objective = Objective(
        settings=job.settings,
        train=parts.train.to(machine.device),
        validation=Validation(parts.val.to(machine.device), episodes),
        machine=machine,
        keeping=keeping,
    )
    return WorkerPhase(storage, study, study, objective, job.budget, keeping)


def finalist_phase(job: RunConfig, index: int = 0) -> WorkerPhase:
    """Return the finalists' fits; the study has ended."""
    storage, study, _, goal, budget, _ = search_phase(job, index)
    assert isinstance(goal, Objective)
    fits = open_finalists(storage, study, job)
    files = trial_files(fits, job.var, job.checkpoint_seconds, 0, job.tensorboard)
    fresh = fresh_episodes(job.settings, goal.validation.drawings)
    n_fits = len(finalist_fits(study, job))
    again = FinalistObjective(replace(goal, keeping=files), study, fresh, n_fits)
    budget = Budget(n_fits, None, budget.stop_requests)
    return WorkerPhase(storage, fits, study, again, budget, files)


PHASES: dict[str, Callable[[RunConfig, int], WorkerPhase]] = {"search": search_phase, "finalists": finalist_phase}


def worker_device(device: str, index: int) -> str:
    """Return the device of a worker: with several GPUs, each worker has the next."""
    n_gpus = torch.cuda.device_count() if device in ("auto", "cuda") else 0
    return f"cuda:{index % n_gpus}" if n_gpus > 1 else device


def run_worker(job: RunConfig, phase: str, index: int = 0) -> None:
    """Take trials until the phase's budget is spent.

    Raises:
        InputError: the storage failed, or the disk is full.
        Exception: a bug of ours struck in three trials in a row.
    """
    optuna.logging.set_verbosity(optuna.logging.ERROR)  # Ctrl-C is no news worth a traceback
    bugs = 0
    with storage_errors(job.storage):
        todo = PHASES[phase](job, index)
        while True:
            requeue_orphans(todo.study, todo.keeping.lock, job.max_retries)
            todo.keeping.sweep(todo.study)
            if todo.budget.is_spent(todo.study, todo.search):
                return
            try:
                run_one_trial(todo.study, todo.goal, todo.keeping.lock)
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
