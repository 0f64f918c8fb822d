"""Convert the flags of run_study.py, and print its output before and after the trials.

The first half converts the flags to a run configuration and a launcher, or sends a stop request.
The second half prints the start and the result of a run; :mod:`hpo.runtime.progress` prints the
trials.
"""

import argparse
import shlex
from collections import Counter
from collections.abc import Sequence
from dataclasses import asdict

from optuna.study import Study
from optuna.trial import TrialState

from data.contents import data_summary
from data.drawings import Drawings
from data.errors import InputError
from data.labels import data_caveat
from data.load import load_dataset, resolve_dataset_name
from data.paths import DEFAULT_STORAGE
from data.text import hide_password, text_table
from hpo.runtime.launcher import Launcher, ProcessLauncher
from hpo.runtime.requeue import worker_of
from hpo.search.trial_files import trial_files
from hpo.search.winner import describe_value, winning_trial
from hpo.space.ranges import parse_groups
from hpo.study.budget import Budget, busy_seconds, count_finished, request_stop
from hpo.study.open import default_study_name, open_stored_study
from hpo.study.settings import DEFAULT_EPOCHS, RunConfig, StudySettings
from hpo.study.storage import storage_errors
from hpo.study.trials import STATES, TrialSummary, best_trials, summarize_trials

INDENT = " " * 9  # aligns continuation lines with the text after a label such as "study"


def load_study_data(args: argparse.Namespace) -> Drawings:
    """Return all drawings of the data set that the flags describe.

    Glyphs replace Omniglot if it is neither on disk nor can be downloaded.

    Args:
        args: flags of run_study.py.

    Raises:
        InputError: the data cannot be loaded.
    """
    name = resolve_dataset_name(
        args.data, args.data_root, args.split_by, args.colour, args.drop_duplicates
    )
    return load_dataset(name, args.data_root, args.image_size).drawings


def make_run_config(args: argparse.Namespace, data: str) -> RunConfig:
    """Return the run configuration that the flags describe.

    Args:
        args: flags of run_study.py.
        data: name of the data set.

    Raises:
        InputError: a setting is out of its range.
    """
    settings = StudySettings(
        data=data,
        image_size=args.image_size,
        recipe=args.recipe,
        max_epochs=args.max_epochs or DEFAULT_EPOCHS[args.recipe],
        steps_per_epoch=args.steps_per_epoch,
        n_pairs=args.pairs,
        search=parse_groups(args.search),
        init=args.init,
        validation=args.validation,
        sampler=args.sampler,
        pruner=args.pruner or ("none" if args.sampler == "gp" else "median"),
        seed=args.seed,
    )
    return RunConfig(
        settings=settings,
        storage=args.storage,
        study_name=args.study_name or default_study_name(settings),
        budget=Budget(args.n_trials, args.time_budget),
        data_root=args.data_root,
        device=args.device,
        precision=args.precision,
        workers=args.workers,
        heartbeat=args.heartbeat,
        epoch_timeout=args.epoch_timeout,
        checkpoint_interval=args.checkpoint_interval,
        max_retries=args.max_retries,
        n_finalists=args.finalists,
        n_finalist_seeds=args.n_finalist_seeds,
        n_networks=args.keep_networks,
        tensorboard=args.tensorboard,
    )


def make_launcher(args: argparse.Namespace) -> Launcher:
    """Return the launcher of the workers.

    Args:
        args: flags of run_study.py.

    Raises:
        InputError: ``--ray`` is given, but the storage is a local file or Ray cannot be used.
    """
    if args.ray is None:
        return ProcessLauncher()
    if args.storage.startswith("sqlite"):
        raise InputError(
            "--ray needs a storage that every node can reach, but --storage is a SQLite file. Use "
            "a PostgreSQL database: --storage postgresql+psycopg://…"
        )
    from hpo.runtime.ray_launcher import RayLauncher

    return RayLauncher(args.ray, args.gpus_per_worker)


def stop_study(args: argparse.Namespace) -> None:
    """Ask every process of a study to finish its trial and exit.

    Args:
        args: flags of run_study.py; without a study name, the latest study is stopped.

    Raises:
        InputError: there is no such study.
    """
    with open_stored_study(args.storage, args.study_name, read_only=False) as (_, study, _):
        request_stop(study)
        print(f"Every process of study '{study.study_name}' will exit after its current trial.")


def print_start(run: RunConfig, drawings: Drawings) -> None:
    """Print name, storage, settings and data of the study that is started or resumed.

    Args:
        run: configuration of the run.
        drawings: all drawings of its data set.
    """
    settings = [
        f"{name} {' '.join(value) if isinstance(value, tuple) else value}"
        for name, value in asdict(run.settings).items()
    ]
    print(f"study    {run.study_name} in {hide_password(run.storage)}")
    print(f"settings {' · '.join(settings)}")
    print(f"data     {data_summary(drawings, run.data_root)}", flush=True)
    if caveat := data_caveat(run.settings.data):
        print(f"note     {caveat}")


def print_summary(study: Study, run: RunConfig, seconds: float) -> None:
    """Print the result of a run: trials by state, finalists, winner, files and next commands.

    Args:
        study: study of the run.
        run: configuration of the run.
        seconds: wall time of the run.
    """
    with storage_errors(run.storage):
        summaries = summarize_trials(study)
        counts = Counter(summary.state for summary in summaries)
        states = ", ".join(f"{counts[state]} {state}" for state in STATES if counts[state])
        n_finished = count_finished(study)
        is_finished = n_finished >= run.budget.n_trials
        print(
            f"{'finished' if is_finished else 'paused'}: {n_finished} of {run.budget.n_trials} "
            f"trials ({states}), {seconds / 60:.1f} min in this run"
        )
        if winning_trial(study) is not None:
            _print_finalists(summaries)
        _print_best(study)
        print(f"files    {trial_files(study, run.var).describe()}")
        if is_finished:
            print("The study is finished. To continue it, raise --n-trials.")
        else:
            _print_running(study)
            print(_resume_hint(study, run.budget))
        print(f"next     {' · '.join(next_commands(run))}")


def _print_finalists(summaries: Sequence[TrialSummary]) -> None:
    """Print the accuracies of the finalists' fits, the best mean first."""
    finalists = [summary for summary in summaries if summary.finalist_values]
    finalists.sort(key=lambda summary: -(summary.finalist_value or 0.0))
    rows = [["trial", "mean", "fits"]]
    for summary in finalists:
        fits = " ".join(f"{value:.1%}" for value in summary.finalist_values)
        rows.append([str(summary.number), f"{summary.finalist_value:.1%}", fits])
    print("finalists, refitted with new seeds and evaluated on new validation episodes:")
    print(text_table(rows, INDENT))


def _print_best(study: Study) -> None:
    """Print value and parameters of the winner, or of the best trial if there is no winner yet."""
    winner = winning_trial(study)
    for trial in [winner] if winner else best_trials(study, 1):
        label = "winner" if winner else "best"
        first, *others = describe_value(study, trial).split("; ")
        lines = [f"{label:8} trial {trial.number}: {first}", *(INDENT + o for o in others)]
        print("\n".join(lines))
        if rows := [[name, f"{value:.4g}"] for name, value in trial.params.items()]:
            print(text_table(rows, INDENT))


def _resume_hint(study: Study, budget: Budget) -> str:
    """Return how to continue a paused study. Earlier runs use up the time budget, too."""
    if budget.seconds is not None and busy_seconds(study) >= budget.seconds:
        return "The time budget is spent. To continue, raise --time-budget."
    return "Run the same command again to resume."


def _print_running(study: Study) -> None:
    """Print the trials that other processes are running."""
    for trial in study.get_trials(deepcopy=False, states=(TrialState.RUNNING,)):
        worker = worker_of(trial)
        print(f"running  trial {trial.number} on {worker.host} (process {worker.pid})")


def next_commands(run: RunConfig) -> list[str]:
    """Return the commands that show the study and refit its winner, with the flags they need."""
    is_default = run.storage == DEFAULT_STORAGE
    storage_flags = [] if is_default else ["--storage", hide_password(run.storage)]
    if run.study_name != default_study_name(run.settings):
        storage_flags += ["--study-name", run.study_name]
    data_flags = ["--data-root", str(run.data_root)] if run.data_root else []
    return [
        shlex.join(["uv", "run", "dashboard.py", *storage_flags]),
        shlex.join(["uv", "run", "retrain_best.py", *storage_flags, *data_flags]),
    ]
