"""From run_study.py's flags to what it does."""

import argparse

from data.errors import InputError
from data.load import load_dataset, dataset_name
from hpo.budget import Budget, request_stop
from hpo.job import RunConfig
from hpo.launcher import Launcher, ProcessLauncher
from hpo.settings import DEFAULT_EPOCHS, StudySettings
from hpo.space import parse_groups
from hpo.stored import open_stored_study
from hpo.study import default_study_name


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
        epoch_steps=args.epoch_steps,
        pairs=args.pairs,
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
        budget=Budget(args.n_trials, args.timeout),
        data_root=args.data_root,
        device=args.device,
        precision=args.precision,
        workers=args.workers,
        heartbeat=args.heartbeat,
        trial_timeout=args.trial_timeout,
        checkpoint_seconds=args.checkpoint_seconds,
        max_retries=args.max_retries,
        n_finalists=args.finalists,
        n_finalist_seeds=args.finalist_seeds,
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
    from hpo.cluster import RayLauncher

    return RayLauncher(args.ray, args.gpus_per_worker)


def stop_study(args: argparse.Namespace) -> None:
    """Ask every process of a study, by default the latest, to finish its trial and end.

    Raises:
        InputError: there is no such study.
    """
    with open_stored_study(args.storage, args.study_name, reading=False) as (_, study, _):
        request_stop(study)
        print(f"Every process that works on study '{study.study_name}' will end after its trial.")
