"""Starts workers as processes of this host; :mod:`hpo.runtime.ray_launcher` does so on Ray."""

import os
import signal
import threading
import traceback
from contextlib import suppress
from multiprocessing import connection, parent_process
from multiprocessing.connection import Connection
from multiprocessing.process import BaseProcess
from typing import NamedTuple, NoReturn, Protocol

import torch

from data.errors import InputError
from hpo.runtime.processes import CONTEXT, handle_signals
from hpo.runtime.requeue import WorkerId, worker_id
from hpo.settings.study_settings import StudyConfig

TERMINATE_SECONDS = 30  # time that a worker has to queue its trial again and exit

MAX_MESSAGE_LENGTH = 20_000  # characters; a pipe holds as many before anyone reads them


class WorkerCrash(Exception):  # noqa: N818 - an outcome; it is never raised
    """A worker ended unexpectedly; the text continues "worker N", as in "was killed by SIGKILL"."""


class WorkerError(Exception):
    """A worker ended with an unexpected exception; the text is its traceback."""


Outcome = Exception | None  # None: no work was left, or the worker was asked to stop


class Launcher(Protocol):
    """Starts and ends workers, which are numbered by the caller."""

    def start(self, run: StudyConfig, phase: str, index: int) -> None:
        """Start a worker.

        Args:
            run: configuration of the run.
            phase: key of :data:`hpo.runtime.worker_phases.PHASES`.
            index: number of the worker.
        """

    def wait(self, seconds: float) -> dict[int, Outcome]:
        """Wait until a worker has ended, at most the given time; return the outcomes by index."""

    def running(self) -> dict[int, WorkerId]:
        """Return the identities of the workers whose outcome has not been returned yet."""

    def kill(self, index: int) -> None:
        """Kill a worker that hangs."""

    def stop(self) -> set[WorkerId]:
        """End all workers; return those that could not queue their trials again."""


class _LocalWorker(NamedTuple):
    process: BaseProcess
    outcome: Connection
    identity: WorkerId


class ProcessLauncher:
    """Runs workers as processes of this host."""

    def __init__(self) -> None:
        """Start with no worker."""
        self._workers: dict[int, _LocalWorker] = {}

    def start(self, run: StudyConfig, phase: str, index: int) -> None:
        """Start a process; see :class:`Launcher`."""
        receiver, sender = CONTEXT.Pipe(duplex=False)
        process = CONTEXT.Process(target=_run_process, args=(run, phase, index, sender))
        process.start()
        sender.close()
        self._workers[index] = _LocalWorker(process, receiver, worker_id(process.pid or 0))

    def wait(self, seconds: float) -> dict[int, Outcome]:
        """Return the outcomes of the processes that have ended."""
        connection.wait([worker.process.sentinel for worker in self._workers.values()], seconds)
        ended = [i for i, worker in self._workers.items() if not worker.process.is_alive()]
        return {index: self._outcome(index) for index in ended}

    def _outcome(self, index: int) -> Outcome:
        worker = self._workers.pop(index)
        if not worker.outcome.poll():
            return WorkerCrash("ended for an unknown reason")
        try:
            outcome: Outcome = worker.outcome.recv()
        except EOFError:
            code = worker.process.exitcode or 0
            killed = f"was killed by {signal.Signals(-code).name}" if code < 0 else ""
            outcome = WorkerCrash(killed or f"exited with status {code}")
        return outcome

    def running(self) -> dict[int, WorkerId]:
        """Return the identity of each process."""
        return {index: worker.identity for index, worker in self._workers.items()}

    def kill(self, index: int) -> None:
        """Kill a process, even a suspended one."""
        self._workers[index].process.kill()

    def stop(self) -> set[WorkerId]:
        """Terminate all processes, and kill those that do not exit in time.

        Returns:
            An empty set: trials of a killed process of this host are recognised by its identity.
        """
        for worker in self._workers.values():
            worker.process.terminate()
        for worker in self._workers.values():
            worker.process.join(TERMINATE_SECONDS)
            worker.process.kill()
            worker.process.join()
        self._workers.clear()
        return set()


def _end_with_parent() -> None:
    """Send SIGTERM to this process as soon as its parent has ended, even if it was killed."""
    parent = parent_process()
    assert parent is not None
    parent.join()
    os.kill(os.getpid(), signal.SIGTERM)


def _run_process(run: StudyConfig, phase: str, index: int, sender: Connection) -> None:
    """Run a worker in a new process; send its outcome and exit."""
    handle_signals()
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # the parent reacts to Ctrl-C and sends SIGTERM
    threading.Thread(target=_end_with_parent, daemon=True).start()
    outcome: Outcome = None
    try:
        from hpo.runtime.worker import run_worker

        torch.set_num_threads(max(1, torch.get_num_threads() // run.workers))
        run_worker(run, phase, index)
    except KeyboardInterrupt:
        # If the supervisor did not send the signal, it starts another worker.
        outcome = WorkerCrash("was killed by SIGTERM")
    except InputError as error:
        outcome = error
    except Exception:
        outcome = WorkerError(traceback.format_exc()[-MAX_MESSAGE_LENGTH:])
    _send_and_exit(outcome, sender)


def _send_and_exit(outcome: Outcome, sender: Connection) -> NoReturn:
    """Send the outcome of this worker and exit at once.

    A heartbeat thread whose start was interrupted by a signal never ends. Waiting for it would keep
    the process alive, and its trial running, forever.
    """
    with suppress(OSError):  # the parent may have ended
        sender.send(outcome)
        print(end="", flush=True)
    os._exit(0)
