"""Starts workers as actors of a Ray cluster.

Ray only places the workers; trials, heartbeats and retries are handled by the storage of the study.

Source: Ray's actors, https://docs.ray.io/en/latest/ray-core/actors.html.
"""

import hashlib
import logging
import os
import socket
import tempfile
import traceback
from dataclasses import replace
from pathlib import Path
from typing import Any, NamedTuple

from filelock import FileLock

from data.errors import InputError
from data.files import user_id, write_atomically
from data.load import cache_path
from data.text import first_line
from hpo.runtime.launcher import MAX_MESSAGE_LENGTH, Outcome, WorkerCrash, WorkerError
from hpo.runtime.processes import handle_signals
from hpo.runtime.requeue import WorkerId, own_id
from hpo.settings.study_settings import StudyConfig

CONNECT_SECONDS = 10


class _RemoteWorker(NamedTuple):
    """An actor and the references to what its methods return."""

    actor: Any
    identity: Any
    outcome: Any


class RayLauncher:
    """Runs workers as actors of a Ray cluster.

    Args:
        address: ``host:port`` of the cluster, or ``"auto"`` for the cluster of this host.
        gpus_per_worker: number of GPUs of each worker, may be a fraction; 0 computes on CPUs.

    Raises:
        InputError: Ray is not installed, no cluster is reachable at the address, or no node has
            enough GPUs.
    """

    def __init__(self, address: str, gpus_per_worker: float) -> None:
        """Connect to the cluster."""
        os.environ.setdefault("RAY_USAGE_STATS_ENABLED", "0")
        # By default Ray rebuilds the environment of a driver that uv runs on every node. The nodes
        # have this environment already.
        os.environ.setdefault("RAY_ENABLE_UV_RUN_RUNTIME_ENV", "0")
        try:
            import ray
        except ImportError as error:
            raise InputError(
                "--ray needs Ray. Install it: uv sync --extra cluster, or pip install 'ray'."
            ) from error
        try:
            _require_listening(address)
            ray.init(address=address, log_to_driver=False, logging_level=logging.ERROR)
        except (OSError, ValueError, RuntimeError) as error:
            raise InputError(
                f"No Ray cluster is reachable at '{address}' ({first_line(error)}). Start one with "
                "ray start --head, or correct --ray."
            ) from error
        handle_signals()  # ray.init has replaced the handlers
        most_gpus = max(node["Resources"].get("GPU", 0) for node in ray.nodes())
        if gpus_per_worker > most_gpus:
            raise InputError(
                f"--gpus-per-worker must not exceed the GPUs of one node ({most_gpus:g}), but is "
                f"{gpus_per_worker:g}. Lower it; 0 computes on CPUs."
            )
        self._ray: Any = ray
        self._gpus_per_worker = gpus_per_worker
        self._dataset: Any = None
        self._workers: dict[int, _RemoteWorker] = {}

    def start(self, run: StudyConfig, phase: str, index: int) -> None:
        """Start an actor on the node with the most free resources."""
        if self._dataset is None:
            path = cache_path(run.data, run.image_size, run.division)
            self._dataset = self._ray.put(path.read_bytes())
        cpus = self._cpus_per_worker(run.workers)
        options = {
            "num_cpus": cpus,
            "num_gpus": self._gpus_per_worker,
            "scheduling_strategy": "SPREAD",
        }
        actor = self._ray.remote(_Worker).options(**options).remote(cpus)
        identity = actor.identity.remote()  # an actor runs its methods in the order of their calls
        node_run = replace(run, var=run.var.absolute())
        outcome = actor.work.remote(node_run, phase, index, self._dataset)
        self._workers[index] = _RemoteWorker(actor, identity, outcome)

    def _cpus_per_worker(self, n_workers: int) -> int:
        """Return an equal share of the cluster's CPUs, but not more than the smallest node has."""
        resources = [node["Resources"] for node in self._ray.nodes() if node["Alive"]]
        cpus = [node["CPU"] for node in resources if node.get("CPU")] or [1]
        return max(1, int(min(sum(cpus) // n_workers, *cpus)))

    def wait(self, seconds: float) -> dict[int, Outcome]:
        """Return the outcomes of the actors that have ended."""
        indices = {worker.outcome: index for index, worker in self._workers.items()}
        ready, _ = self._ray.wait(list(indices), timeout=seconds)
        return {indices[reference]: self._outcome(indices[reference]) for reference in ready}

    def _outcome(self, index: int) -> Outcome:
        worker = self._workers.pop(index)
        try:
            outcome: Outcome = self._ray.get(worker.outcome)
        except self._ray.exceptions.RayError as error:
            self._ray.kill(worker.actor)  # it may still run, but be unreachable
            outcome = WorkerCrash(f"was lost on the cluster ({first_line(error)})")
        return outcome

    def running(self) -> dict[int, WorkerId]:
        """Return the identity of each actor; an actor that has not been placed yet has no trial."""
        return {index: self._identity(worker) for index, worker in self._workers.items()}

    def _identity(self, worker: _RemoteWorker) -> WorkerId:
        ready, _ = self._ray.wait([worker.identity], timeout=0)
        if not ready:
            return WorkerId("not placed yet", 0, 0.0)
        try:
            return WorkerId(*self._ray.get(worker.identity))
        except self._ray.exceptions.RayError:
            return WorkerId("lost", 0, 0.0)

    def kill(self, index: int) -> None:
        """Kill an actor."""
        self._ray.kill(self._workers[index].actor)

    def stop(self) -> set[WorkerId]:
        """Kill all actors; return them, since a killed actor cannot queue its trial again."""
        identities = set(self.running().values())
        for worker in self._workers.values():
            self._ray.kill(worker.actor)
        self._workers.clear()
        return identities


def _require_listening(address: str) -> None:
    """Raise OSError if nothing listens at ``host:port``; Ray itself would retry for minutes."""
    host, _, port = address.rpartition("/")[2].rpartition(":")
    if host and port.isdecimal():
        socket.create_connection((host, int(port)), CONNECT_SECONDS).close()


class _Worker:
    """The actor: a worker in a process of a node."""

    def __init__(self, n_threads: int) -> None:
        import torch

        torch.set_num_threads(n_threads)

    def identity(self) -> WorkerId:
        """Return the identity that this worker stores in its trials."""
        return own_id()

    def work(self, run: StudyConfig, phase: str, index: int, dataset: bytes) -> Outcome:
        """Run trials until no work is left; return how the worker ended."""
        from hpo.runtime.worker import run_worker

        try:
            run_worker(replace(run, packed=unpack_dataset(dataset, run)), phase, index)
        except InputError as error:
            return error
        except Exception:
            return WorkerError(traceback.format_exc()[-MAX_MESSAGE_LENGTH:])
        return None


def unpack_dataset(dataset: bytes, run: StudyConfig) -> Path:
    """Return the file of a packed data set in this node's temporary folder, written once per node.

    Args:
        dataset: content of the file.
        run: configuration that names the data set.
    """
    name = cache_path(run.data, run.image_size, run.division).name
    digest = hashlib.sha256(dataset).hexdigest()[:16]
    path = Path(tempfile.gettempdir()) / f"siamese-hpo-{user_id()}" / f"{digest}-{name}"
    path.parent.mkdir(exist_ok=True)
    with FileLock(f"{path}.lock"):
        if not path.exists():
            write_atomically(path, lambda temporary: temporary.write_bytes(dataset))
    return path
