"""Small studies, in this process or in processes of their own that a test kills."""

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import optuna
import pytest
import torch
from optuna.trial import FrozenTrial, TrialState
from tiny import part_of_paper

from data.cache import resize_drawings, write_cache
from data.episodes import Dataset
from data.errors import InputError
from hpo.runtime.requeue import worker_of
from hpo.settings.study_settings import StudyConfig, StudySettings
from hpo.study.storage import open_storage
from hpo.study.trials import RETRY_OF, position_in_study

ROOT = Path(__file__).parent.parent
N_KILLS = int(os.environ.get("FAULT_KILLS", "2"))
N_TRIALS = 5 + N_KILLS  # so that work is left at the last kill
N_FEW_TRIALS = 3  # where one fault is enough
SPACES = Path(__file__).parent / "spaces"
FLAGS = (
    *("--data", "glyphs", "--image-size", "20", "--steps-per-epoch", "2", "--max-epochs", "8"),
    *("--space", str(SPACES / "rates.toml"), "--precision", "float32", "--validation", "paper"),
    *("--checkpoint-interval", "0.1", "--max-retries", "99", "--n-finalists", "0"),
)
STUDY_NAME = "glyphs-20-episode-rates"

TINY_STUDY = StudySettings(
    data="glyphs",
    image_size=20,
    max_epochs=1,
    steps_per_epoch=2,
    space=part_of_paper("lr"),
    validation="paper",
    pruner="none",
)


def pack_20(packed_105: Dataset, folder: Path) -> Path:
    """Write glyphs of 20 pixels as a packed data set; return its file."""
    path = folder / "glyphs.npz"
    small = Dataset(resize_drawings(packed_105.drawings, 20), packed_105.official)
    write_cache(path, small, "made for a test")
    return path


@pytest.fixture
def one_thread() -> Iterator[None]:
    """Threads do not pay for tiny networks, least of all on a busy machine."""
    n_threads = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(n_threads)


def tiny_run(
    folder: Path,
    packed: Path,
    n_trials: int = 2,
    settings: StudySettings = TINY_STUDY,
    **changes: Any,
) -> StudyConfig:
    """A run whose files all lie in a folder; its trials take tenths of a second."""
    defaults: dict[str, Any] = {"n_finalists": 0, "precision": "float32"}
    return StudyConfig.from_settings(
        settings,
        storage=f"sqlite:///{folder}/study.db",
        study_name="s",
        n_trials=n_trials,
        var=folder / "var",
        packed=packed,
        **(defaults | changes),
    )


def start(
    folder: Path,
    *more: str,
    n_trials: int = N_TRIALS,
    before: Callable[[], None] | None = None,
) -> subprocess.Popen[str]:
    """Start a study in a process group of its own; its output is appended to a file."""
    environment = os.environ | {"OMP_NUM_THREADS": "1"}
    environment.pop("OMNIGLOT_ROOT", None)
    with (folder / "log").open("a") as log:
        return subprocess.Popen(
            [sys.executable, str(ROOT / "run_study.py"), *FLAGS, f"--n-trials={n_trials}", *more],
            cwd=folder,
            env=environment,
            text=True,
            stdout=log,
            stderr=log,
            start_new_session=True,
            preexec_fn=before,
        )


def finish(folder: Path, *more: str, n_trials: int = N_TRIALS) -> str:
    """Run a study to its end; return the output of all its runs so far."""
    assert start(folder, *more, n_trials=n_trials).wait(timeout=300) == 0, output(folder)
    return output(folder)


def output(folder: Path) -> str:
    return (folder / "log").read_text()


def kill_all(process: subprocess.Popen[str], number: signal.Signals = signal.SIGKILL) -> None:
    """Send a signal to the supervisor, its workers and everything else that it started."""
    os.killpg(process.pid, number)
    process.wait(timeout=60)


def wait_until(condition: Callable[[], Any], seconds: float = 60.0) -> Any:
    """Wait until a condition is true; return its value."""
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        if value := condition():
            return value
        time.sleep(0.02)
    raise AssertionError(f"not true after {seconds} seconds")


def wait_until_gone(pid: int) -> None:
    wait_until(lambda: not Path(f"/proc/{pid}").exists(), 20)


def trials(folder: Path) -> list[FrozenTrial]:
    """The trials of the study; none while it is being created."""
    if not (folder / "study.db").exists():
        return []
    url = f"sqlite:///{folder}/study.db"
    try:
        storage = open_storage(url, create=False, read_only=True)
        return optuna.load_study(study_name=STUDY_NAME, storage=storage).trials
    except (InputError, KeyError):
        return []


def running(folder: Path) -> list[FrozenTrial]:
    """The running trials that have completed an epoch."""
    return [t for t in trials(folder) if t.state == TrialState.RUNNING and t.intermediate_values]


def worker_pids(folder: Path) -> set[int]:
    return {worker_of(trial).pid for trial in running(folder)}


def checkpoints(folder: Path) -> list[Path]:
    return list(folder.glob("var/trials/*/*.fit.pt"))


def results(every: list[FrozenTrial]) -> dict[int, tuple[Any, ...]]:
    """State, parameters and values by position; an interrupted trial and its retry are one."""
    retried = {t.user_attrs[RETRY_OF] for t in every if RETRY_OF in t.user_attrs}
    return {
        position_in_study(every, t.number): (
            t.state.name,
            t.params,
            t.values,
            t.intermediate_values,
        )
        for t in every
        if t.number not in retried
    }


def first_results(folder: Path, n_trials: int) -> dict[int, tuple[Any, ...]]:
    """The results of the first trials, which do not depend on later ones."""
    return {i: result for i, result in results(trials(folder)).items() if i < n_trials}
