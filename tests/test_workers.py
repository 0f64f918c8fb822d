import os
import threading
from multiprocessing import get_context
from pathlib import Path
from typing import Any

import optuna
import pytest
from optuna.trial import TrialState
from tiny import TINY, objective, opened, url

from data.errors import InputError
from data.splits import Split
from hpo.runtime import worker
from hpo.runtime.launcher import Outcome, ProcessLauncher, WorkerBug, WorkerCrash
from hpo.runtime.progress import Progress
from hpo.runtime.requeue import OWNER, WorkerId, worker_id
from hpo.runtime.supervisor import HangDetector, supervise
from hpo.runtime.worker import WorkerPhase, run_worker
from hpo.study.budget import Budget, request_stop
from hpo.study.settings import RunConfig
from hpo.study.storage import open_storage


@pytest.fixture
def study(in_tmp: Path, parts: Split) -> optuna.Study:
    return opened(in_tmp, parts)


def job_in(folder: Path, n_trials: int = 3, n_workers: int = 1) -> RunConfig:
    return RunConfig(TINY, url(folder), "s", Budget(n_trials), workers=n_workers)


def lets_work(
    study: optuna.Study, goal: Any, folder: Path, parts: Split, patch: pytest.MonkeyPatch
) -> None:
    """Let a worker take three trials of the study with a goal of the test's own."""
    storage = open_storage(url(folder))
    todo = WorkerPhase(storage, study, study, goal, Budget(3), objective(parts, folder).files)
    patch.setitem(worker.PHASES, "search", lambda *_: todo)
    run_worker(job_in(folder), "search")


def test_three_bugs_in_a_row_end_the_worker_with_the_bug(
    study: optuna.Study, in_tmp: Path, parts: Split, monkeypatch: pytest.MonkeyPatch
) -> None:
    def buggy(trial: optuna.Trial) -> float:
        raise ZeroDivisionError(trial.number)

    with pytest.raises(ZeroDivisionError):
        lets_work(study, buggy, in_tmp, parts, monkeypatch)
    assert [t.state for t in study.trials] == [TrialState.FAIL] * 3


def test_a_bug_now_and_then_costs_its_trials_alone(
    study: optuna.Study, in_tmp: Path, parts: Split, monkeypatch: pytest.MonkeyPatch
) -> None:
    def sometimes(trial: optuna.Trial) -> float:
        return 1 / (trial.number - 1)

    lets_work(study, sometimes, in_tmp, parts, monkeypatch)
    states = [TrialState.COMPLETE, TrialState.FAIL, TrialState.COMPLETE]
    assert [t.state for t in study.trials] == states


def test_a_worker_that_slept_while_its_trial_was_put_back_goes_on(
    study: optuna.Study, in_tmp: Path, parts: Split, monkeypatch: pytest.MonkeyPatch
) -> None:
    def sleeps_through_the_grace(trial: optuna.Trial) -> float:
        trial.set_user_attr(OWNER, worker_id(os.getpid()))
        if trial.number == 0:
            trial.study.enqueue_trial({}, user_attrs={"retry_of": 0})
            trial.study.tell(trial.number, state=TrialState.FAIL)
        trial.report(0.5, 1)
        return 0.5

    lets_work(study, sleeps_through_the_grace, in_tmp, parts, monkeypatch)
    assert [t.state for t in study.trials] == [TrialState.FAIL] + [TrialState.COMPLETE] * 3


def test_a_stop_request_ends_the_worker_after_its_trial(
    study: optuna.Study, in_tmp: Path, parts: Split, monkeypatch: pytest.MonkeyPatch
) -> None:
    def stopping(trial: optuna.Trial) -> float:
        request_stop(trial.study)
        return 0.5

    lets_work(study, stopping, in_tmp, parts, monkeypatch)
    assert [t.state for t in study.trials] == [TrialState.COMPLETE]


class Script:
    """A launcher whose workers end as a script says, one word per start."""

    def __init__(self, *outcomes: Outcome) -> None:
        self.outcomes, self.started, self.stopped = list(outcomes), [0], False
        self.now: dict[int, Outcome] = {}

    def start(self, run_config: RunConfig, phase: str, index: int) -> None:
        self.started.append(index)
        self.now[index] = self.outcomes.pop(0)

    def wait(self, seconds: float) -> dict[int, Outcome]:
        ended, self.now = self.now, {}
        return ended

    def running(self) -> dict[int, WorkerId]:
        return dict.fromkeys(self.now, ("host", 1, "1"))

    def kill(self, index: int) -> None:
        raise AssertionError(index)

    def stop(self) -> set[WorkerId]:
        self.stopped = True
        return set()


def beat_for_ever(*_: object) -> None:
    threading.Thread(target=threading.Event().wait).start()  # as a heartbeat cut off at its start
    raise KeyboardInterrupt


def test_a_worker_whose_heart_goes_on_beating_ends(
    in_tmp: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(worker, "run_worker", beat_for_ever)
    launcher = ProcessLauncher()
    launcher._context = get_context("fork")  # type: ignore[assignment]  # sees what is patched
    launcher.start(job_in(in_tmp), "search", 0)
    ended = launcher.wait(20)
    assert str(ended[0]) == "by SIGTERM"
    assert not launcher.running()


@pytest.mark.parametrize(
    ("outcomes", "error"),
    [
        ([None, None], None),
        ([WorkerCrash("by SIGSEGV"), None, None], None),
        ([WorkerCrash("by SIGKILL")] * 6, "5 workers died in a row.*SIGKILL.*lower --workers"),
        ([InputError("disk is full"), None], "disk is full"),
        ([None, WorkerBug("Traceback")], "Traceback"),
    ],
)
def test_a_dead_worker_is_replaced_and_any_other_failure_ends_the_study(
    outcomes: list[Outcome], error: str | None, study: optuna.Study, in_tmp: Path
) -> None:
    launcher, shown = Script(*outcomes), Progress(study, 3, 2)
    run_config = job_in(in_tmp, n_workers=2)
    if error is None:
        supervise(run_config, "search", run_config.budget, launcher, shown)
        assert launcher.outcomes == []
    else:
        with pytest.raises((InputError, WorkerBug), match=error):
            supervise(run_config, "search", run_config.budget, launcher, shown)
    assert launcher.stopped


def test_a_trial_without_progress_is_noticed_and_one_with_progress_is_not(
    study: optuna.Study, monkeypatch: pytest.MonkeyPatch
) -> None:
    now = 0.0
    monkeypatch.setattr("hpo.runtime.supervisor.time.monotonic", lambda: now)
    slow, stuck = study.ask(), study.ask()
    slow.set_user_attr(OWNER, ["host", 1, "1"])
    stuck.set_user_attr(OWNER, ["host", 2, "1"])
    watch = HangDetector(10.0)
    assert watch.hanging(study.trials) == []
    now = 9.0
    slow.report(0.1, 1)
    assert watch.hanging(study.trials) == []
    now = 11.0
    assert watch.hanging(study.trials) == [("host", 2, "1")]
    now = 25.0
    assert len(watch.hanging(study.trials)) == 2
