"""The studies of ``benchmarks/search_pays.py``, and the configurations that their winners meet."""

import argparse
from collections.abc import Iterator
from contextlib import closing
from dataclasses import dataclass, replace

from held_out import division_without_held_out
from image_sets import COLOUR, folder_of
from optuna.study import Study
from search_pays_fits import with_images

from data.load import load_dataset
from data.splits import Split, split_dataset
from hpo.api import run_study
from hpo.refit.plan import refit_config
from hpo.search.finalists import finalist_studies
from hpo.search.winner import choose_trial
from hpo.settings.study_settings import StudyConfig, StudySettings
from hpo.space.files import built_in_space
from hpo.space.space import Space
from hpo.study.budget import busy_seconds
from hpo.study.dataset import load_data, split_data
from hpo.study.identity import settings_of
from hpo.study.storage import open_storage
from hpo.study.trials import trial_attributes
from model.config import REFERENCE_COST, Config
from model.losses import images_per_epoch
from model.start_weights import read_start_network

OMNIGLOT = "omniglot"
N_FRESH, N_DEFAULT, N_ALL = 3, 1, 1  # fits of a study's winner, of the defaults, of all its images
N_TRIALS_CENTRES = 45  # of a study that begins at the centres


@dataclass(frozen=True)
class Searched:
    """A finished study.

    Args:
        name: name of the image set.
        study: the study.
        config: how it was run.
        settings: its settings.
        parts: its drawings; the test part chooses nothing.
        n_images: drawings that all its fits embedded.
        seconds: wall time of all its fits.
    """

    name: str
    study: Study
    config: StudyConfig
    settings: StudySettings
    parts: Split
    n_images: int
    seconds: float


def study_config(name: str, seed: int, args: argparse.Namespace) -> StudyConfig:
    """Return how the study of an image set and a seed is run: with all defaults.

    Args:
        name: :data:`OMNIGLOT`, or a name of :data:`image_sets.SETS`.
        seed: seed of the study.
        args: flags.
    """
    folder = args.work
    start = read_start_network(args.start_from) if args.start_from else None
    config = StudyConfig(
        storage=f"sqlite:///{folder}/study.db",
        study_name=f"{name}-{seed}" + ("-started" if start else ""),
        start_from=start,
        var=folder / "var",
        seed=seed,
        step_cost=REFERENCE_COST,
        device=args.device,
        precision=args.precision,
    )
    if args.centres:
        config = replace(config, space=centres(), n_trials=N_TRIALS_CENTRES)
        config = replace(config, study_name=f"{config.study_name}-centres")
    if args.quick:
        config = replace(config, n_trials=3, max_epochs=1, steps_per_epoch=1)
    if name != OMNIGLOT:
        return replace(config, data_root=folder_of(name, args.sets), colour=name in COLOUR)
    parts = split_dataset(load_dataset(OMNIGLOT, args.data_root, config.image_size))
    parts_of = division_without_held_out(parts)
    return replace(
        config,
        data_root=args.data_root,
        train=parts_of.train,
        val=parts_of.val,
        test=parts_of.test,
    )


def centres() -> Space:
    """Return the space ``standard`` without what was set by hand: it begins at the centres."""
    standard = built_in_space("standard")
    parameters = {
        name: replace(parameter, default=None, confidence=None)
        for name, parameter in standard.parameters.items()
    }
    return replace(standard, name="centres", parameters=parameters, starts=())


def search(name: str, seed: int, args: argparse.Namespace) -> Searched:
    """Run or resume a study."""
    config = study_config(name, seed, args)
    study = run_study(config)
    settings = settings_of(study)
    with closing(open_storage(config.storage)) as storage:
        studies = [study, *finalist_studies(storage, study)]
    trials = [trial for each in studies for trial in each.get_trials(deepcopy=False)]
    return Searched(
        name,
        study,
        config,
        settings,
        split_data(settings, load_data(settings, config.data_root)),
        sum(trial_attributes(trial).get("n_images", 0) for trial in trials),
        sum(map(busy_seconds, studies)),
    )


def former_default(settings: StudySettings) -> Config:
    """Return the better hand-set start of version 0.5.0, as its ``retrain_best.py`` refitted it."""
    paper = built_in_space("paper")
    start = paper.starting_points(settings.image_size)[1]
    return refit_config(replace(settings, space=paper), start, mirrors=True)


def rivals(searched: Searched) -> Iterator[tuple[str, Config, int]]:
    """Yield name, configuration and number of fits of the winner and of its rivals.

    The rivals start from random weights, whatever the study started from.
    """
    n_characters = searched.parts.train.n_characters
    winner = refit_config(searched.settings, choose_trial(searched.study, None).params)
    n_images = winner.fit.max_epochs * images_per_epoch(winner.fit, n_characters)
    standard = built_in_space("standard")
    settings = replace(searched.settings, space=standard, start_from=None)
    new = refit_config(settings, standard.starting_points(settings.image_size)[0])
    former = former_default(settings)
    yield "winner", winner, N_FRESH
    yield "default", with_images(former, n_images, n_characters), N_DEFAULT
    yield "new_default", with_images(new, n_images, n_characters), N_DEFAULT
    total = searched.n_images + n_images
    yield "default_all_images", with_images(former, total, n_characters), N_ALL
