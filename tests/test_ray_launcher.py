"""Workers on Ray: the launcher with a fake Ray, and a real cluster with a real PostgreSQL."""

import os
import subprocess
import sys
import warnings
from collections.abc import Callable, Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import optuna
import psutil
import pytest
from crashing import TINY_STUDY, tiny_run, wait_until
from optuna.trial import FrozenTrial, TrialState
from test_postgresql import ROOT, STUDY, Opener, server, storage_at, url  # noqa: F401

from data.errors import InputError
from data.load import cache_path
from hpo.runtime import ray_launcher, worker
from hpo.runtime.launcher import WorkerCrash, WorkerError
from hpo.runtime.ray_launcher import RayLauncher, unpack_dataset
from hpo.runtime.requeue import WorkerId, own_id, worker_of
from hpo.settings.study_settings import StudyConfig


class FakeRayError(Exception):
    pass


class FakeReference:
    """A reference to a value that is ready, still computed, or lost with its actor."""

    def __init__(self, value: Any = None, *, ready: bool = True, lost: bool = False) -> None:
        self.value, self.ready, self.lost = value, ready, lost


class FakeActor:
    """An actor whose methods run in this process when they are called."""

    def __init__(self, instance: Any, options: dict[str, Any]) -> None:
        self.instance, self.options = instance, options

    def __getattr__(self, name: str) -> Any:
        def call(*arguments: Any) -> FakeReference:
            values = [getattr(a, "value", a) for a in arguments]
            return FakeReference(getattr(self.instance, name)(*values))

        return SimpleNamespace(remote=call)


class FakeRay:
    """What the launcher uses of Ray; the nodes have CPUs and GPUs as given."""

    exceptions = SimpleNamespace(RayError=FakeRayError)

    def __init__(self, *nodes: dict[str, float]) -> None:
        self.resources, self.actors, self.killed = nodes, list[FakeActor](), list[FakeActor]()
        self.addresses: list[str] = []

    def init(self, address: str, **_: Any) -> None:
        self.addresses.append(address)

    def nodes(self) -> list[dict[str, Any]]:
        return [{"Resources": resources, "Alive": True} for resources in self.resources]

    def put(self, value: bytes) -> FakeReference:
        return FakeReference(value)

    def remote(self, cls: type) -> Any:
        def options(**options: Any) -> Any:
            def create(*arguments: Any) -> FakeActor:
                self.actors.append(FakeActor(cls(*arguments), options))
                return self.actors[-1]

            return SimpleNamespace(remote=create)

        return SimpleNamespace(options=options)

    def wait(self, references: list[FakeReference], timeout: float) -> Any:
        ready = [reference for reference in references if reference.ready]
        return ready, [reference for reference in references if not reference.ready]

    def get(self, reference: FakeReference) -> Any:
        if reference.lost:
            raise FakeRayError("The node died.\nTraceback")
        return reference.value

    def kill(self, actor: FakeActor) -> None:
        self.killed.append(actor)


Connector = Callable[..., tuple[FakeRay, RayLauncher]]


@pytest.fixture
def connect(in_tmp: Path, monkeypatch: pytest.MonkeyPatch) -> Connector:
    """Return a function that connects a launcher to a fake cluster of given nodes."""
    path = cache_path(TINY_STUDY.data, TINY_STUDY.image_size)
    path.parent.mkdir(parents=True)
    path.write_bytes(b"data")
    monkeypatch.setattr(ray_launcher, "handle_signals", lambda: None)
    monkeypatch.setattr("tempfile.gettempdir", lambda: str(in_tmp))
    monkeypatch.setattr("torch.set_num_threads", lambda _: None)

    def connected(*nodes: dict[str, float], gpus: float = 0.0) -> tuple[FakeRay, RayLauncher]:
        ray = FakeRay(*nodes)
        monkeypatch.setitem(sys.modules, "ray", ray)
        return ray, RayLauncher("auto", gpus)

    return connected


@pytest.fixture
def run(in_tmp: Path) -> StudyConfig:
    return tiny_run(Path(), in_tmp / "packed", workers=2)


@pytest.mark.parametrize(
    ("error", "outcome"),
    [
        (None, type(None)),
        (InputError("The disk is full."), InputError),
        (ZeroDivisionError("a bug"), WorkerError),
    ],
)
def test_an_actor_works_and_returns_how_it_ended(
    error: Exception | None,
    outcome: type[object],
    connect: Connector,
    run: StudyConfig,
    in_tmp: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    calls: list[tuple[StudyConfig, str, int]] = []

    def fake_worker(run: StudyConfig, phase: str, index: int) -> None:
        calls.append((run, phase, index))
        if error is not None:
            raise error

    monkeypatch.setattr(worker, "run_worker", fake_worker)
    ray, launcher = connect({"CPU": 4.0}, {"CPU": 8.0, "GPU": 1.0}, gpus=0.5)
    launcher.start(run, "search", 1)
    assert ray.actors[0].options["num_cpus"] == 4
    assert ray.actors[0].options["num_gpus"] == 0.5
    assert launcher.running() == {1: own_id()}
    outcomes = launcher.wait(0.0)
    assert isinstance(outcomes[1], outcome)
    assert error is None or str(error) in str(outcomes[1])
    assert launcher.running() == {}
    [(sent, phase, index)] = calls
    assert (phase, index) == ("search", 1)
    assert sent.var == in_tmp / "var", "the node works in another folder"
    assert sent.packed is not None
    assert sent.packed.read_bytes() == b"data"


def test_a_lost_actor_is_a_crash_and_is_killed(
    connect: Connector, run: StudyConfig, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(worker, "run_worker", lambda *_: None)
    ray, launcher = connect({"CPU": 1.0})
    launcher.start(run, "search", 0)
    remote = launcher._workers[0]
    remote.outcome.ready = False
    assert launcher.wait(0.0) == {}
    remote.outcome.ready = remote.outcome.lost = remote.identity.lost = True
    assert launcher.running()[0].host == "lost"
    outcomes = launcher.wait(0.0)
    assert isinstance(outcomes[0], WorkerCrash)
    assert "The node died" in str(outcomes[0])
    assert "Traceback" not in str(outcomes[0])
    assert ray.killed == ray.actors


def test_actors_are_killed_at_the_end_and_their_identities_returned(
    connect: Connector, run: StudyConfig, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(worker, "run_worker", lambda *_: None)
    ray, launcher = connect({"CPU": 2.0}, {"GPU": 1.0})
    for index in range(2):
        launcher.start(run, "search", index)
    launcher.kill(1)
    assert ray.killed == ray.actors[1:]
    launcher._workers[1].identity.ready = False
    assert launcher.stop() == {own_id(), WorkerId("not placed yet", 0, 0.0)}
    assert ray.killed[1:] == ray.actors
    assert launcher.running() == {}


@pytest.mark.parametrize(
    ("nodes", "n_workers", "expected"),
    [([8.0, 8.0], 2, 8), ([8.0, 2.0], 2, 2), ([1.0], 4, 1), ([0.0], 1, 1), ([0.0, 6.0], 3, 2)],
)
def test_workers_share_the_cpus_of_the_cluster(
    nodes: list[float], n_workers: int, expected: int, connect: Connector
) -> None:
    _, launcher = connect(*[{"CPU": cpus} for cpus in nodes])
    assert launcher._cpus_per_worker(n_workers) == expected


def test_more_gpus_than_a_node_has_are_refused(connect: Connector) -> None:
    with pytest.raises(InputError, match="--gpus-per-worker"):
        connect({"GPU": 1.0}, {"CPU": 4.0}, gpus=2.0)


def test_a_missing_ray_is_an_input_error(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "ray", None)
    with pytest.raises(InputError, match="Install it"):
        RayLauncher("auto", 0.0)


def test_an_address_at_which_nothing_listens_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    ray = FakeRay()
    monkeypatch.setitem(sys.modules, "ray", ray)
    with pytest.raises(InputError, match=r"127\.0\.0\.1:9.*--ray"):
        RayLauncher("ray://127.0.0.1:9", 0.0)
    assert ray.addresses == [], "Ray itself would retry for minutes"


def test_a_node_unpacks_a_data_set_once(
    in_tmp: Path, monkeypatch: pytest.MonkeyPatch, run: StudyConfig
) -> None:
    monkeypatch.setattr("tempfile.gettempdir", lambda: str(in_tmp))
    path = unpack_dataset(b"data", run)
    written = path.stat().st_mtime_ns
    assert unpack_dataset(b"data", run) == path
    assert path.stat().st_mtime_ns == written
    assert unpack_dataset(b"other data", run) != path


@pytest.fixture
def cluster() -> Iterator[tuple[Any, list[Any]]]:
    """A cluster of a head and two nodes of one CPU each, on this machine."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # Ray's own
        from ray.cluster_utils import Cluster

        started = Cluster(initialize_head=True, head_node_args={"num_cpus": 0})
        nodes = [started.add_node(num_cpus=1) for _ in range(2)]
    yield started, nodes
    started.shutdown()


@pytest.mark.slow
def test_a_killed_node_costs_no_trial(
    cluster: tuple[Any, list[Any]],
    url: str,  # noqa: F811
    tmp_path: Path,
    storage_at: Opener,  # noqa: F811
) -> None:
    started, nodes = cluster
    flags = [*STUDY, "--max-epochs", "12", "--n-trials", "4", "--checkpoint-interval", "0"]
    # Long trials, none of which is pruned: the node is killed before its trial can end.
    flags += ["--steps-per-epoch", "8", "--pruner", "none"]
    command = [sys.executable, str(ROOT / "run_study.py"), *flags, "--storage", url]
    process = subprocess.Popen(
        [*command, "--ray", started.address, "--workers", "2"],
        cwd=tmp_path,
        env={**os.environ, "OMNIGLOT_ROOT": ""},
        text=True,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
    )
    storage = storage_at(url)
    running = wait_until(lambda: two_running_trials(storage), 90)
    started.remove_node(nodes[0], allow_graceful=False)
    output, _ = process.communicate(timeout=240)
    assert process.returncode == 0, output
    assert "lost on the cluster" in output
    study = optuna.load_study(study_name="glyphs-20-episode-lr", storage=storage)
    pids = {worker_of(trial).pid for trial in running}
    states = [trial.state for trial in study.trials]
    assert len(pids) == 2, "two actors"
    assert states.count(TrialState.FAIL) == 1, "that of the killed node"
    assert all(state.is_finished() for state in states)
    assert states.count(TrialState.COMPLETE) + states.count(TrialState.PRUNED) >= 4
    assert not [pid for pid in pids if is_ray_worker(pid)]


def two_running_trials(storage: Any) -> list[FrozenTrial]:
    try:
        study = optuna.load_study(study_name="glyphs-20-episode-lr", storage=storage)
    except KeyError:
        return []
    running = study.get_trials(states=(TrialState.RUNNING,))
    return running if len(running) == 2 and all(t.intermediate_values for t in running) else []


def is_ray_worker(pid: int) -> bool:
    try:
        return "ray::_Worker" in " ".join(psutil.Process(pid).cmdline())
    except psutil.NoSuchProcess:
        return False


@pytest.mark.slow
def test_ray_without_a_cluster_is_one_line(tmp_path: Path) -> None:
    flags = ["--ray", "127.0.0.1:9", "--storage", "postgresql+psycopg://127.0.0.1:9/x"]
    done = subprocess.run(
        [sys.executable, str(ROOT / "run_study.py"), *STUDY, *flags],
        cwd=tmp_path,
        env={**os.environ, "OMNIGLOT_ROOT": ""},
        capture_output=True,
        text=True,
        timeout=120,
    )
    assert done.returncode == 2
    assert "127.0.0.1:9" in done.stderr
    assert len(done.stderr.splitlines()) == 1, done.stderr
