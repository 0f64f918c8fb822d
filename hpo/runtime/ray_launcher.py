"""Workers on a Ray cluster; Ray places them, the study's storage does everything else.

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
from typing import Any

from filelock import FileLock

from data.errors import InputError
from data.files import write_atomically
from data.load import packed_path
from data.text import first_line
from hpo.runtime.launcher import MAX_MESSAGE, Outcome, WorkerBug, WorkerCrash
from hpo.runtime.processes import handle_signals
from hpo.runtime.requeue import WorkerId, worker_id
from hpo.study.settings import RunConfig

CONNECT_TIMEOUT = 10


class RayLauncher:
    """Workers that are actors of a Ray cluster.

    Args:
        address: of the cluster, or ``"auto"`` for the one of this host.
        gpus_per_worker: may be a fraction; 0 computes on CPUs.

    Raises:
        InputError: Ray is not installed, or there is no cluster at the address.
    """

    def __init__(self, address: str, gpus_per_worker: float) -> None:
        """Join the cluster."""
        os.environ.setdefault("RAY_USAGE_STATS_ENABLED", "0")
        # Nodes have this environment; Ray would make another of a driver that uv runs.
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
                f"No Ray cluster answers at '{address}' ({first_line(error)}). Start one "
                "with ray start --head, or correct --ray."
            ) from error
        handle_signals()  # Ray has put a handler of its own in its place
        if gpus_per_worker > max(node["Resources"].get("GPU", 0) for node in ray.nodes()):
            raise InputError(
                f"--gpus-per-worker is {gpus_per_worker:g}, but no node of the cluster has as many "
                "GPUs. Lower it; 0 computes on CPUs."
            )
        self._ray: Any = ray
        self._gpus = gpus_per_worker
        self._data: Any = None
        self._workers: dict[int, tuple[Any, Any, Any]] = {}  # actor, its owner, its outcome

    def start(self, run: RunConfig, phase: str, index: int) -> None:
        """Place an actor on the least used node that has room, and let it work."""
        if self._data is None:
            path = packed_path(run.settings.data, run.settings.image_size)
            self._data = self._ray.put(path.read_bytes())
        cpus = self._cpus(run.workers)
        options = {"num_cpus": cpus, "num_gpus": self._gpus, "scheduling_strategy": "SPREAD"}
        actor = self._ray.remote(_Worker).options(**options).remote(cpus)
        sent = replace(run, var=run.var.absolute())
        owner = actor.owner.remote()  # first: an actor does one thing after the other
        self._workers[index] = actor, owner, actor.work.remote(sent, phase, index, self._data)

    def _cpus(self, n_workers: int) -> int:
        """Return the cores of one worker: its share, but no more than the smallest node has."""
        nodes = [node["Resources"].get("CPU", 0) for node in self._ray.nodes() if node["Alive"]]
        nodes = [cpus for cpus in nodes if cpus] or [1]
        return max(1, int(min(sum(nodes) // n_workers, *nodes)))

    def wait(self, seconds: float) -> dict[int, Outcome]:
        """Return what became of the actors that have ended."""
        outcomes = {outcome: index for index, (_, _, outcome) in self._workers.items()}
        ready, _ = self._ray.wait(list(outcomes), timeout=seconds)
        return {outcomes[ref]: self._outcome(outcomes[ref]) for ref in ready}

    def _outcome(self, index: int) -> Outcome:
        actor, _, outcome = self._workers.pop(index)
        try:
            found: Outcome = self._ray.get(outcome)
        except self._ray.exceptions.RayError as error:
            self._ray.kill(actor)  # it may only have been out of reach
            found = WorkerCrash(f"on the cluster ({first_line(error)})")
        return found

    def running(self) -> dict[int, WorkerId]:
        """Return the actors; one that has not been placed yet signs nothing."""
        return {index: self._owner(worker[1]) for index, worker in self._workers.items()}

    def _owner(self, reference: Any) -> WorkerId:
        ready, _ = self._ray.wait([reference], timeout=0)
        try:
            host, pid, started = self._ray.get(reference) if ready else ("not placed yet", 0, "")
        except self._ray.exceptions.RayError:
            return "gone", 0, ""
        return host, pid, started

    def kill(self, index: int) -> None:
        """Kill an actor."""
        self._ray.kill(self._workers[index][0])

    def stop(self) -> set[WorkerId]:
        """Kill all actors; return them, for they cannot put their trials back."""
        owners = set(self.running().values())
        for actor, _, _ in self._workers.values():
            self._ray.kill(actor)
        self._workers.clear()
        return owners


def _require_listening(address: str) -> None:
    """Raise OSError if nobody listens at ``host:port``; Ray itself would try for minutes."""
    host, _, port = address.rpartition("/")[2].rpartition(":")
    if host and port.isdecimal():
        socket.create_connection((host, int(port)), CONNECT_TIMEOUT).close()


class _Worker:
    """The actor."""

    def __init__(self, n_threads: int) -> None:
        import torch

        torch.set_num_threads(n_threads)

    def owner(self) -> WorkerId:
        """Return who signs the trials."""
        return worker_id(os.getpid())

    def work(self, run: RunConfig, phase: str, index: int, data: bytes) -> Outcome:
        """Take trials until nothing is left to do."""
        from hpo.runtime.worker import run_worker

        try:
            run_worker(replace(run, packed=unpack_dataset(data, run)), phase, index)
        except InputError as error:
            return error
        except Exception:
            return WorkerBug(traceback.format_exc()[-MAX_MESSAGE:])
        return None


def unpack_dataset(data: bytes, run: RunConfig) -> Path:
    """Write the packed data set into this node's temporary folder, once per node; return where."""
    name = packed_path(run.settings.data, run.settings.image_size).name
    digest = hashlib.sha256(data).hexdigest()[:16]
    path = Path(tempfile.gettempdir()) / f"siamese-hpo-{os.getuid()}" / f"{digest}-{name}"
    path.parent.mkdir(exist_ok=True)
    with FileLock(f"{path}.lock"):
        if not path.exists():
            write_atomically(path, lambda temporary: temporary.write_bytes(data))
    return path
