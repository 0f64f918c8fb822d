"""What replaces the main function of a worker process in a test.

A module of its own, since each worker process imports it.
"""

import os
import signal
import threading
from multiprocessing.connection import Connection
from typing import NoReturn

import optuna
import torch

from hpo.runtime import worker
from hpo.runtime.launcher import _run_process
from hpo.settings.study_settings import StudyConfig

FAULTS = (signal.SIGKILL, signal.SIGSTOP)


def run_with_one_thread(run: StudyConfig, phase: str, index: int, sender: Connection) -> None:
    torch.set_num_threads(1)
    _run_process(run, phase, index, sender)


def run_with_faults(run: StudyConfig, phase: str, index: int, sender: Connection) -> None:
    """Run a worker that is killed in its second epoch; the next one is suspended there."""
    original = optuna.Trial.report

    def report(trial: optuna.Trial, value: float, step: int) -> None:
        original(trial, value, step)
        faults = run.var / "faults"
        n_faults = len(faults.read_text()) if faults.exists() else 0
        if step == 2 and n_faults < len(FAULTS):
            faults.write_text("x" * (n_faults + 1))
            os.kill(os.getpid(), FAULTS[n_faults])

    setattr(optuna.Trial, "report", report)  # noqa: B010
    run_with_one_thread(run, phase, index, sender)


def run_with_endless_thread(run: StudyConfig, phase: str, index: int, sender: Connection) -> None:
    """Run a worker that is interrupted and leaves a thread, like an interrupted heartbeat."""

    def leave_a_thread(*_: object) -> NoReturn:
        threading.Thread(target=threading.Event().wait).start()
        raise KeyboardInterrupt

    setattr(worker, "run_worker", leave_a_thread)  # noqa: B010
    _run_process(run, phase, index, sender)


def exit_with_3(*_: object) -> NoReturn:
    os._exit(3)


def sleep_for_ever(*_: object) -> None:
    signal.signal(signal.SIGTERM, signal.SIG_IGN)
    threading.Event().wait()
