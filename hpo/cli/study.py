"""The actions of run_study.py: convert its flags to a configuration, or stop a study."""

import argparse

from data.drawings import Drawings
from data.errors import InputError
from data.load import load_dataset, resolve_dataset_name
from hpo.runtime.launcher import Launcher, ProcessLauncher
from hpo.search.winner import winning_trial
from hpo.space.ranges import parse_groups
from hpo.study.budget import Budget, request_stop
from hpo.study.open import default_study_name, open_stored_study
from hpo.study.settings import DEFAULT_EPOCHS, RunConfig, StudySettings
from model.config import REFERENCE_COST


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
        step_cost=args.step_cost or REFERENCE_COST,
    )
    return RunConfig(
        settings=settings,
        storage=args.storage,
        study_name=args.study_name or default_study_name(settings),
        budget=Budget(
            args.n_trials,
            args.time_budget,
            n_fits=(args.finalists + 1) * args.n_finalist_seeds if args.finalists > 1 else 0,
            workers=args.workers,
        ),
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
        measure_cost=args.step_cost is None,
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
        if winning_trial(study) is None:
            print("Its finalists are not fitted. Run the same command again to choose a winner.")
