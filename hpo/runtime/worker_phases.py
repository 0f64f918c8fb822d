"""What a worker works on in each phase: the search, the finalists, further fits of the winner."""

from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import NamedTuple

import torch
from optuna.storages import RDBStorage
from optuna.study import Study
from optuna.trial import Trial

from data import cache
from data.drawings import Drawings
from data.episodes import Episodes
from data.splits import Split
from hpo.runtime.requeue import requeue
from hpo.search.finalist_objective import FinalistObjective
from hpo.search.finalists import FinalistFit, finalist_fits, open_finalists
from hpo.search.objective import EpochCallback, Objective
from hpo.search.trial_files import TrialFiles, trial_files
from hpo.search.winner import winner_fits
from hpo.settings.study_settings import StudyConfig
from hpo.study.budget import Budget, n_finalist_fits, study_budget
from hpo.study.dataset import load_data, split_data, validation_episodes
from hpo.study.identity import study_identity
from hpo.study.leaks import require_unseen
from hpo.study.open import N_EPISODES, open_study
from hpo.study.storage import open_storage
from model.device import choose_compute
from model.provenance import provenance
from model.start_weights import load_start_weights
from model.train import Validation

TrialObjective = Callable[[Trial], float | Sequence[float]]


class WorkerPhase(NamedTuple):
    """What a worker works on.

    Args:
        storage: storage of both studies.
        study: study whose trials the worker runs.
        search_study: study that receives stop requests; the same one in the search phase.
        objective: returns the value of a trial.
        budget: budget of the phase.
        files: files of the trials.
        held_out: validation drawings that choose nothing, or None.
    """

    storage: RDBStorage
    study: Study
    search_study: Study
    objective: TrialObjective
    budget: Budget
    files: TrialFiles
    held_out: Drawings | None = None


def open_run(run: StudyConfig) -> tuple[RDBStorage, Study, Split, Episodes]:
    """Open what a run works on; create storage and study if they do not exist.

    Returns:
        The storage, the study, the drawings by part, and the validation episodes of the study.

    Raises:
        InputError: data, storage or study cannot be used.
    """
    settings = run.settings
    dataset = cache.read_cache(run.packed) if run.packed else None
    parts = split_data(settings, dataset or load_data(settings, run.data_root))
    require_unseen(settings, parts)
    episodes = validation_episodes(settings, parts.val)
    storage = open_storage(
        run.storage,
        heartbeat=run.heartbeat,
        on_stale_trial=lambda study, trial: requeue(study, trial.number, run.max_retries),
    )
    identity = study_identity(settings, parts.train, parts.val, episodes)
    study = open_study(storage, run.name, settings, identity)
    return storage, study, parts, episodes


def search_phase(run: StudyConfig, index: int = 0) -> WorkerPhase:
    """Return the phase in which the trials of the study run.

    Args:
        run: configuration of the run.
        index: number of the worker; it selects one of several GPUs.

    Raises:
        InputError: data, storage, device or study cannot be used.
    """
    compute = choose_compute(worker_device(run.device, index), run.precision)
    storage, study, parts, episodes = open_run(run)
    study.set_user_attr("provenance", provenance(compute))
    study.set_user_attr(N_EPISODES, episodes.n_distinct)
    files = search_files(run, study)
    objective = Objective(
        settings=run.settings,
        train=parts.train.to(compute.device),
        validation=Validation(parts.val.to(compute.device), episodes),
        compute=compute,
        files=files,
        start=load_start_weights(run.start_from, files.start) if run.start_from else None,
    )
    return WorkerPhase(
        storage, study, study, objective, study_budget(run, study), files, parts.held_out
    )


def search_files(run: StudyConfig, study: Study) -> TrialFiles:
    """Return the files of the trials of a search, which keep the networks of its finalists.

    Args:
        run: configuration of the run.
        study: its study.

    Raises:
        InputError: the folder cannot be created.
    """
    has_finalists = n_finalist_fits(run) > 0
    n_networks = max(run.n_networks, run.n_finalists) if has_finalists else run.n_networks
    interval, logs = run.checkpoint_interval, run.tensorboard
    return trial_files(study, run.var, interval, n_networks, logs, keep_default=has_finalists)


def finalist_phase(run: StudyConfig, index: int = 0) -> WorkerPhase:
    """Return the phase in which the finalists of a finished study are fitted.

    Args:
        run: configuration of the run.
        index: number of the worker; it selects one of several GPUs.

    Raises:
        InputError: data, storage, device or study cannot be used.
    """
    search = search_phase(run, index)
    assert isinstance(search.objective, Objective)
    fits = finalist_fits(search.study, run.n_finalists, run.n_finalist_seeds, run.settings)
    return _fit_phase(run, search, search.objective.validation.drawings, fits, "finalists")


def winner_phase(run: StudyConfig, index: int = 0) -> WorkerPhase:
    """Return the phase in which the winner is fitted again and evaluated on held-out drawings.

    Args:
        run: configuration of the run.
        index: number of the worker; it selects one of several GPUs.

    Raises:
        InputError: data, storage, device or study cannot be used.
    """
    search = search_phase(run, index)
    assert search.held_out is not None
    fits = winner_fits(search.study, run.n_finalist_seeds, run.settings.seed)
    return _fit_phase(run, search, search.held_out, fits, "winner")


def _fit_phase(
    run: StudyConfig, search: WorkerPhase, drawings: Drawings, fits: list[FinalistFit], kind: str
) -> WorkerPhase:
    """Return the phase of the fits of finalists, which keeps all their networks.

    Args:
        run: configuration of the run.
        search: phase of the search.
        drawings: validation drawings on which the fits are evaluated.
        fits: the fits.
        kind: word in the name of the study of the fits.
    """
    assert isinstance(search.objective, Objective)
    study = open_finalists(search.storage, search.study, fits, kind)
    files = trial_files(study, run.var, run.checkpoint_interval, len(fits), run.tensorboard)
    drawings = drawings.to(search.objective.validation.drawings.images_NHW.device)
    objective = FinalistObjective(
        replace(search.objective, files=files),
        search.study,
        drawings,
        validation_episodes(run.settings, drawings, seed=1),
        len(fits),
        run.var,
    )
    budget = Budget(len(fits), None, search.budget.stop_requests)
    return WorkerPhase(search.storage, study, search.study, objective, budget, files)


PHASES: dict[str, Callable[[StudyConfig, int], WorkerPhase]] = {
    "search": search_phase,
    "finalists": finalist_phase,
    "winner": winner_phase,
}


def with_epoch_callback(work: WorkerPhase, on_epoch: EpochCallback | None) -> WorkerPhase:
    """Return a phase whose objective calls a function after every epoch."""
    objective = work.objective
    if on_epoch is None:
        return work
    if isinstance(objective, FinalistObjective):
        search = replace(objective.objective, on_epoch=on_epoch)
        return work._replace(objective=replace(objective, objective=search))
    assert isinstance(objective, Objective)
    return work._replace(objective=replace(objective, on_epoch=on_epoch))


def worker_device(device: str, index: int) -> str:
    """Return the device of a worker; several GPUs are assigned in turn."""
    n_gpus = torch.cuda.device_count() if device in ("auto", "cuda") else 0
    return f"cuda:{index % n_gpus}" if n_gpus > 1 else device
