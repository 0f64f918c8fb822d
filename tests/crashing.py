"""Studies in processes of their own, which may be struck."""

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import optuna
from optuna.trial import FrozenTrial, TrialState

from data.errors import InputError
from hpo.study.storage import open_storage
from hpo.study.trials import RETRY_OF, position_in_study

ROOT = Path(__file__).parent.parent
N_KILLS = int(os.environ.get("FAULT_KILLS", "2"))
N_TRIALS = 5 + N_KILLS  # so that the last kill still finds something to do
FEW = 4  # trials where one fault is enough
STUDY = ["--data", "glyphs", "--image-size", "20", "--steps-per-epoch", "2", "--max-epochs", "8"]
STUDY += ["--search", "lr", "momentum", "--precision", "float32"]
STUDY += [
    "--validation",
    "paper",
    "--checkpoint-interval",
    "0.1",
    "--max-retries",
    "99",
    "--finalists",
    "0",
]


def start(
    folder: Path,
    *more: str,
    n_trials: int = N_TRIALS,
    before: Callable[[], None] | None = None,
) -> subprocess.Popen[str]:
    """Start a study in a process group of its own, its words in a file."""
    environment = os.environ | {"OMP_NUM_THREADS": "1"}
    environment.pop("OMNIGLOT_ROOT", None)
    with (folder / "log").open("a") as log:
        return subprocess.Popen(
            [sys.executable, str(ROOT / "run_study.py"), *STUDY, f"--n-trials={n_trials}", *more],
            cwd=folder,
            env=environment,
            text=True,
            stdout=log,
            stderr=log,
            start_new_session=True,
            preexec_fn=before,
        )


def finish(folder: Path, *more: str, n_trials: int = N_TRIALS) -> str:
    assert start(folder, *more, n_trials=n_trials).wait(timeout=300) == 0, said(folder)
    return said(folder)


def said(folder: Path) -> str:
    return (folder / "log").read_text()


def kill_all(process: subprocess.Popen[str], number: signal.Signals = signal.SIGKILL) -> None:
    """Send a signal to the supervisor, its workers and whatever else it started."""
    os.killpg(process.pid, number)
    process.wait(timeout=60)


def until(condition: Callable[[], Any], seconds: float = 60.0) -> Any:
    """Wait until something is so, and return it."""
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        if found := condition():
            return found
        time.sleep(0.05)
    raise AssertionError("it never came")


def running(folder: Path) -> list[FrozenTrial]:
    return [t for t in trials(folder) if t.state == TrialState.RUNNING and t.intermediate_values]


def trials(folder: Path) -> list[FrozenTrial]:
    """The study's trials; none while it is being made."""
    if not (folder / "study.db").exists():
        return []
    url = f"sqlite:///{folder}/study.db"
    try:
        storage = open_storage(url, create=False, reading=True)
        return optuna.load_study(study_name="glyphs-20-episode-lr-momentum", storage=storage).trials
    except (InputError, KeyError):
        return []


def checkpoints(folder: Path) -> list[Path]:
    """The fits under way that are kept."""
    return list(folder.glob("var/trials/*/*.fit.pt"))


def story(folder: Path) -> dict[int, tuple[Any, ...]]:
    """What the study came to, by place: an interrupted trial and its retry are one."""
    every = trials(folder)
    replaced = {t.user_attrs[RETRY_OF] for t in every if RETRY_OF in t.user_attrs}
    return {
        position_in_study(every, t.number): (
            t.state.name,
            t.params,
            t.values,
            t.intermediate_values,
        )
        for t in every
        if t.number not in replaced
    }


def first(n_trials: int, folder: Path) -> dict[int, tuple[Any, ...]]:
    """What the first trials of a longer study came to: they know nothing of those after them."""
    return {place: told for place, told in story(folder).items() if place < n_trials}


def under_way_or_over(folder: Path, process: subprocess.Popen[str]) -> bool:
    return bool(running(folder)) or process.poll() is not None
