"""The supervisor with launchers that start no process."""

import os
from collections import Counter
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import optuna
import pytest
from crashing import one_thread, pack_20, tiny_run  # noqa: F401
from optuna.trial import TrialState, create_trial
from tiny import opened, tiny_config

from data.episodes import Dataset
from data.errors import InputError
from data.splits import Split
from hpo.runtime import progress as progress_module
from hpo.runtime import supervisor
from hpo.runtime.in_process import InProcessLauncher
from hpo.runtime.launcher import Launcher, Outcome, WorkerCrash, WorkerError
from hpo.runtime.phases import (
    affordable_finalists,
    is_search_over,
    run_phases,
)
from hpo.runtime.plan_log import describe_finalists
from hpo.runtime.progress import HangDetector, Progress
from hpo.runtime.requeue import WORKER, WorkerId, worker_id, worker_of
from hpo.runtime.supervisor import supervise
from hpo.search.winner import winner_accuracy, winning_trial
from hpo.settings.study_settings import StudyConfig
from hpo.study.budget import N_TRIALS, Budget, request_stop, study_budget
from hpo.study.open import IDENTITY, N_EPISODES
from hpo.study.plan import EPOCH_SECONDS
from hpo.study.trials import FINALISTS

pytestmark = pytest.mark.usefixtures("console")

DEAD = WorkerId("a node", 7, 1.0)


class FakeLauncher:
    """A launcher whose workers end with given outcomes, in the order of their starts."""

    def __init__(self, *outcomes: Outcome, identity: WorkerId = DEAD) -> None:
        self.outcomes, self.identity = list(outcomes), identity
        self.starts: list[tuple[str, int]] = []
        self.waiting: dict[int, Outcome] = {}
        self.killed: list[int] = []
        self.n_stops = 0

    def start(self, run: StudyConfig, phase: str, index: int) -> None:
        self.starts.append((phase, index))
        self.waiting[index] = self.outcomes.pop(0)

    def wait(self, seconds: float) -> dict[int, Outcome]:
        ended, self.waiting = self.waiting, {}
        return ended

    def running(self) -> dict[int, WorkerId]:
        return dict.fromkeys(self.waiting, self.identity)

    def kill(self, index: int) -> None:
        self.killed.append(index)

    def stop(self) -> set[WorkerId]:
        self.n_stops += 1
        return {self.identity} if self.waiting else set()


class RecordingLauncher(InProcessLauncher):
    """A launcher that runs workers in this process and records their starts."""

    def __init__(self) -> None:
        super().__init__()
        self.starts: list[tuple[str, int]] = []

    def start(self, run: StudyConfig, phase: str, index: int) -> None:
        self.starts.append((phase, index))
        super().start(run, phase, index)


class FakeObserver:
    def __init__(self) -> None:
        self.calls: list[Any] = []

    def update(self, *, news: bool) -> None:
        self.calls.append(news)

    def finish(self) -> None:
        self.calls.append("finish")


@pytest.fixture
def study(in_tmp: Path, parts: Split) -> optuna.Study:
    return opened(in_tmp, parts)


@pytest.fixture
def run(in_tmp: Path) -> StudyConfig:
    return tiny_config(in_tmp, var=in_tmp / "var")


def supervise_search(run: StudyConfig, study: optuna.Study, launcher: Launcher, *more: Any) -> None:
    supervise(run, "search", study_budget(run, study), launcher, Progress(study, 3, 2), *more)


def ask_as(study: optuna.Study, worker: WorkerId) -> optuna.Trial:
    """Start a trial as another worker."""
    trial = study.ask()
    trial.set_user_attr(WORKER, worker)
    return trial


def test_workers_run_until_no_work_is_left(study: optuna.Study, run: StudyConfig) -> None:
    launcher = FakeLauncher(None, None)
    supervise_search(replace(run, workers=2), study, launcher)
    assert launcher.starts == [("search", 0), ("search", 1)]
    assert launcher.n_stops == 1


def test_a_crashed_worker_is_replaced_and_its_trial_queued_again(
    study: optuna.Study, run: StudyConfig, capsys: pytest.CaptureFixture[str]
) -> None:
    ask_as(study, DEAD)
    launcher = FakeLauncher(WorkerCrash("was killed by SIGSEGV"), None, None)
    supervise_search(replace(run, workers=2), study, launcher)
    assert launcher.starts == [("search", 0), ("search", 1), ("search", 0)]
    assert [t.state for t in study.trials] == [TrialState.FAIL, TrialState.WAITING]
    assert "worker 0 was killed by SIGSEGV" in capsys.readouterr().err


def test_too_many_crashes_in_a_row_end_the_study(study: optuna.Study, run: StudyConfig) -> None:
    launcher = FakeLauncher(*[WorkerCrash("was killed by SIGKILL")] * 9)
    with pytest.raises(InputError, match=r"SIGKILL.*--workers.*another study.*--image-size"):
        supervise_search(run, study, launcher)
    assert len(launcher.starts) == 5
    assert launcher.n_stops == 1
    launcher = FakeLauncher(*[WorkerCrash("was killed by SIGKILL")] * 9)
    with pytest.raises(InputError):
        supervise_search(replace(run, max_retries=0), study, launcher)
    assert len(launcher.starts) == 3


def test_a_finished_trial_resets_the_count_of_crashes(
    study: optuna.Study, run: StudyConfig, monkeypatch: pytest.MonkeyPatch
) -> None:
    outcomes = [WorkerCrash("was killed by SIGKILL")] * 6 + [None]
    launcher, progress = FakeLauncher(*outcomes), Progress(study, 3, 2)
    monkeypatch.setattr(progress, "update", lambda: len(launcher.starts) == 4)
    supervise(run, "search", Budget(3), launcher, progress)
    assert launcher.outcomes == []


@pytest.mark.parametrize("error", [InputError("The disk is full."), WorkerError("Traceback")])
def test_any_other_error_of_a_worker_ends_the_study(
    error: Exception, study: optuna.Study, run: StudyConfig
) -> None:
    launcher = FakeLauncher(None, error)
    with pytest.raises(type(error), match=str(error)):
        supervise_search(replace(run, workers=2), study, launcher)
    assert launcher.n_stops == 1


def delete_file(study: optuna.Study) -> None:
    Path("study.db").unlink()


def delete_study(study: optuna.Study) -> None:
    optuna.delete_study(study_name="s", storage="sqlite:///study.db")


@pytest.mark.parametrize(("delete", "name"), [(delete_file, r"study\.db"), (delete_study, "'s'")])
@pytest.mark.parametrize("outcome", [None, WorkerCrash("was killed"), WorkerError("KeyError")])
def test_a_study_that_is_deleted_while_it_runs_ends_with_one_line(
    delete: Callable[[optuna.Study], None],
    name: str,
    outcome: Outcome,
    study: optuna.Study,
    run: StudyConfig,
    recwarn: pytest.WarningsRecorder,
) -> None:
    class DeletingLauncher(FakeLauncher):
        def wait(self, seconds: float) -> dict[int, Outcome]:
            delete(study)
            return super().wait(seconds)

    launcher, observer = DeletingLauncher(outcome), FakeObserver()
    with pytest.raises(InputError, match=f"{name}.*deleted.*again"):
        supervise_search(run, study, launcher, None, [lambda _: observer])
    assert launcher.n_stops == 1
    assert observer.calls == []
    assert not recwarn.list


def test_trials_of_workers_that_were_killed_at_the_end_are_queued_again(
    study: optuna.Study, run: StudyConfig, monkeypatch: pytest.MonkeyPatch
) -> None:
    def interrupt(seconds: float) -> dict[int, Outcome]:
        raise KeyboardInterrupt

    ask_as(study, DEAD)
    launcher = FakeLauncher(None)
    monkeypatch.setattr(launcher, "wait", interrupt)
    with pytest.raises(KeyboardInterrupt):
        supervise_search(run, study, launcher)
    assert [t.state for t in study.trials] == [TrialState.FAIL, TrialState.WAITING]


@pytest.mark.parametrize("reason", ["trials", "stop request"])
def test_no_worker_starts_without_work(reason: str, study: optuna.Study, run: StudyConfig) -> None:
    if reason == "trials":
        study.tell(study.ask(), 0.5)
    else:
        request_stop(study)
    launcher, observer = FakeLauncher(), FakeObserver()
    supervise_search(replace(run, n_trials=1), study, launcher, None, [lambda _: observer])
    assert launcher.starts == []
    assert observer.calls == ["finish"]


def test_finalists_stop_when_the_search_is_asked_to_stop(
    study: optuna.Study, run: StudyConfig
) -> None:
    finalists = optuna.create_study(
        storage=run.storage, study_name="finalists", direction="maximize"
    )
    finalists.set_user_attr("folder", "finalists")
    request_stop(study)
    launcher = FakeLauncher()
    supervise(run, "finalists", Budget(1), launcher, Progress(finalists, 1, 2), study)
    assert launcher.starts == []


def test_observers_hear_of_news_and_of_the_end(study: optuna.Study, run: StudyConfig) -> None:
    class Finishing(FakeLauncher):
        def wait(self, seconds: float) -> dict[int, Outcome]:
            study.tell(study.ask(), 0.5)
            return super().wait(seconds)

    observer = FakeObserver()
    launcher = Finishing(WorkerCrash("was killed by SIGKILL"), None)
    supervise_search(run, study, launcher, None, [lambda _: observer])
    assert observer.calls == [True, True, "finish"]


def test_a_trial_without_progress_hangs(
    study: optuna.Study, monkeypatch: pytest.MonkeyPatch
) -> None:
    now = 0.0
    monkeypatch.setattr(progress_module, "time", SimpleNamespace(monotonic=lambda: now))
    slow = ask_as(study, WorkerId("host", 1, 1.0))
    stuck = ask_as(study, WorkerId("host", 2, 1.0))
    detector = HangDetector(10.0)
    assert detector.hanging(study.trials) == []
    now = 9.0
    slow.report(0.1, 1)
    assert detector.hanging(study.trials) == []
    now = 11.0
    assert detector.hanging(study.trials) == [worker_of_trial(stuck, study)]
    now = 25.0
    assert len(detector.hanging(study.trials)) == 2


def worker_of_trial(trial: optuna.Trial, study: optuna.Study) -> WorkerId:
    return WorkerId(*study.trials[trial.number].user_attrs[WORKER])


def test_only_own_workers_that_hang_are_killed(
    study: optuna.Study, run: StudyConfig, monkeypatch: pytest.MonkeyPatch
) -> None:
    now = 0.0
    monkeypatch.setattr(progress_module, "time", SimpleNamespace(monotonic=lambda: now))
    own, other = WorkerId("a node", 1, 1.0), WorkerId("a node", 2, 1.0)
    ask_as(study, own)
    ask_as(study, other)
    launcher, detector = FakeLauncher(None, identity=own), HangDetector(10.0)
    launcher.start(run, "search", 3)
    supervisor.kill_hanging(study, detector, launcher)
    assert launcher.killed == []
    now = 11.0
    supervisor.kill_hanging(study, detector, launcher)
    assert launcher.killed == [3]
    launcher.identity = worker_id(0)
    supervisor.kill_hanging(study, detector, launcher)
    assert launcher.killed == [3]


@pytest.mark.usefixtures("one_thread")
def test_a_study_of_another_version_is_resumed_with_one_note(
    packed_105: Dataset, in_tmp: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    run = tiny_run(in_tmp, pack_20(packed_105, in_tmp))
    study = run_phases(run, FakeLauncher(None))
    assert capsys.readouterr().out == ""
    study.set_user_attr(IDENTITY, study.user_attrs[IDENTITY] | {"version": "0.0.1"})
    run_phases(run, FakeLauncher(None))
    [line] = capsys.readouterr().out.splitlines()
    assert line.startswith("note     ")
    assert "0.0.1" in line


@pytest.mark.usefixtures("one_thread")
def test_a_study_is_searched_its_finalists_fitted_and_its_winner_recorded(
    packed_105: Dataset, in_tmp: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    run = tiny_run(in_tmp, pack_20(packed_105, in_tmp), n_finalists=2, n_finalist_seeds=2)
    launcher, observers = RecordingLauncher(), [FakeObserver() for _ in range(3)]
    unused = observers.copy()
    study = run_phases(run, launcher, [lambda _: unused.pop(0)])
    assert launcher.starts == [("search", 0), ("finalists", 0), ("winner", 0)]
    assert [t.state for t in study.trials] == [TrialState.COMPLETE] * 2
    assert {worker_of(trial).pid for trial in study.trials} == {os.getpid()}
    assert study.user_attrs[N_TRIALS] == 2
    assert study.user_attrs[N_EPISODES] == 64
    assert study.user_attrs["provenance"]["device"] == "cpu"
    files = list(in_tmp.glob("var/trials/*/*.pt"))
    assert all(path.name.endswith(".network.pt") for path in files), "no checkpoint is left"
    n_networks = Counter("winner" in path.parent.name for path in files)
    assert n_networks == {False: 2 + 4, True: 2}, "one of each fit"

    names = {n for n in optuna.get_all_study_names(run.storage) if n != "s"}
    further, finalists = (
        optuna.load_study(study_name=name, storage=run.storage)
        for name in sorted(names, key=lambda name: "finalists" in name)
    )
    fits = {(t.params["trial"], t.params["seed"]) for t in finalists.trials}
    seed = min(seed for _, seed in fits)
    assert seed > run.settings.seed
    assert fits == {(number, seed + i) for number in (0, 1) for i in range(2)}
    assert [t.state for t in finalists.trials] == [TrialState.COMPLETE] * 4
    winner, accuracies = winning_trial(study), study.user_attrs[FINALISTS]["accuracies"]
    assert winner is not None
    assert sorted(accuracies) == ["0", "1"]
    assert sum(accuracies[str(winner.number)]) == max(map(sum, accuracies.values()))

    assert {t.params["trial"] for t in further.trials} == {winner.number}
    assert not {t.params["seed"] for t in further.trials} & {seed for _, seed in fits}
    accuracy = winner_accuracy(study)
    assert accuracy is not None
    assert accuracy.mean == pytest.approx(sum(t.value or 0.0 for t in further.trials) / 2)

    printed = [line.split()[:2] for line in capsys.readouterr().out.splitlines()]
    assert printed == [
        ["trial", "0"],
        ["trial", "1"],
        *[["final", "trial"]] * 4,
        *[["winner", "trial"]] * 2,
    ]
    assert {observer.calls[-1] for observer in observers} == {"finish"}
    run_phases(run, launcher)
    assert len(launcher.starts) == 3, "nothing is left to do"


@pytest.mark.usefixtures("one_thread")
def test_a_time_budget_covers_the_finalists(packed_105: Dataset, in_tmp: Path) -> None:
    run = tiny_run(in_tmp, pack_20(packed_105, in_tmp), n_finalists=2)
    launcher = RecordingLauncher()
    four_trials = replace(run, n_finalists=0, n_trials=4)
    study = run_phases(four_trials, launcher)
    study.set_user_attr(EPOCH_SECONDS, 1.0)
    seconds = 4.0 + 3.0  # three more fits of one epoch: two finalists and the winner
    run_phases(replace(run, n_trials=99, time_budget=seconds, n_finalist_seeds=1), launcher)
    assert launcher.starts == [("search", 0), ("finalists", 0), ("winner", 0)]
    assert len(study.trials) == 4, "no further trial was started"
    assert winning_trial(study) is not None


def test_finalists_are_fitted_once_no_trial_runs_or_may_start() -> None:
    study = optuna.create_study(direction="maximize")
    study.tell(study.ask(), 0.5)
    assert is_search_over(study, Budget(1))
    assert not is_search_over(study, Budget(2))
    assert is_search_over(study, Budget(2, n_epochs=0))
    study.ask()
    assert not is_search_over(study, Budget(3, n_epochs=0)), "another process runs a trial"
    assert not is_search_over(study, Budget(1)), "another process runs a surplus trial"


def test_as_many_finalists_are_fitted_as_the_time_budget_allows(run: StudyConfig) -> None:
    study = optuna.create_study(direction="maximize")
    study.add_trials([create_trial(value=0.5, intermediate_values={1: 0.4, 2: 0.5})] * 2)
    study.set_user_attr(EPOCH_SECONDS, 1.0)
    run = replace(run, n_finalists=5, n_finalist_seeds=2)
    for seconds, expected in ((None, 5), (100, 5), (20, 3), (8, 0)):
        config = replace(run, n_trials=9, time_budget=seconds)
        assert affordable_finalists(study, config) == expected


@pytest.mark.usefixtures("one_thread")
def test_the_workers_fit_the_finalists_that_the_time_budget_allows(
    packed_105: Dataset, in_tmp: Path
) -> None:
    run = tiny_run(in_tmp, pack_20(packed_105, in_tmp), n_finalists=3)
    study = run_phases(replace(run, n_finalists=0, n_trials=4), RecordingLauncher())
    study.set_user_attr(EPOCH_SECONDS, 1.0)
    timed = replace(run, n_trials=99, time_budget=7.0, n_finalist_seeds=1)
    runs: dict[str, StudyConfig] = {}

    class KeepingRuns(RecordingLauncher):
        def start(self, run: StudyConfig, phase: str, index: int) -> None:
            runs[phase] = run
            super().start(run, phase, index)

    run_phases(timed, KeepingRuns())
    assert winning_trial(study) is not None
    assert runs["finalists"].n_finalists == 2, "of three; the last fit is that of the winner"


def test_a_study_that_is_paused_has_no_finalists(packed_105: Dataset, in_tmp: Path) -> None:
    run = tiny_run(in_tmp, pack_20(packed_105, in_tmp), n_finalists=2)
    launcher = FakeLauncher(None)
    study = run_phases(run, launcher)
    assert launcher.starts == [("search", 0)]
    assert FINALISTS not in study.user_attrs


def test_a_study_with_one_finalist_has_no_choice(run: StudyConfig) -> None:
    run = replace(run, n_finalists=5, n_finalist_seeds=2)
    assert describe_finalists(run, evaluate_winner=False) == "at most 6 further fits"
    assert describe_finalists(run, evaluate_winner=True) == "at most 8 further fits"
    assert describe_finalists(replace(run, n_finalists=1), evaluate_winner=True) == ""
