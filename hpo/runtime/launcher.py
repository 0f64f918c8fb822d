"""Starts workers as processes of this host; see :mod:`hpo.runtime.ray_launcher` for Ray."""

import os
import signal
import threading
import traceback
from contextlib import suppress
from multiprocessing import connection, parent_process
from multiprocessing.connection import Connection
from multiprocessing.process import BaseProcess
from typing import NoReturn, Protocol

import torch

from data.errors import InputError
from hpo.runtime.processes import CONTEXT, handle_signals
from hpo.runtime.requeue import WorkerId, worker_id
from hpo.study.settings import RunConfig

TERMINATE_TIMEOUT = 30  # for a worker to put its trial back

MAX_MESSAGE = 20_000  # characters that a pipe takes from a worker that nobody listens to yet


class WorkerCrash(Exception):  # noqa: N818 - it is news
    """A worker ended without a word."""


class WorkerBug(Exception):  # noqa: N818
    """A worker gave up because of a bug; the text is its traceback."""


Outcome = Exception | None  # None: it found nothing left to do, or was told to end


class Launcher(Protocol):
    """Starts and ends workers, each known by its index."""

    def start(self, run: RunConfig, phase: str, index: int) -> None:
        """Start a worker."""

    def wait(self, seconds: float) -> dict[int, Outcome]:
        """Return the workers that have ended, after so many seconds at most."""

    def running(self) -> dict[int, WorkerId]:
        """Return the workers that have not been seen to end, as they sign their trials."""

    def kill(self, index: int) -> None:
        """End a worker that hangs."""

    def stop(self) -> set[WorkerId]:
        """End all workers; return those that had no time to put their trials back."""


class ProcessLauncher:
    """Workers that are processes of this host."""

    def __init__(self) -> None:
        """Have nothing running."""
        self._context = CONTEXT
        self._workers: dict[int, tuple[BaseProcess, Connection]] = {}

    def start(self, run: RunConfig, phase: str, index: int) -> None:
        """Start a process."""
        ours, theirs = self._context.Pipe(duplex=False)
        process = self._context.Process(target=_run_process, args=(run, phase, index, theirs))
        process.start()
        theirs.close()
        self._workers[index] = process, ours

    def wait(self, seconds: float) -> dict[int, Outcome]:
        """Return what became of the processes that have ended."""
        connection.wait([process.sentinel for process, _ in self._workers.values()], seconds)
        ended = [i for i, (process, _) in self._workers.items() if not process.is_alive()]
        return {index: self._outcome(index) for index in ended}

    def _outcome(self, index: int) -> Outcome:
        process, last_words = self._workers.pop(index)
        try:
            outcome: Outcome = last_words.recv() if last_words.poll() else WorkerCrash("unseen")
        except EOFError:
            code = process.exitcode or 0
            how = f"by {signal.Signals(-code).name}" if code < 0 else f"with status {code}"
            outcome = WorkerCrash(how)
        return outcome

    def running(self) -> dict[int, WorkerId]:
        """Return host, process and start time of each worker."""
        return {i: worker_id(process.pid or 0) for i, (process, _) in self._workers.items()}

    def kill(self, index: int) -> None:
        """Kill a process, also a suspended one."""
        self._workers[index][0].kill()

    def stop(self) -> set[WorkerId]:
        """Tell all processes to end; kill those that do not, which anybody here can see."""
        for process, _ in self._workers.values():
            process.terminate()
        for process, _ in self._workers.values():
            process.join(TERMINATE_TIMEOUT)
            process.kill()
            process.join()
        self._workers.clear()
        return set()


def _end_with_parent() -> None:
    """Wait until the parent is gone, also if it was killed, and end this process as by SIGTERM."""
    parent = parent_process()
    assert parent is not None
    parent.join()
    os.kill(os.getpid(), signal.SIGTERM)


def _run_process(run: RunConfig, phase: str, index: int, last_words: Connection) -> None:
    handle_signals()
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # the terminal's Ctrl-C is the parent's to pass on
    threading.Thread(target=_end_with_parent, daemon=True).start()
    outcome: Outcome = None
    try:
        from hpo.runtime.worker import run_worker

        torch.set_num_threads(max(1, torch.get_num_threads() // run.workers))
        run_worker(run, phase, index)
    except KeyboardInterrupt:
        outcome = WorkerCrash("by SIGTERM")  # unless all are told to end, another goes on
    except InputError as error:
        outcome = error
    except Exception:
        outcome = WorkerBug(traceback.format_exc()[-MAX_MESSAGE:])
    _report_and_exit(outcome, last_words)


def _report_and_exit(outcome: Outcome, last_words: Connection) -> NoReturn:
    """Say how a worker ended, and end it.

    At once, for a heartbeat whose start was interrupted by a signal would go on beating: its trial
    would seem alive, and the process be so, for ever.
    """
    with suppress(OSError):  # nobody may be there to hear it
        last_words.send(outcome)
        print(end="", flush=True)
    os._exit(0)
