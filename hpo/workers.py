"""One process or several that take trials of a study until it has enough."""

import signal
import time
import traceback
from dataclasses import dataclass
from pathlib import Path

import optuna
import torch
from torch import multiprocessing

from data.episodes import VALIDATIONS
from data.errors import InputError
from data.load import load
from data.splits import split
from hpo.console import end_on_first_signal
from hpo.objective import Objective
from hpo.owner import put_back_orphans
from hpo.progress import Progress
from hpo.settings import StudySettings, identity
from hpo.storage import open_storage, storage_errors
from hpo.study import count_taken, open_study
from model.device import choose_machine
from model.provenance import provenance
from model.train import Validation

MAX_BUGS = 3


@dataclass(frozen=True)
class Job:
    """What a worker needs to take part in a study; plain values, so that it can be sent.

    Args:
        settings: of the study.
        storage: database address.
        study_name: of the study.
        data_root: folder of the archives, or None.
        n_trials: trials of the study in all.
        timeout: seconds after which no trial is begun, or None.
        device: ``"auto"``, ``"cpu"``, ``"cuda"`` …
        precision: ``"auto"``, ``"float32"`` or ``"bfloat16"``.
        workers: number of processes.
    """

    settings: StudySettings
    storage: str
    study_name: str
    data_root: Path | None
    n_trials: int
    timeout: float | None
    device: str
    precision: str
    workers: int


def prepare(job: Job) -> tuple[optuna.Study, Objective, Progress]:
    """Load the data, open the study, and return what :func:`take_trials` needs.

    Raises:
        InputError: data, storage, device or study are not what they should be.
    """
    packed = load(job.settings.data, job.data_root, job.settings.image_size)
    parts = split(packed)
    episodes = VALIDATIONS[job.settings.validation](parts.val)
    machine = choose_machine(job.device, job.precision)
    with storage_errors(job.storage):
        study = open_study(
            open_storage(job.storage),
            job.study_name,
            job.settings,
            identity(job.settings, parts.train, parts.val, episodes),
        )
        study.set_user_attr("provenance", provenance(machine))
        put_back_orphans(study)
        progress = Progress(study, job.n_trials, job.settings.max_epochs)
    objective = Objective(
        settings=job.settings,
        train=parts.train.to(machine.device),
        validation=Validation(parts.val.to(machine.device), episodes),
        machine=machine,
        on_epoch=progress.epoch,
    )
    return study, objective, progress


def take_trials(job: Job) -> None:
    """Take trials until the study has ``n_trials`` or the time is over.

    Raises:
        InputError: the storage failed.
        Exception: a bug of ours struck in three trials in a row.
    """
    torch.set_num_threads(max(1, torch.get_num_threads() // job.workers))
    optuna.logging.set_verbosity(optuna.logging.ERROR)  # Ctrl-C is no news worth a traceback
    started, bugs = time.monotonic(), 0
    study, objective, progress = prepare(job)
    try:
        with storage_errors(job.storage):
            while count_taken(study) < job.n_trials:
                if job.timeout is not None and time.monotonic() - started >= job.timeout:
                    break
                try:
                    study.optimize(objective, n_trials=1, callbacks=[progress.trial])
                    bugs = 0
                except (InputError, optuna.exceptions.StorageInternalError):
                    raise
                except Exception as error:
                    if isinstance(error.__context__, KeyboardInterrupt):
                        raise KeyboardInterrupt from error  # it struck inside Optuna
                    bugs += 1
                    if bugs >= MAX_BUGS:
                        raise
                    traceback.print_exc()
    finally:
        progress.close()


def _worker(job: Job) -> None:
    """Run :func:`take_trials` in a process of its own, ending quietly when told to."""
    end_on_first_signal()
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # the terminal's Ctrl-C is the parent's to pass on
    try:
        take_trials(job)
    except KeyboardInterrupt:
        raise SystemExit(130) from None
    except InputError as error:
        raise SystemExit(f"error: {error}") from None


def run(job: Job) -> None:
    """Run the study in this process, or in ``workers`` processes that share the cores.

    Raises:
        InputError: a worker failed.
    """
    if job.workers == 1:
        take_trials(job)
        return
    prepare(job)[2].close()  # schema, study and anchors are made once, by one process
    context = multiprocessing.get_context("spawn")
    processes = [context.Process(target=_worker, args=(job,)) for _ in range(job.workers)]
    try:
        for process in processes:
            process.start()
        for process in processes:
            process.join()
    except KeyboardInterrupt:
        for process in processes:
            process.terminate()
        for process in processes:
            process.join()
        raise
    if failed := [p.exitcode for p in processes if p.exitcode]:
        raise InputError(
            f"{len(failed)} of {job.workers} workers failed (see above). Mend that and run the "
            "same command again; finished trials are kept."
        )
