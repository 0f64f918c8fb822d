"""Measure the trials per second of a storage, without training, by number of processes.

The number of workers that a storage can serve follows by calculation: trials per second times the
seconds of a trial.
"""

import argparse
import multiprocessing
import statistics
import tempfile
from functools import partial
from pathlib import Path
from typing import Any

import optuna
import pandas as pd
from harness import compute_from, finish, parser

from hpo.cli.entry_point import run_command
from hpo.runtime.requeue import requeue_orphans
from hpo.runtime.worker import run_one_trial
from hpo.search.objective import record_fit
from hpo.search.trial_files import trial_files
from hpo.settings.base_config import base_config
from hpo.settings.study_settings import StudySettings
from hpo.space.distributions import suggest_config
from hpo.study.open import open_study
from hpo.study.storage import open_storage, storage_errors
from model.device import ComputeConfig
from model.fit_state import EpochResult, FitState

SETTINGS = StudySettings(data="glyphs", image_size=20, sampler="random")
N_EPOCHS = 8
TRIAL_SECONDS = 13  # mean of the default study, including pruned trials


def trial_without_training(trial: optuna.Trial, state: FitState) -> float:
    """Suggest, report and record a trial as the objective does."""
    suggest_config(trial, base_config(SETTINGS), SETTINGS.space)
    for epoch in range(1, N_EPOCHS + 1):
        trial.report(epoch / 10, step=epoch)
        trial.should_prune()
    record_fit(trial, state)
    return trial.number % 7 / 10


def take(url: str, n_trials: int, compute: ComputeConfig) -> None:
    """Run trials as a worker does."""
    optuna.logging.set_verbosity(optuna.logging.ERROR)
    study = open_study(open_storage(url, heartbeat=60), "rate", SETTINGS, {})
    state = FitState(base_config(SETTINGS), 0, compute)
    state.history.append(EpochResult(1, 1.0, 0.5, 0, 0.0, None))
    lock = trial_files(study, Path(tempfile.gettempdir())).lock
    for _ in range(n_trials):
        requeue_orphans(study, lock)
        run_one_trial(study, partial(trial_without_training, state=state), lock)


def rate(url: str, n_processes: int, n_trials: int, compute: ComputeConfig) -> float:
    """Return the trials per second of several processes, from the end times of the trials."""
    storage = open_storage(url)
    open_study(storage, "rate", SETTINGS, {})
    context = multiprocessing.get_context("spawn")
    job = (url, n_trials, compute)
    processes = [context.Process(target=take, args=job) for _ in range(n_processes)]
    for process in processes:
        process.start()
    for process in processes:
        process.join()
    trials = optuna.load_study(study_name="rate", storage=storage).trials
    optuna.delete_study(study_name="rate", storage=storage)
    ends = sorted(t.datetime_complete for t in trials if t.datetime_complete)
    middle = ends[len(ends) // 4 : -len(ends) // 4]  # while all processes work
    return (len(middle) - 1) / (middle[-1] - middle[0]).total_seconds()


def table(url: str, args: argparse.Namespace, compute: ComputeConfig) -> pd.DataFrame:
    """Return a row per number of processes."""
    lines = []
    n_trials = 20 if args.quick else 100
    for n_processes in (1, 2) if args.quick else (1, 2, 4):
        rates = [rate(url, n_processes, n_trials, compute) for _ in range(1 if args.quick else 3)]
        per_second = statistics.median(rates)
        line: dict[str, Any] = {"storage": url.split(":")[0], "processes": n_processes}
        line |= {"trials/s": round(per_second, 1), "from–to": f"{min(rates):.1f}–{max(rates):.1f}"}
        lines.append(line | {"workers it serves": round(per_second * TRIAL_SECONDS)})
    return pd.DataFrame(lines)


def main() -> None:
    """Measure SQLite and the storages of ``--storage``."""
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
    optuna.logging.set_verbosity(optuna.logging.ERROR)
    with tempfile.TemporaryDirectory() as folder, storage_errors("the storage"):
        urls = [f"sqlite:///{folder}/study.db", *args.storage]
        found = pd.concat([table(url, args, compute) for url in urls])
    title = f"Trials of {N_EPOCHS} epochs without training; workers whose trials take "
    finish(args, compute, {f"{title}{TRIAL_SECONDS} s": found})


if __name__ == "__main__":
    run_command(main, "Run the same command again to start over.")
