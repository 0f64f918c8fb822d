"""Workers as processes: real ones that are killed, hang or are told to stop, and fake ones."""

import os
import signal
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any, NoReturn

import optuna
import psutil
import pytest
import torch
from crashing import TINY_STUDY, pack_20, results, tiny_run, wait_until
from optuna.study import Study
from optuna.trial import FrozenTrial, TrialState
from worker_targets import (
    FAULTS,
    exit_with_3,
    run_with_endless_thread,
    run_with_faults,
    run_with_one_thread,
    sleep_for_ever,
)

from data.episodes import Dataset
from data.errors import InputError
from hpo.runtime import launcher as module
from hpo.runtime import progress, supervisor, worker
from hpo.runtime.launcher import ProcessLauncher, WorkerCrash, WorkerError, _run_process
from hpo.runtime.phases import run_phases
from hpo.runtime.processes import CONTEXT, handle_signals, start_forkserver
from hpo.runtime.requeue import worker_of
from hpo.settings.study_settings import StudyConfig

pytestmark = pytest.mark.usefixtures("console")

N_TRIALS = 3
SETTINGS = replace(TINY_STUDY, max_epochs=4)


@pytest.fixture(scope="module")
def packed_20(packed_105: Dataset, tmp_path_factory: pytest.TempPathFactory) -> Path:
    start_forkserver()
    return pack_20(packed_105, tmp_path_factory.mktemp("packed"))


@pytest.fixture(autouse=True)
def _short_polls(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(supervisor, "POLL_SECONDS", 0.02)


@pytest.fixture
def _restored_handlers() -> Iterator[None]:
    handlers = [(n, signal.getsignal(n)) for n in (signal.SIGINT, signal.SIGTERM)]
    yield
    for number, handler in handlers:
        signal.signal(number, handler)


@pytest.fixture
def run(in_tmp: Path, packed_20: Path) -> StudyConfig:
    return tiny_run(in_tmp, packed_20, N_TRIALS, SETTINGS, checkpoint_interval=0.0, max_retries=9)


class Clock:
    """A clock for the hang detector that jumps ahead while a worker is suspended."""

    def __init__(self) -> None:
        self.now = 0.0

    def monotonic(self) -> float:
        return self.now

    def observe(self, study: Study) -> "ClockObserver":
        return ClockObserver(self, study)


class ClockObserver:
    def __init__(self, clock: Clock, study: Study) -> None:
        self.clock, self.study = clock, study

    def update(self, *, news: bool) -> None:
        self.clock.now += 2000.0 * any(is_suspended(worker_of(t).pid) for t in running(self.study))

    def finish(self) -> None:
        pass


def is_suspended(pid: int) -> bool:
    try:
        return bool(psutil.Process(pid).status() == psutil.STATUS_STOPPED)
    except psutil.NoSuchProcess:
        return False


def running(study: Study) -> list[FrozenTrial]:
    return study.get_trials(states=(TrialState.RUNNING,))


def test_killed_and_hanging_workers_are_replaced_and_change_no_result(
    run: StudyConfig,
    in_tmp: Path,
    packed_20: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    (in_tmp / "reference").mkdir()
    uninterrupted = tiny_run(in_tmp / "reference", packed_20, N_TRIALS, SETTINGS)
    monkeypatch.setattr(module, "_run_process", run_with_one_thread)
    expected = results(run_phases(uninterrupted, ProcessLauncher()).trials)
    monkeypatch.setattr(module, "_run_process", run_with_faults)
    clock = Clock()
    monkeypatch.setattr(progress, "time", clock)
    study = run_phases(run, ProcessLauncher(), [clock.observe])
    assert capsys.readouterr().err.count("was killed by SIGKILL") == len(FAULTS)
    assert clock.now > run.epoch_timeout, "one of them was suspended"
    assert results(study.trials) == expected
    assert {state for state, *_ in expected.values()} == {"COMPLETE"}
    assert sorted(expected) == list(range(N_TRIALS))
    assert len(study.trials) == N_TRIALS + len(FAULTS)
    assert all(trial.state.is_finished() for trial in study.trials)
    assert list(in_tmp.glob("var/trials/*/*.fit.pt")) == [], "no checkpoint is left"


class Stop:
    """An observer that sends SIGTERM to this process while a trial runs."""

    def __init__(self, study: Study) -> None:
        self.study = study

    def update(self, *, news: bool) -> None:
        if any(trial.intermediate_values for trial in running(self.study)):
            signal.raise_signal(signal.SIGTERM)

    def finish(self) -> None:
        pass


@pytest.mark.usefixtures("_restored_handlers")
def test_a_stopped_supervisor_stops_its_workers_which_queue_their_trials_again(
    run: StudyConfig,
) -> None:
    handle_signals()
    with pytest.raises(KeyboardInterrupt):
        run_phases(run, ProcessLauncher(), [Stop])
    trials = optuna.load_study(study_name="s", storage=run.storage).trials
    assert not [pid for pid in {worker_of(t).pid for t in trials} if is_worker(pid)]
    states = [trial.state for trial in trials]
    assert TrialState.RUNNING not in states
    assert states.count(TrialState.FAIL) <= 1
    assert states.count(TrialState.WAITING) == states.count(TrialState.FAIL)


def is_worker(pid: int) -> bool:
    return pid != os.getpid() and psutil.pid_exists(pid)


@pytest.mark.parametrize(
    ("target", "text"),
    [(run_with_endless_thread, "was killed by SIGTERM"), (exit_with_3, "exited with status 3")],
)
def test_a_worker_that_ends_by_itself_is_noticed(
    target: Callable[..., None], text: str, run: StudyConfig, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "_run_process", target)
    launcher = ProcessLauncher()
    launcher.start(run, "search", 5)
    [identity] = launcher.running().values()
    assert launcher._workers[5].process.pid == identity.pid
    outcomes = wait_until(lambda: launcher.wait(1.0), 120)
    assert isinstance(outcomes[5], WorkerCrash)
    assert str(outcomes[5]) == text
    assert not launcher.running()


def test_a_worker_that_ignores_sigterm_is_killed(
    run: StudyConfig, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "_run_process", sleep_for_ever)
    monkeypatch.setattr(module, "TERMINATE_SECONDS", 0.05)
    launcher = ProcessLauncher()
    launcher.start(run, "search", 0)
    [identity] = launcher.running().values()
    assert launcher.stop() == set()
    assert launcher.running() == {}
    assert not psutil.pid_exists(identity.pid)


class Exited(BaseException):
    pass


@pytest.mark.usefixtures("_restored_handlers")
@pytest.mark.parametrize(
    ("error", "outcome"),
    [
        (None, type(None)),
        (KeyboardInterrupt(), WorkerCrash),
        (InputError("The disk is full."), InputError),
        (ZeroDivisionError("a bug"), WorkerError),
    ],
)
def test_a_worker_sends_how_it_ended(
    error: BaseException | None,
    outcome: type[object],
    in_tmp: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def fake_worker(*_: object) -> None:
        if error is not None:
            raise error

    def fake_exit(status: int) -> NoReturn:
        raise Exited(status)

    threads: list[int] = []
    monkeypatch.setattr(worker, "run_worker", fake_worker)
    monkeypatch.setattr(module, "_end_with_parent", lambda: None)
    monkeypatch.setattr(torch, "set_num_threads", threads.append)
    monkeypatch.setattr(os, "_exit", fake_exit)
    receiver, sender = CONTEXT.Pipe(duplex=False)
    with pytest.raises(Exited, match="0"):
        _run_process(tiny_run(in_tmp, in_tmp, workers=64), "search", 0, sender)
    received = receiver.recv()
    assert isinstance(received, outcome)
    if error is not None and outcome is not WorkerCrash:
        assert str(error) in str(received)
    assert threads == [1], "the workers share the cores"


def test_a_worker_ends_with_its_parent(monkeypatch: pytest.MonkeyPatch) -> None:
    class Parent:
        def join(self) -> None:
            pass

    sent: list[Any] = []
    monkeypatch.setattr(module, "parent_process", Parent)
    monkeypatch.setattr(os, "kill", lambda *call: sent.append(call))
    module._end_with_parent()
    assert sent == [(os.getpid(), signal.SIGTERM)]


def test_a_worker_whose_parent_has_ended_exits_silently(monkeypatch: pytest.MonkeyPatch) -> None:
    def fake_exit(status: int) -> NoReturn:
        raise Exited(status)

    monkeypatch.setattr(os, "_exit", fake_exit)
    receiver, sender = CONTEXT.Pipe(duplex=False)
    receiver.close()
    with pytest.raises(Exited, match="0"):
        module._send_and_exit(None, sender)
