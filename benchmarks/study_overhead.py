"""Measure the cost of a trial in addition to training, and trials per hour by number of workers."""

import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import optuna
import pandas as pd
from harness import compute_from, finish, interleaved, parser
from optuna.trial import FixedTrial, TrialState

from data.episodes import dense_validation
from data.load import load_dataset
from data.splits import Split, split_dataset
from hpo.cli.entry_point import run_command
from hpo.runtime.launcher import ProcessLauncher
from hpo.runtime.phases import run_phases
from hpo.search.objective import record_fit
from hpo.settings.base_config import base_config
from hpo.settings.study_settings import StudyConfig, StudySettings
from hpo.space.distributions import suggest_config
from hpo.study.open import open_study
from hpo.study.storage import open_storage
from model.device import ComputeConfig
from model.evaluate import one_shot_accuracy
from model.fit_state import EpochResult, FitState
from model.train import train_epoch

SHORT = StudySettings(
    max_epochs=4, steps_per_epoch=25, pruner="none"
)  # a quarter of a default trial


class Laps:
    """Collects times in milliseconds by name."""

    def __init__(self) -> None:
        """Start the clock."""
        self.ms: dict[str, list[float]] = {}
        self.restart()

    def restart(self) -> None:
        """Restart the clock."""
        self._since = time.perf_counter()

    def take(self, name: str) -> None:
        """Record the time since the last lap."""
        self.ms.setdefault(name, []).append(1e3 * (time.perf_counter() - self._since))
        self.restart()


def bookkeeping(study: optuna.Study, n_trials: int, compute: ComputeConfig, folder: Path) -> Laps:
    """Run trials without training; return the cost of each part."""
    settings, laps = StudySettings(), Laps()
    for _ in range(n_trials):
        laps.restart()
        trial = study.ask()
        config = suggest_config(trial, base_config(settings), settings.space)
        laps.take("ask, suggest")
        state = FitState(config, 0, compute)
        laps.take("network, optimiser")
        for epoch in range(1, settings.max_epochs + 1):
            accuracy = (epoch + trial.number % 7) / 100
            state.history.append(EpochResult(epoch, 1.0, accuracy, 0, 0.0, None))
            laps.restart()
            trial.report(accuracy, step=epoch)
            trial.should_prune()
            laps.take("report, prune (each epoch)")
        record_fit(trial, state)
        study.tell(trial, accuracy)
        laps.take("record, tell")
        state.save(folder / "fit.pt")
        laps.take("checkpoint (if kept)")
    return laps


def per_storage(urls: list[str], n_trials: int, compute: ComputeConfig) -> pd.DataFrame:
    """Return milliseconds per part and seconds per trial of each storage, late in a study."""
    lines, n_epochs = [], StudySettings().max_epochs
    for url in urls:
        with tempfile.TemporaryDirectory() as folder:
            storage = open_storage(url.format(folder=folder))
            study = open_study(storage, f"overhead-{time.time_ns()}", StudySettings(), {})
            laps = bookkeeping(study, n_trials, compute, Path(folder))
            optuna.delete_study(study_name=study.study_name, storage=storage)
        middle = {name: statistics.median(ms[-len(ms) // 3 :]) for name, ms in laps.ms.items()}
        whole = sum(middle.values()) + (n_epochs - 1) * middle["report, prune (each epoch)"]
        whole -= middle["checkpoint (if kept)"]
        line = {name: round(ms, 1) for name, ms in middle.items()}
        lines.append({"storage": url.split(":")[0]} | line | {"a trial, s": round(whole / 1e3, 3)})
    return pd.DataFrame(lines)


def epochs(parts: Split, compute: ComputeConfig, quick: bool) -> pd.DataFrame:
    """Return the cost of validation and of training an epoch, in the first two default trials."""
    settings, lines = StudySettings(), []
    base, episodes = base_config(settings), dense_validation(parts.val)
    for params in settings.space.starting_points(settings.image_size)[: 1 if quick else None]:
        config = suggest_config(FixedTrial(params), base, settings.space)
        state = FitState(config, 0, compute)
        rows: dict[str, Callable[[], object]] = {
            "training": partial(train_epoch, state, parts.train),
            "validation": partial(one_shot_accuracy, state.evaluated_net, parts.val, episodes),
        }
        times = interleaved(rows, 1 if quick else 3, compute.device)
        seconds = {name: statistics.median(each) for name, each in times.items()}
        line = {"filters": str(config.conv.filters), "steps": config.fit.steps_per_epoch}
        line |= {f"{name}, s": round(each, 2) for name, each in seconds.items()}
        line["validation's share"] = f"{seconds['validation'] / sum(seconds.values()):.0%}"
        lines.append(line)
    return pd.DataFrame(lines)


def trials_per_hour(workers: int, n_trials: int, args: Any) -> dict[str, Any]:
    """Run a short study; return its trials per hour from the times of its trials."""
    with tempfile.TemporaryDirectory() as folder:
        url = f"sqlite:///{folder}/study.db"
        run_phases(
            StudyConfig.from_settings(
                SHORT,
                storage=url,
                study_name="rate",
                n_trials=n_trials,
                data_root=args.data_root,
                device=args.device,
                precision=args.precision,
                workers=workers,
                n_finalists=0,
            ),
            ProcessLauncher(),
        )
        trials = optuna.load_study(study_name="rate", storage=url).get_trials(
            states=(TrialState.COMPLETE,)
        )
    starts = [t.datetime_start for t in trials if t.datetime_start]
    ends = [t.datetime_complete for t in trials if t.datetime_complete]
    hours = (max(ends) - min(starts)).total_seconds() / 3600
    return {
        "workers": workers,
        "trials": len(trials),
        "trials per hour": round(len(trials) / hours),
    }


def start_up(args: Any) -> float:
    """Return the seconds of a command that trains for one step, with a warm cache."""
    with tempfile.TemporaryDirectory() as folder:
        command = [sys.executable, "run_study.py", "--storage", f"sqlite:///{folder}/study.db"]
        command += ["--n-trials", "1", "--max-epochs", "1", "--steps-per-epoch", "1"]
        command += ["--device", args.device]
        command += ["--data-root", str(args.data_root)] if args.data_root else []
        started = time.perf_counter()
        subprocess.run(command, check=True, stdout=subprocess.DEVNULL)
        return time.perf_counter() - started


def main() -> None:
    """Measure bookkeeping, validation, start-up and workers; print and write the tables."""
    flags = parser(__doc__)
    flags.add_argument(
        "--storage",
        nargs="*",
        default=[],
        metavar="URL",
        help="storages to measure in addition to SQLite",
    )
    args = flags.parse_args()
    compute = compute_from(args)
    parts = split_dataset(load_dataset("omniglot", args.data_root, SHORT.image_size)).to(
        compute.device
    )
    starts = [start_up(args) for _ in range(1 if args.quick else 4)][-3:]
    urls = ["sqlite:///{folder}/study.db", *args.storage]
    n_trials = 20 if args.quick else 60
    many = {1: 2, 2: 2} if args.quick else {1: 8, 2: 8, 4: 8}
    rates = pd.DataFrame([trials_per_hour(workers, n, args) for workers, n in many.items()])
    tables = {
        f"Milliseconds in addition to training, last third of {n_trials} trials": per_storage(
            urls, n_trials, compute
        ),
        "Training and validation of an epoch": epochs(parts, compute, args.quick),
        "A command of one step, s": pd.DataFrame({"median": [round(statistics.median(starts), 1)]}),
        f"Trials of {SHORT.max_epochs} × {SHORT.steps_per_epoch} steps, workers already up": rates,
    }
    finish(args, compute, tables)


if __name__ == "__main__":
    run_command(main, "Run the same command again to start over.")
