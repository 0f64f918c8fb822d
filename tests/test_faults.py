"""What a fault may cost: in-process faults, and (slow) real processes that are killed.

FAULT_KILLS sets how often the long study is killed (default 2; the form in docs/study.md has 20).
"""

import os
import random
import resource
import signal
import sqlite3
import time
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from dataclasses import replace
from functools import partial
from pathlib import Path

import optuna
import psutil
import pytest
import torch
from crashing import (
    N_FEW_TRIALS,
    N_KILLS,
    N_TRIALS,
    STUDY_NAME,
    TINY_STUDY,
    checkpoints,
    finish,
    first_results,
    kill_all,
    one_thread,  # noqa: F401
    output,
    pack_20,
    results,
    running,
    start,
    tiny_run,
    trials,
    wait_until,
    worker_pids,
)
from optuna.trial import FrozenTrial, TrialState

from data.episodes import Dataset
from data.errors import InputError
from hpo.runtime.requeue import worker_of
from hpo.runtime.worker import run_worker
from hpo.runtime.worker_phases import open_run
from hpo.settings.study_settings import StudyConfig
from hpo.study.budget import request_stop
from hpo.study.plan import EPOCH_SECONDS
from hpo.study.storage import GRACE_HEARTBEATS, open_storage
from hpo.study.trials import RETRY_OF

TWO_EPOCHS = replace(TINY_STUDY, max_epochs=2)
FILE_LIMIT = 1_000_000  # bytes: enough for the database, not for a checkpoint


@pytest.fixture(scope="module")
def packed_20(packed_105: Dataset, tmp_path_factory: pytest.TempPathFactory) -> Path:
    return pack_20(packed_105, tmp_path_factory.mktemp("packed"))


MakeRun = Callable[..., StudyConfig]


@pytest.fixture
def make_run(
    packed_20: Path,
    tmp_path: Path,
    one_thread: None,  # noqa: F811
) -> MakeRun:
    """Return a function that returns a tiny run in a new folder of a given name."""

    def make(name: str, n_trials: int) -> StudyConfig:
        (tmp_path / name).mkdir(exist_ok=True)
        return tiny_run(tmp_path / name, packed_20, n_trials, TWO_EPOCHS, checkpoint_interval=0.0)

    return make


def trials_of(run: StudyConfig) -> list[FrozenTrial]:
    with closing(open_storage(run.storage)) as storage:
        return optuna.load_study(study_name=run.study_name, storage=storage).trials


@contextmanager
def full_disk() -> Iterator[None]:
    """Let no file grow beyond a limit."""
    limits = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (FILE_LIMIT, limits[1]))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, limits)


@pytest.fixture(scope="module")
def reference(packed_20: Path, tmp_path_factory: pytest.TempPathFactory) -> StudyConfig:
    """A run of two trials without a fault, on one thread."""
    folder, n_threads = tmp_path_factory.mktemp("reference"), torch.get_num_threads()
    torch.set_num_threads(1)
    run = tiny_run(folder, packed_20, 2, TWO_EPOCHS)
    run_worker(run, "search")
    torch.set_num_threads(n_threads)
    return run


def test_sessions_and_a_full_disk_change_no_result(
    reference: StudyConfig, make_run: MakeRun
) -> None:
    run = make_run("interrupted", 2)
    run_worker(replace(run, n_trials=1), "search")
    with full_disk(), pytest.raises(InputError, match=r"fit\.pt"):
        run_worker(run, "search")
    assert [t.state for t in trials_of(run)] == [
        TrialState.COMPLETE,
        TrialState.FAIL,
        TrialState.WAITING,
    ]
    run_worker(run, "search")
    assert results(trials_of(run)) == results(trials_of(reference))
    assert sorted(results(trials_of(run))) == [0, 1]


def test_a_time_budget_counts_the_work_of_all_runs(make_run: MakeRun) -> None:
    run = replace(make_run("timed", 0), n_trials=999, time_budget=0.01)
    open_run(run)[1].set_user_attr(EPOCH_SECONDS, 0.01)
    run_worker(run, "search")
    n_trials = len(trials_of(run))
    run_worker(run, "search")
    assert len(trials_of(run)) == n_trials == 1


def test_a_folder_that_cannot_be_made_is_an_input_error(make_run: MakeRun) -> None:
    run = make_run("blocked", 1)
    run.var.mkdir()
    (run.var / "trials").write_text("a file where the folder of the checkpoints should be")
    with pytest.raises(InputError, match="var/trials"):
        run_worker(run, "search")


def test_a_damaged_database_is_an_input_error_and_a_copy_can_be_resumed(
    reference: StudyConfig, make_run: MakeRun, tmp_path: Path
) -> None:
    original = reference.var.parent / "study.db"
    with closing(sqlite3.connect(original)) as connection:
        connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")
    content = original.read_bytes()
    half = len(content) // 2
    for name, damaged in (
        ("truncated", content[:half]),
        ("overwritten", content[:4096] + b"#" * (len(content) - 4096)),
    ):
        run = make_run(name, 3)
        (tmp_path / name / "study.db").write_bytes(damaged)
        with pytest.raises(InputError, match=r"study\.db.*restore"):
            run_worker(run, "search")
    copy = make_run("copy", 3)
    (tmp_path / "copy/study.db").write_bytes(content)
    run_worker(copy, "search")
    completed = results(trials_of(copy))
    assert sorted(completed) == [0, 1, 2]
    expected = results(trials_of(reference))
    assert {i: completed[i] for i in expected} == expected


@pytest.fixture(scope="module")
def uninterrupted(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of a study that was run without a fault."""
    folder = tmp_path_factory.mktemp("uninterrupted")
    finish(folder)
    return folder


@pytest.fixture
def home(uninterrupted: Path, tmp_path: Path) -> Path:
    """An empty folder with the packed data set."""
    (tmp_path / "var").mkdir()
    (tmp_path / "var/cache").symlink_to(uninterrupted / "var/cache")
    return tmp_path


def require_complete(folder: Path, n_trials: int) -> None:
    """Require that every trial was completed or pruned, and that no checkpoint is left."""
    completed = results(trials(folder))
    assert sorted(completed) == list(range(n_trials))
    assert {state for state, *_ in completed.values()} <= {"COMPLETE", "PRUNED"}
    assert not [t for t in trials(folder) if not t.state.is_finished()]
    assert checkpoints(folder) == []


@pytest.mark.slow
def test_a_study_that_is_killed_again_and_again_equals_the_uninterrupted_one(
    uninterrupted: Path, home: Path
) -> None:
    def has_a_running_trial_or_ended() -> bool:
        return bool(running(home)) or process.poll() is not None

    rng, n_running, n_checkpoints = random.Random(0), 0, 0
    for kill in range(N_KILLS):
        process, number = start(home), signal.SIGKILL
        if kill == 0:  # at least one kill hits a trial that has left a checkpoint
            wait_until(lambda: running(home) and checkpoints(home))
        else:
            wait_until(has_a_running_trial_or_ended)
            time.sleep(rng.uniform(0.0, 1.0))  # a random moment
            number = rng.choice([signal.SIGKILL, signal.SIGKILL, signal.SIGTERM])
        assert process.poll() is None, "the study ended before the last kill"
        kill_all(process, number)
        n_running += bool(running(home))
        n_checkpoints += len(checkpoints(home))
    finish(home)
    assert n_running > 0, "no kill hit a trial"
    assert n_checkpoints > 0, "no kill left a checkpoint"
    assert results(trials(home)) == results(trials(uninterrupted))
    require_complete(home, N_TRIALS)


@pytest.mark.slow
def test_workers_that_crash_are_replaced_and_their_trials_resumed(
    uninterrupted: Path, home: Path
) -> None:
    process, killed = start(home, n_trials=N_FEW_TRIALS), set[int]()
    for number in (signal.SIGSEGV, signal.SIGKILL):
        pid = wait_until(lambda: worker_pids(home) - killed).pop()
        assert pid != process.pid
        os.kill(pid, number)
        killed.add(pid)
    assert process.wait(timeout=120) == 0, output(home)
    assert "was killed by SIGSEGV" in output(home)
    assert "was killed by SIGKILL" in output(home)
    assert results(trials(home)) == first_results(uninterrupted, N_FEW_TRIALS)
    require_complete(home, N_FEW_TRIALS)


@pytest.mark.slow
def test_workers_end_when_their_supervisor_is_killed(home: Path) -> None:
    process = start(home, "--workers", "2", n_trials=999)
    pids = {worker_of(trial).pid for trial in wait_until(partial(two_running, home))}
    process.kill()
    process.wait()
    wait_until(lambda: not any(psutil.pid_exists(pid) for pid in pids), 20)
    states = [trial.state for trial in trials(home)]
    assert TrialState.RUNNING not in states
    assert states.count(TrialState.WAITING) == states.count(TrialState.FAIL)


def two_running(folder: Path) -> list[FrozenTrial]:
    found = running(folder)
    return found if len(found) == 2 else []


@contextmanager
def locked(folder: Path) -> Iterator[sqlite3.Connection]:
    """Hold the write lock of the database, so that no other process is in a transaction."""
    path = folder / "study.db"
    with closing(sqlite3.connect(path, timeout=30, isolation_level=None)) as connection:
        connection.execute("BEGIN IMMEDIATE")
        yield connection
        connection.execute("COMMIT")


@pytest.mark.slow
def test_a_process_that_sleeps_past_the_grace_period_loses_its_trial_and_continues(
    home: Path,
) -> None:
    flags, n_trials = ("--heartbeat", "30"), 4
    first = start(home, *flags, n_trials=n_trials)
    number = wait_until(lambda: running(home))[0].number
    with locked(home) as connection:
        os.killpg(first.pid, signal.SIGSTOP)
        shift = f"-{30 * (GRACE_HEARTBEATS + 2)} seconds"
        connection.execute(
            "UPDATE trial_heartbeats SET heartbeat = datetime(heartbeat, ?)", (shift,)
        )
    second = start(home, *flags, n_trials=n_trials)
    wait_until(lambda: number in {t.user_attrs.get(RETRY_OF) for t in trials(home)})
    os.killpg(first.pid, signal.SIGCONT)
    assert [process.wait(timeout=120) for process in (first, second)] == [0, 0], output(home)
    assert trials(home)[number].state == TrialState.FAIL
    assert "Traceback" not in output(home)
    n_results = len(results(trials(home)))
    require_complete(home, n_results)
    assert n_trials <= n_results <= n_trials + 1


@pytest.mark.slow
def test_a_stop_request_ends_a_study_after_its_running_trial(home: Path) -> None:
    process = start(home, n_trials=999)
    wait_until(lambda: running(home))
    with closing(open_storage(f"sqlite:///{home}/study.db")) as storage:
        request_stop(optuna.load_study(study_name=STUDY_NAME, storage=storage))
    assert process.wait(timeout=60) == 0
    assert "paused" in output(home)
    assert all(trial.state.is_finished() for trial in trials(home))
