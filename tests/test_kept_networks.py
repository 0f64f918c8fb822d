"""Which networks a study has kept of a trial. The trials are written by hand."""

from pathlib import Path

import optuna
from optuna.trial import create_trial

from hpo.search.finalists import SPACE, FinalistFit, open_finalists
from hpo.search.kept_networks import KeptNetworks, delete_former_networks, kept_networks
from hpo.search.trial_files import TrialFiles, trials_folder
from hpo.settings.sections import DIRECTIONS, Goal
from hpo.study.open import FOLDER
from hpo.study.optuna_internals import storage_of

SEEDS = (3_000_000_000, 3_000_000_001)  # of the fits of the trials, as a study derives them
FINALISTS: list[FinalistFit] = [{"trial": t, "seed": s} for t in (0, 1) for s in (1000, 1001)]
FURTHER: list[FinalistFit] = [{"trial": 1, "seed": s} for s in (1, 2)]


def made_study(*goals: Goal) -> optuna.Study:
    """A study of two complete trials; the goals after the accuracy."""
    directions = ["maximize", *(DIRECTIONS[goal] for goal in goals)]
    study = optuna.create_study(study_name="s", directions=directions)
    study.set_user_attr(FOLDER, "folder")
    for seed in SEEDS:
        study.add_trial(create_trial(values=[0.5, *[1.0] * len(goals)], user_attrs={"seed": seed}))
    return study


def add_fits(study: optuna.Study, fits: list[FinalistFit], kind: str = "finalists") -> optuna.Study:
    """The study of complete fits."""
    added = open_finalists(storage_of(study), study, fits, kind)  # type: ignore[arg-type]
    for fit in fits:
        added.add_trial(create_trial(value=0.5, params=fit, distributions=SPACE))
    return added


def add_networks(study: optuna.Study, var: Path) -> list[Path]:
    """An empty file in place of the network of each trial."""
    folder = trials_folder(study, var)
    folder.mkdir(parents=True)
    paths = [TrialFiles(folder).network(trial.number) for trial in study.trials]
    for path in paths:
        path.touch()
    return paths


def kept(study: optuna.Study, number: int, var: Path) -> KeptNetworks:
    return kept_networks(storage_of(study), study, study.trials[number], var)


def test_the_fits_that_chose_and_the_fresh_ones_are_told_apart(tmp_path: Path) -> None:
    study = made_study()
    own = add_networks(study, tmp_path)
    finalists = add_networks(add_fits(study, FINALISTS), tmp_path)
    further = add_networks(add_fits(study, FURTHER, "winner"), tmp_path)
    chosen = {SEEDS[1]: own[1], 1000: finalists[2], 1001: finalists[3]}
    assert kept(study, 1, tmp_path) == KeptNetworks(chosen, {1: further[0], 2: further[1]})
    own[1].unlink()
    further[0].unlink()
    del chosen[SEEDS[1]]
    assert kept(study, 1, tmp_path) == KeptNetworks(chosen, {2: further[1]})
    assert kept(study, 0, tmp_path).fresh == {}, "it is not the winner"


def test_a_study_without_files_folder_or_winner_has_kept_nothing(tmp_path: Path) -> None:
    assert kept(made_study(), 0, tmp_path) == KeptNetworks()
    assert list(tmp_path.iterdir()) == [], "no folder is created"
    study = optuna.create_study(direction="maximize")
    study.add_trial(create_trial(value=0.5))
    assert kept(study, 0, tmp_path) == KeptNetworks()
    two_goals = made_study("flops")
    add_networks(two_goals, tmp_path)
    assert kept(two_goals, 0, tmp_path) == KeptNetworks()


def test_only_the_networks_of_former_finalists_are_deleted(tmp_path: Path) -> None:
    study, other = made_study(), made_study()
    other.set_user_attr(FOLDER, "other")
    former = add_fits(study, FINALISTS[:2])
    current = [add_fits(study, FINALISTS), add_fits(study, FURTHER, "winner")]
    deleted = add_networks(former, tmp_path)
    needed = [path for s in (study, other, *current) for path in add_networks(s, tmp_path)]
    checkpoint = trials_folder(former, tmp_path) / "1.fit.pt"
    checkpoint.touch()
    delete_former_networks(storage_of(study), study, current, tmp_path)
    assert not any(path.exists() for path in deleted)
    assert all(path.exists() for path in [*needed, checkpoint])
