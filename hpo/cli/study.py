"""From run_study.py's flags to what it does.

What run_study.py prints before and after its trials."""

import argparse
import shlex
from collections import Counter
from dataclasses import asdict
from statistics import mean

from optuna.study import Study
from optuna.trial import TrialState

from data.errors import InputError
from data.labels import data_caveat
from data.load import dataset_name, load_dataset
from data.paths import DEFAULT_STORAGE
from data.text import hide_password
from hpo.runtime.launcher import Launcher, ProcessLauncher
from hpo.runtime.requeue import worker_of
from hpo.search.trial_files import trial_files
from hpo.search.winner import describe_value, winning_trial
from hpo.space.ranges import parse_groups
from hpo.study.budget import Budget, count_finished, request_stop
from hpo.study.open import default_study_name, open_stored_study
from hpo.study.settings import DEFAULT_EPOCHS, RunConfig, StudySettings
from hpo.study.storage import storage_errors
from hpo.study.trials import best_trials, finalist_accuracies


def run_config_from(args: argparse.Namespace) -> RunConfig:
    """Return what the flags ask for.

    Raises:
        InputError: they ask for what cannot be.
    """
    name = dataset_name(args.data, args.data_root, args.split_by, args.colour)
    # The built-in glyphs take Omniglot's place where there is neither it nor a network.
    data = load_dataset(name, args.data_root, args.image_size).drawings.name
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
        tensorboard=args.tensorboard,
    )


def launcher_from(args: argparse.Namespace) -> Launcher:
    """Return what starts the workers.

    Raises:
        InputError: a Ray cluster is asked for and cannot be had.
    """
    if args.ray is None:
        return ProcessLauncher()
    if args.storage.startswith("sqlite"):
        raise InputError(
            "--ray needs a storage that every node reaches, but --storage is a SQLite file. Name "
            "a PostgreSQL database: --storage postgresql+psycopg://…"
        )
    from hpo.runtime.ray_launcher import RayLauncher

    return RayLauncher(args.ray, args.gpus_per_worker)


def stop_study(args: argparse.Namespace) -> None:
    """Ask every process of a study, by default the latest, to finish its trial and end.

    Raises:
        InputError: there is no such study.
    """
    with open_stored_study(args.storage, args.study_name, reading=False) as (_, study, _):
        request_stop(study)
        print(f"Every process that works on study '{study.study_name}' will end after its trial.")


def print_start(run: RunConfig) -> None:
    """Print which study is started or resumed, and with which settings."""
    settings = asdict(run.settings)
    shown = {n: " ".join(v) if isinstance(v, tuple) else v for n, v in settings.items()}
    print(f"study    {run.study_name} in {hide_password(run.storage)}")
    print("settings " + " · ".join(f"{name} {value}" for name, value in shown.items()), flush=True)
    if said := data_caveat(run.settings.data):
        print(f"note     {said}")


def print_summary(study: Study, run: RunConfig, seconds: float) -> None:
    """Print how many trials ended, which won and what can be done next."""
    with storage_errors(run.storage):
        counts = Counter(trial.state.name.lower() for trial in study.get_trials(deepcopy=False))
        ended, wanted = count_finished(study), run.budget.n_trials
        states = ", ".join(f"{n} {state}" for state, n in sorted(counts.items()))
        print(
            f"{'finished' if ended >= wanted else 'paused'}: {ended} of {wanted} trials "
            f"({states}), {seconds / 60:.1f} min in this run"
        )
        _print_finalists(study)
        _print_winner(study)
        print(f"kept     {trial_files(study, run.var).describe()}")
        _print_next(study, run, finished=ended >= wanted)


def _print_finalists(study: Study) -> None:
    """Print what the finalists came to, if they have been fitted since the search ended."""
    if winning_trial(study) is None:
        return
    print("finalists, fitted again with fresh seeds and asked fresh validation episodes:")
    for number, each in sorted(finalist_accuracies(study).items(), key=lambda item: -mean(item[1])):
        values = ", ".join(f"{value:.1%}" for value in each)
        print(f"         trial {number:>3} · mean {mean(each):.1%} ({values})")


def _print_winner(study: Study) -> None:
    for trial in [winning_trial(study) or t for t in best_trials(study, 1)]:
        won = "winner" if winning_trial(study) else "best"
        print(f"{won:8} trial {trial.number}: {describe_value(study, trial)}")
        for name, value in trial.params.items():
            print(f"         {name:15} {value:.4g}")


def _print_next(study: Study, run: RunConfig, *, finished: bool) -> None:
    if finished:
        print("The study is finished; a larger --n-trials goes on with it.")
    else:
        for trial in study.get_trials(deepcopy=False, states=(TrialState.RUNNING,)):
            host, pid, _ = worker_of(trial)
            print(f"waiting  trial {trial.number} is running on {host} (process {pid})")
        print("Run the same command again to go on.")
    print(f"next     {' · '.join(next_commands(run))}")


def next_commands(run: RunConfig) -> list[str]:
    """Return what looks at a study and what refits its winner, with the flags that name them."""
    flags = []
    if run.storage != DEFAULT_STORAGE:
        flags += ["--storage", hide_password(run.storage)]
    if run.study_name != default_study_name(run.settings):
        flags += ["--study-name", run.study_name]
    where = ["--data-root", str(run.data_root)] if run.data_root else []
    return [
        shlex.join(["uv", "run", "dashboard.py", *flags]),
        shlex.join(["uv", "run", "retrain_best.py", *flags, *where]),
    ]
