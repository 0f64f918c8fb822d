"""A worker in this process: the phases, failed trials, interruptions."""

from collections.abc import Callable
from pathlib import Path
from typing import NoReturn

import optuna
import pytest
import torch
from crashing import one_thread, pack_20, tiny_run  # noqa: F401
from optuna.trial import TrialState
from tiny import objective, opened, tiny_config, url

from data.errors import InputError
from data.splits import Split
from hpo.runtime import worker_phases
from hpo.runtime.requeue import record_worker
from hpo.runtime.worker import run_worker
from hpo.runtime.worker_phases import WorkerPhase, worker_device
from hpo.study.budget import Budget, request_stop
from hpo.study.storage import open_storage

COMPLETE, FAIL = TrialState.COMPLETE, TrialState.FAIL


@pytest.fixture
def study(in_tmp: Path, parts: Split) -> optuna.Study:
    return opened(in_tmp, parts)


Runner = Callable[[Callable[[optuna.Trial], float]], None]


@pytest.fixture
def run_objective(
    study: optuna.Study, in_tmp: Path, parts: Split, monkeypatch: pytest.MonkeyPatch
) -> Runner:
    """Let a worker run three trials of the study with an objective of the test."""

    def run(test_objective: Callable[[optuna.Trial], float]) -> None:
        (in_tmp / "files").mkdir()  # the worker deletes all other files there
        storage, files = open_storage(url(in_tmp)), objective(parts, in_tmp / "files").files
        work = WorkerPhase(storage, study, study, test_objective, Budget(3), files)
        monkeypatch.setitem(worker_phases.PHASES, "search", lambda *_: work)
        run_worker(tiny_config(in_tmp), "search")

    return run


def states(study: optuna.Study) -> list[TrialState]:
    return [trial.state for trial in study.trials]


def test_three_failed_trials_in_a_row_end_the_worker_with_the_error(
    study: optuna.Study, run_objective: Runner
) -> None:
    def fail(trial: optuna.Trial) -> float:
        raise ZeroDivisionError(trial.number)

    with pytest.raises(ZeroDivisionError):
        run_objective(fail)
    assert states(study) == [FAIL] * 3


def test_a_failed_trial_now_and_then_costs_only_itself(
    study: optuna.Study, run_objective: Runner
) -> None:
    run_objective(lambda trial: 1 / (trial.number - 1))
    assert states(study) == [COMPLETE, FAIL, COMPLETE]


def test_a_worker_that_was_suspended_while_its_trial_was_queued_again_continues(
    study: optuna.Study, run_objective: Runner
) -> None:
    def sleep_past_the_grace_period(trial: optuna.Trial) -> float:
        record_worker(trial)
        if trial.number == 0:
            trial.study.enqueue_trial({}, user_attrs={"retry_of": 0})
            trial.study.tell(trial.number, state=FAIL)
        trial.report(0.5, 1)
        return 0.5

    run_objective(sleep_past_the_grace_period)
    assert states(study) == [FAIL] + [COMPLETE] * 3


def test_a_stop_request_ends_the_worker_after_its_trial(
    study: optuna.Study, run_objective: Runner
) -> None:
    def request(trial: optuna.Trial) -> float:
        request_stop(trial.study)
        return 0.5

    run_objective(request)
    assert states(study) == [COMPLETE]


@pytest.mark.parametrize("is_new", [False, True])
def test_a_study_that_is_deleted_ends_the_worker_with_one_line(
    is_new: bool,
    study: optuna.Study,
    in_tmp: Path,
    parts: Split,
    run_objective: Runner,
    capsys: pytest.CaptureFixture[str],
) -> None:
    def delete_study(trial: optuna.Trial) -> float:
        optuna.delete_study(study_name="s", storage=url(in_tmp))
        if is_new:  # SQLite gives it the number of the deleted one
            opened(in_tmp, parts)
        trial.report(0.5, step=1)
        return 0.5

    with pytest.raises(InputError, match=r"Study 's'.*deleted.*again"):
        run_objective(delete_study)
    assert "Traceback" not in capsys.readouterr().err


def test_a_database_that_is_deleted_ends_the_worker_with_one_line(
    study: optuna.Study,
    in_tmp: Path,
    run_objective: Runner,
    capsys: pytest.CaptureFixture[str],
) -> None:
    def delete_file(trial: optuna.Trial) -> float:
        for path in in_tmp.glob("study.db*"):
            path.unlink()
        return 0.5

    with pytest.raises(InputError, match=r"study\.db.*deleted"):
        run_objective(delete_file)
    assert "Traceback" not in capsys.readouterr().err
    assert not list(in_tmp.glob("study.db*"))


def fill_the_disk() -> NoReturn:
    raise InputError("The disk is full.")


def interrupt_in_a_library() -> NoReturn:
    try:
        raise KeyboardInterrupt
    except KeyboardInterrupt as error:
        raise RuntimeError("the library replaced it") from error


@pytest.mark.parametrize(
    ("stop", "error"), [(fill_the_disk, InputError), (interrupt_in_a_library, KeyboardInterrupt)]
)
def test_a_full_disk_and_an_interruption_end_the_worker_at_once(
    stop: Callable[[], NoReturn],
    error: type[BaseException],
    study: optuna.Study,
    run_objective: Runner,
) -> None:
    with pytest.raises(error):
        run_objective(lambda _: stop())
    assert states(study) == [FAIL, TrialState.WAITING]


@pytest.mark.parametrize(
    ("device", "n_gpus", "expected"),
    [("auto", 0, "auto"), ("auto", 1, "auto"), ("cuda", 2, "cuda:1"), ("cpu", 2, "cpu")],
)
def test_several_gpus_are_assigned_in_turn(
    device: str, n_gpus: int, expected: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(torch.cuda, "device_count", lambda: n_gpus)
    assert worker_device(device, 3) == expected
