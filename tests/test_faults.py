"""Real processes, real signals: what a crash may cost, and what it may not.

FAULT_KILLS sets how often the long study is killed (default 2; the README's long form has 20).
"""

import os
import random
import resource
import signal
import time
from functools import partial
from pathlib import Path

import pytest
from crashing import (
    FEW,
    N_KILLS,
    N_TRIALS,
    checkpoints,
    finish,
    first,
    kill_all,
    running,
    said,
    start,
    story,
    trials,
    under_way_or_over,
    until,
)
from optuna.trial import TrialState

from hpo.runtime.requeue import worker_id, worker_of
from hpo.study.storage import GRACE
from hpo.study.trials import RETRY_OF


@pytest.fixture(scope="module")
def uninterrupted(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("uninterrupted")
    finish(folder)
    return folder


@pytest.fixture
def home(uninterrupted: Path, tmp_path: Path) -> Path:
    """Return an empty folder with the packed data."""
    (tmp_path / "var").mkdir()
    (tmp_path / "var/cache").symlink_to(uninterrupted / "var/cache")
    return tmp_path


def check_nothing_is_lost(folder: Path, n_trials: int) -> None:
    """Every place of the study ended by itself; nothing runs, waits or lies about."""
    assert sorted(story(folder)) == list(range(n_trials))
    assert {state for state, *_ in story(folder).values()} <= {"COMPLETE", "PRUNED"}
    assert not [t for t in trials(folder) if not t.state.is_finished()]
    assert list(folder.glob("var/trials/*/*.pt")) == []


def test_a_study_that_is_killed_again_and_again_equals_the_uninterrupted_one(
    uninterrupted: Path, home: Path
) -> None:
    rng, n_under_way, n_kept = random.Random(0), 0, 0
    for kill in range(N_KILLS):
        process, number = start(home), signal.SIGKILL
        if kill == 0:  # one is sure to strike a trial that has left a checkpoint
            until(lambda: running(home) and checkpoints(home))
        else:
            until(partial(under_way_or_over, home, process))
            time.sleep(rng.uniform(0.0, 1.0))
            number = rng.choice([signal.SIGKILL, signal.SIGKILL, signal.SIGTERM])
        assert process.poll() is None, "the study ended before the last kill"
        kill_all(process, number)
        n_under_way += bool(running(home))
        n_kept += len(checkpoints(home))
    finish(home)
    assert n_under_way > 0, "no kill struck a trial"
    assert n_kept > 0, "no kill left a checkpoint"
    assert story(home) == story(uninterrupted)
    check_nothing_is_lost(home, N_TRIALS)


def test_a_study_in_sessions_equals_the_uninterrupted_one(uninterrupted: Path, home: Path) -> None:
    for n_trials in (2, FEW):
        finish(home, n_trials=n_trials)
    assert story(home) == first(FEW, uninterrupted)


def test_workers_that_crash_or_hang_are_replaced_and_their_trials_go_on(
    uninterrupted: Path, home: Path
) -> None:
    process, struck = start(home, "--epoch-timeout", "8"), {0}

    def another() -> int:
        pids = [worker_of(trial)[1] for trial in running(home)]
        return next((pid for pid in pids if pid not in struck), 0)

    for number in (signal.SIGSEGV, signal.SIGKILL, signal.SIGSTOP):
        pid = until(another)
        assert pid != process.pid
        os.kill(pid, number)
        struck.add(pid)
    assert process.wait(timeout=120) == 0, said(home)
    assert said(home).count("another takes its place") == 3
    assert story(home) == story(uninterrupted)
    check_nothing_is_lost(home, N_TRIALS)


def test_workers_end_when_their_supervisor_is_killed(home: Path) -> None:
    process = start(home, "--workers", "2")
    owners = {worker_of(trial) for trial in until(lambda: running(home))}
    process.kill()
    process.wait()
    until(lambda: not any(worker_id(owner[1]) == owner for owner in owners), 20)
    finish(home, "--workers", "2", n_trials=4)
    check_nothing_is_lost(home, len(story(home)))


def test_a_process_that_sleeps_past_the_grace_loses_its_trial_and_goes_on(home: Path) -> None:
    first = start(home, "--heartbeat", "1", n_trials=6)
    number = until(lambda: running(home))[0].number
    os.killpg(first.pid, signal.SIGSTOP)
    time.sleep(GRACE + 2)
    second = start(home, "--heartbeat", "1", n_trials=6)
    until(lambda: number in {t.user_attrs.get(RETRY_OF) for t in trials(home)})
    os.killpg(first.pid, signal.SIGCONT)
    assert [process.wait(timeout=120) for process in (first, second)] == [0, 0], said(home)
    assert trials(home)[number].state == TrialState.FAIL
    assert "Traceback" not in said(home)
    check_nothing_is_lost(home, len(story(home)))
    assert 6 <= len(story(home)) <= 7


def test_a_stop_request_ends_a_study_after_the_trials_under_way(home: Path) -> None:
    process = start(home, n_trials=999)
    until(lambda: running(home))
    finish(home, "--stop")
    assert process.wait(timeout=60) == 0
    assert "will end after its trial" in said(home)
    assert "paused:" in said(home)
    assert not [t for t in trials(home) if not t.state.is_finished()]


def test_a_time_budget_counts_the_work_of_all_runs(home: Path) -> None:
    finish(home, "--time-budget", "5", "--max-epochs", "1", n_trials=999)
    n_trials = len(trials(home))
    finish(home, "--time-budget", "5", "--max-epochs", "1", n_trials=999)
    assert len(trials(home)) == n_trials > 1


def small_files(limit: int = 2_000_000) -> None:
    """Let no file grow beyond a limit, as on a full disk; the small ones of a study fit."""
    resource.setrlimit(resource.RLIMIT_FSIZE, (limit, limit))


def test_a_full_disk_is_one_line_and_what_was_stored_goes_on(
    uninterrupted: Path, home: Path
) -> None:
    finish(home, n_trials=2)
    before = story(home)
    process = start(home, "--checkpoint-interval", "0", n_trials=FEW, before=small_files)
    assert process.wait(timeout=60) == 2
    last = said(home).splitlines()[-1]
    assert last.startswith("error: ")
    assert "cannot be written" in last
    assert "Free space" in last
    assert "Traceback" not in said(home)
    assert {place: story(home)[place] for place in before} == before
    finish(home, n_trials=FEW)
    assert story(home) == first(FEW, uninterrupted)


def test_a_folder_that_cannot_be_made_is_one_line(home: Path) -> None:
    (home / "var/trials").write_text("a file where the folder of the checkpoints should be")
    assert start(home).wait(timeout=60) == 2
    assert "error: Folder var/trials/" in said(home)
    assert "cannot be made" in said(home)


def test_a_damaged_database_is_one_line_and_is_left_alone(home: Path) -> None:
    finish(home, n_trials=1)
    whole = (home / "study.db").read_bytes()
    torn, overwritten = whole[: len(whole) // 2], whole[:4096] + b"#" * (len(whole) - 4096)
    for broken in (torn, overwritten):
        (home / "study.db").write_bytes(broken)
        assert start(home).wait(timeout=60) == 2
        last = said(home).splitlines()[-1]
        assert last.startswith("error: Storage sqlite:///study.db cannot be used")
        assert "restore a copy" in last
    (home / "study.db").write_bytes(whole)
    finish(home, n_trials=2)
