"""Which trials are orphaned, and where and how often they are queued again."""

import json
import os
import socket
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, NoReturn

import optuna
import psutil
import pytest
from optuna.distributions import BaseDistribution, FloatDistribution
from optuna.exceptions import StorageInternalError
from optuna.trial import TrialState, create_trial
from sqlalchemy import text
from tiny import TINY, opened, url

from data.errors import InputError
from data.splits import Split
from hpo.runtime import requeue as module
from hpo.runtime import worker as worker_module
from hpo.runtime.requeue import (
    WORKER,
    WorkerId,
    host_id,
    is_orphan,
    is_same_worker,
    own_id,
    record_worker,
    requeue,
    requeue_orphans,
    was_requeued,
    worker_id,
    worker_of,
)
from hpo.runtime.worker import run_one_trial
from hpo.settings.base_config import base_config
from hpo.space.distributions import suggest_config
from hpo.study.budget import count_finished, count_started
from hpo.study.storage import GRACE_HEARTBEATS, Storage, open_storage
from hpo.study.trials import RETRY_OF

NO_PID = 2**22 + 1  # above the highest process ID of Linux


@pytest.fixture
def study(tmp_path: Path, parts: Split) -> optuna.Study:
    return opened(tmp_path, parts)


@pytest.fixture
def lock(tmp_path: Path) -> Path:
    return tmp_path / "lock"


@pytest.fixture
def process() -> Iterator[subprocess.Popen[bytes]]:
    """A process that lives until its standard input is closed."""
    started = subprocess.Popen([sys.executable, "-Sc", "input()"], stdin=subprocess.PIPE)
    yield started
    started.kill()
    started.wait()
    assert started.stdin is not None
    started.stdin.close()


def orphaned(worker: Any) -> bool:
    return is_orphan(create_trial(state=TrialState.RUNNING, user_attrs={WORKER: worker}))


def start_ticks(pid: int) -> str:
    """The start time of a process as older versions stored it."""
    return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[19]


def test_an_identity_survives_storage() -> None:
    stored = json.loads(json.dumps(own_id()))
    trial = create_trial(state=TrialState.RUNNING, user_attrs={WORKER: stored})
    assert worker_of(trial) == own_id()
    assert stored[:2] == [host_id(), os.getpid()]
    assert stored[0].startswith(socket.gethostname())


def test_a_trial_is_orphaned_if_its_process_is_another_one() -> None:
    host, pid, created = own_id()
    assert isinstance(created, float)
    assert not orphaned([host, pid, created])
    assert not orphaned([host, pid, created + 1]), "the clock was adjusted"
    assert orphaned([host, pid, created + 10]), "the process ID was reused"
    assert not orphaned([host, pid, 0.0]), "the creation time is unknown"
    assert orphaned([host, NO_PID, created])
    assert not orphaned(["another host", NO_PID, created]), "its heartbeats tell"
    assert not is_orphan(create_trial(state=TrialState.RUNNING)), "its worker is unknown"


@pytest.mark.skipif(not Path("/proc/self/stat").exists(), reason="older versions read /proc")
def test_a_trial_of_an_older_version_is_orphaned_by_the_same_rules() -> None:
    host, pid, _ = own_id()
    ticks = start_ticks(pid)
    assert not orphaned([host, pid, ticks])
    assert is_same_worker(WorkerId(host, pid, ticks), own_id())
    assert orphaned([host, pid, "1"]), "the process ID was reused"
    assert orphaned([host, NO_PID, ticks])
    assert not orphaned([host, pid, ""]), "only the process ID is known"
    assert orphaned([host, NO_PID, ""])


def test_a_zombie_and_an_ended_process_leave_orphans(process: subprocess.Popen[bytes]) -> None:
    worker = worker_id(process.pid)
    assert not orphaned(worker)
    process.kill()
    os.waitid(os.P_PID, process.pid, os.WEXITED | os.WNOWAIT)  # until it is a zombie
    assert psutil.Process(process.pid).status() == psutil.STATUS_ZOMBIE
    assert orphaned(worker)
    process.wait()
    assert orphaned(worker)
    assert worker_id(process.pid).created == 0.0


def test_a_process_that_may_not_be_inspected_leaves_no_orphan(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def denied(pid: int) -> NoReturn:
        raise psutil.AccessDenied(pid)

    worker = own_id()
    monkeypatch.setattr(psutil, "Process", denied)
    assert not orphaned(worker)


def test_a_host_without_pid_namespaces_is_known_by_its_name(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def no_proc(path: Path) -> NoReturn:
        raise OSError(path)

    monkeypatch.setattr(Path, "readlink", no_proc)
    assert host_id().startswith(f"{socket.gethostname()} user ")


def test_processes_of_another_user_are_known_by_their_heartbeats(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    host, _, created = own_id()
    monkeypatch.setattr(os, "getuid", lambda: 12345)
    assert host_id() != host
    assert not orphaned([host, NO_PID, created])
    assert orphaned([host_id(), NO_PID, created])


def test_a_host_that_an_older_version_stored_without_the_user_is_this_one() -> None:
    host, pid, created = own_id()
    assert orphaned([host.partition(" user ")[0], NO_PID, created])
    assert not orphaned([host.partition(" user ")[0], pid, created])


def test_an_orphan_is_failed_and_queued_again_once(study: optuna.Study, lock: Path) -> None:
    trial = study.ask({"x": FloatDistribution(0, 1)})
    record_worker(trial)
    assert requeue_orphans(study, lock) == [], "this process is alive"
    trial.set_user_attr(WORKER, [host_id(), NO_PID, 1.0])
    assert requeue_orphans(study, lock) == [trial.number]
    assert requeue_orphans(study, lock) == []
    retries = [t for t in study.trials if t.user_attrs.get(RETRY_OF) == trial.number]
    assert [t.system_attrs["fixed_params"]["x"] for t in retries] == [trial.params["x"]]
    assert count_finished(study) == count_started(study) == 0


def test_a_worker_of_another_host_that_is_known_to_be_dead_leaves_orphans(
    study: optuna.Study, lock: Path
) -> None:
    alive, dead = study.ask(), study.ask()
    alive.set_user_attr(WORKER, ["a node", 1, 5.0])
    dead.set_user_attr(WORKER, ["a node", 2, 5.0])
    assert requeue_orphans(study, lock, ended_workers={WorkerId("a node", 2, 5.0)}) == [dead.number]
    assert study.trials[alive.number].state == TrialState.RUNNING


def test_an_orphan_that_another_host_failed_first_is_no_error(
    study: optuna.Study, lock: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    study.ask().set_user_attr(WORKER, [host_id(), NO_PID, 1.0])

    def requeue_and_fail(study: optuna.Study, number: int, max_retries: int) -> None:
        requeue(study, number, max_retries)
        study.tell(number, state=TrialState.FAIL)

    monkeypatch.setattr(module, "requeue", requeue_and_fail)
    assert requeue_orphans(study, lock) == [0]
    assert [t.state for t in study.trials[:1]] == [TrialState.FAIL]


def silence(storage: Storage, seconds: float) -> None:
    """Move the last heartbeats of a SQLite database into the past."""
    with storage.engine.begin() as connection:
        shift = text("UPDATE trial_heartbeats SET heartbeat = datetime(heartbeat, :shift)")
        connection.execute(shift, {"shift": f"-{seconds} seconds"})


def test_a_trial_of_a_silent_host_is_queued_again_once(tmp_path: Path, lock: Path) -> None:
    url, heartbeat = f"sqlite:///{tmp_path}/study.db", 60
    study = optuna.create_study(study_name="s", storage=url, direction="maximize")
    trial = study.ask({"x": FloatDistribution(0, 1)})
    trial.set_user_attr(WORKER, ["elsewhere", 1, 1.0])
    storage = open_storage(
        url,
        heartbeat=heartbeat,
        on_stale_trial=lambda study, trial: requeue(study, trial.number, 2),
    )
    other = optuna.load_study(study_name="s", storage=storage)
    storage.record_heartbeat(trial._trial_id)
    silence(storage, heartbeat * (GRACE_HEARTBEATS - 1))
    requeue_orphans(other, lock)
    assert [t.state for t in other.trials] == [TrialState.RUNNING], "not silent for long enough"
    silence(storage, 2 * heartbeat)
    for _ in range(2):
        requeue_orphans(other, lock)
    assert [t.state for t in other.trials] == [TrialState.FAIL, TrialState.WAITING]
    assert other.trials[1].system_attrs["fixed_params"] == trial.params
    storage.close()


@pytest.mark.parametrize("max_retries", [0, 2])
def test_parameters_that_crash_every_process_are_given_up(
    max_retries: int, study: optuna.Study, lock: Path
) -> None:
    params = []
    for _ in range(max_retries + 2):
        trial = study.ask()
        suggest_config(trial, base_config(TINY), TINY.space)
        params.append(trial.params)
        trial.set_user_attr(WORKER, [host_id(), NO_PID, 1.0])
        assert requeue_orphans(study, lock, max_retries) == [trial.number]
    assert all(p == params[0] for p in params[: max_retries + 1])
    assert params[-1] != params[0]
    assert count_finished(study) == (1 if max_retries else 2), "the last one may be retried"


def test_an_interruption_is_no_crash(study: optuna.Study) -> None:
    for number in range(5):
        assert study.ask().number == number
        requeue(study, number)
        requeue(study, number)
        study.tell(number, state=TrialState.FAIL)
    requeue(study, 4, max_retries=0)
    assert len(study.trials) == 6, "each once"
    assert study.ask().number == 5
    requeue(study, 5, max_retries=0)
    assert len(study.trials) == 6, "a crash counts"
    requeue(study, 5, max_retries=1)
    assert len(study.trials) == 7, "the interruptions before it do not count"


def test_a_process_knows_whether_its_trial_was_queued_again(study: optuna.Study) -> None:
    assert not was_requeued(study)
    record_worker(study.ask())
    assert not was_requeued(study)
    requeue(study, 0)
    assert was_requeued(study)


def interrupt(*_: object) -> NoReturn:
    raise KeyboardInterrupt


def interrupt_in_a_library(*_: object) -> NoReturn:
    try:
        raise KeyboardInterrupt
    except KeyboardInterrupt:
        raise RuntimeError("the transaction is closed")  # noqa: B904


def fill_the_disk(*_: object) -> NoReturn:
    raise InputError("The disk is full.")


def fail(*_: object) -> NoReturn:
    raise RuntimeError("a bug")


def run_and_raise(study: optuna.Study, lock: Path, error: Callable[[], NoReturn]) -> None:
    """Run a trial that raises an error after its parameters were suggested."""

    def objective(trial: optuna.Trial) -> float:
        suggest_config(trial, base_config(TINY), TINY.space)
        error()

    with pytest.raises((KeyboardInterrupt, RuntimeError, InputError, StorageInternalError)):
        run_one_trial(study, objective, lock)


def lose_the_database(*_: object) -> NoReturn:
    raise StorageInternalError("no connection")


def test_no_trial_starts_after_another_process_has_started_the_last_one(
    study: optuna.Study, lock: Path
) -> None:
    def objective(trial: optuna.Trial) -> float:
        return 0.5

    assert run_one_trial(study, objective, lock)
    assert not run_one_trial(study, objective, lock, is_exhausted=lambda: True)
    assert len(study.trials) == 1


def test_the_trial_of_a_stopped_worker_has_not_crashed(study: optuna.Study, lock: Path) -> None:
    worker = WorkerId("a node", 1, 5.0)
    for _ in range(3):
        trial = study.ask()
        trial.set_user_attr(WORKER, list(worker))
        requeue_orphans(study, lock, 0, {worker}, stopped=True)
    assert study.trials[-1].state == TrialState.WAITING


@pytest.mark.parametrize(
    "error", [interrupt, interrupt_in_a_library, fill_the_disk, lose_the_database]
)
def test_an_interrupted_trial_is_queued_again(
    error: Callable[[], NoReturn], study: optuna.Study, lock: Path
) -> None:
    run_and_raise(study, lock, error)
    failed, retry = study.trials
    assert (failed.state, retry.state) == (TrialState.FAIL, TrialState.WAITING)
    assert retry.system_attrs["fixed_params"] == failed.params
    assert count_finished(study) == 0


def test_a_trial_with_a_bug_is_not_queued_again(study: optuna.Study, lock: Path) -> None:
    run_and_raise(study, lock, fail)
    assert [trial.state for trial in study.trials] == [TrialState.FAIL]
    assert count_finished(study) == 1


def test_a_trial_that_is_interrupted_while_its_worker_is_stored_is_queued_again(
    study: optuna.Study, lock: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(worker_module, "record_worker", interrupt)
    with pytest.raises(KeyboardInterrupt):
        run_one_trial(study, lambda _: 1.0, lock)
    assert [trial.state for trial in study.trials] == [TrialState.FAIL, TrialState.WAITING]
    assert count_finished(study) == 0


def test_a_trial_has_its_worker_from_its_start(study: optuna.Study, lock: Path) -> None:
    seen: list[WorkerId] = []

    def objective(trial: optuna.Trial) -> float:
        seen.append(worker_of(trial.study.trials[trial.number]))
        return 0.5

    study.enqueue_trial({"x": 0.5}, user_attrs={WORKER: ["elsewhere", 1, 1.0]})
    for _ in range(2):  # the waiting trial, then a new one
        run_one_trial(study, objective, lock)
    assert all(is_same_worker(worker, own_id()) for worker in seen)
    assert [trial.number for trial in study.trials] == [0, 1]


class BlockingSampler(optuna.samplers.RandomSampler):
    """Samples only when it is told to."""

    def __init__(self) -> None:
        super().__init__()
        self.is_sampling, self.may_sample = threading.Event(), threading.Event()

    def infer_relative_search_space(self, *_: Any) -> dict[str, BaseDistribution]:
        return {"x": FloatDistribution(0, 1)}

    def sample_relative(self, *_: Any) -> dict[str, Any]:
        self.is_sampling.set()
        assert self.may_sample.wait(60)
        return {"x": 0.5}


def test_another_process_takes_a_trial_while_a_sampler_works(
    study: optuna.Study, tmp_path: Path, lock: Path
) -> None:
    sampler = BlockingSampler()
    slow = optuna.load_study(study_name="s", storage=open_storage(url(tmp_path)), sampler=sampler)

    def objective(trial: optuna.Trial) -> float:
        return trial.suggest_float("x", 0, 1)

    thread = threading.Thread(target=run_one_trial, args=(slow, objective, lock))
    thread.start()
    assert sampler.is_sampling.wait(60)
    run_one_trial(study, lambda _: 0.25, lock)
    assert [t.state for t in study.trials] == [TrialState.RUNNING, TrialState.COMPLETE]
    requeue_orphans(study, lock)
    assert study.trials[0].state == TrialState.RUNNING, "its process works"
    sampler.may_sample.set()
    thread.join()
    assert [t.value for t in study.trials] == [0.5, 0.25]
