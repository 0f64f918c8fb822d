import re
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import optuna
import pytest
from tiny import TINY, identity_of, opened, part_of_paper, url

from data.errors import InputError
from data.image_folder import ImageFolder
from data.splits import Split
from hpo.settings.base_config import base_config, check_settings
from hpo.settings.study_settings import StudySettings
from hpo.space.distributions import suggest_config
from hpo.space.files import built_in_space
from hpo.study.identity import identity_differences
from hpo.study.open import (
    FOLDER,
    IDENTITY,
    load_study,
    open_stored_study,
    open_study,
)
from hpo.study.storage import Storage, open_storage


@pytest.fixture
def storage(tmp_path: Path) -> Iterator[Storage]:
    opened = open_storage(url(tmp_path))
    yield opened
    opened.close()


def run_trials(study: optuna.Study, settings: StudySettings, n: int) -> None:
    """Run trials whose value is a smooth function of their parameters."""
    base = base_config(settings)

    def value(trial: optuna.Trial) -> float:
        config = suggest_config(trial, base, settings.space)
        return sum(rates.lr for rates in config.fit.rates) - config.conv.units / 10_000

    study.optimize(value, n_trials=n)


def test_a_study_begins_with_the_starting_points(tmp_path: Path, parts: Split) -> None:
    settings = StudySettings(data="glyphs", space=built_in_space("paper"))
    study = opened(tmp_path, parts, settings)
    run_trials(study, settings, 3)
    points = settings.space.starting_points(settings.image_size)
    assert [trial.params for trial in study.trials[:2]] == points
    assert study.trials[2].params not in points


def test_a_study_in_sessions_equals_the_uninterrupted_one(tmp_path: Path, parts: Split) -> None:
    for name, sessions in (("whole", [12]), ("parts", [1, 6, 4, 1])):
        (tmp_path / name).mkdir()
        for n in sessions:
            study = opened(tmp_path / name, parts)
            run_trials(study, TINY, n)
        assert len(study.trials) == 12, "opening a study adds no trial"
    whole, resumed = (opened(tmp_path / name, parts) for name in ("whole", "parts"))
    assert [t.params for t in resumed.trials] == [t.params for t in whole.trials]
    assert whole.user_attrs[FOLDER] != resumed.user_attrs[FOLDER]


@pytest.mark.parametrize(
    ("changes", "difference"),
    [
        ({"seed": 1}, r"settings\.seed: 0 → 1"),
        ({"recipe": "paper"}, r"settings\.recipe: episode → paper"),
        ({"image_size": 28}, r"settings\.image_size: 35 → 28"),
        ({"space": part_of_paper("lr")}, r"space\.fc1\.units"),
        ({"pruner": "none"}, r"pruner\.name: halving → none"),
        ({"sampler": "gp"}, r"sampler\.name: tpe → gp"),
    ],
)
def test_a_study_is_not_resumed_with_other_settings(
    changes: dict[str, Any], difference: str, storage: Storage, parts: Split
) -> None:
    identity, changed = identity_of(TINY, parts), replace(TINY, **changes)
    open_study(storage, "s", TINY, identity)
    other = identity_of(changed, parts)
    with pytest.raises(InputError, match=rf"settings\.{next(iter(changes))}.*--study-name"):
        open_study(storage, "s", changed, other)
    lines = identity_differences(identity, other)
    assert any(re.search(difference, line) for line in lines), lines


def test_other_data_of_the_same_name_is_refused(tmp_path: Path, parts: Split) -> None:
    opened(tmp_path, parts)
    other = replace(parts, train=replace(parts.train, digest="another"))
    with pytest.raises(InputError, match=r"data_digest: [0-9a-f]+ → another"):
        opened(tmp_path, other)


def test_an_error_lists_at_most_eight_differences(storage: Storage) -> None:
    identity = {f"name{i}": i for i in range(10)}
    open_study(storage, "s", TINY, identity)
    with pytest.raises(InputError, match=r"name7: 7 → None; and 2 more"):
        open_study(storage, "s", TINY, {})


def test_a_study_of_another_program_is_refused(
    storage: Storage, parts: Split, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("hpo.study.open.time.sleep", lambda _: None)
    optuna.create_study(storage=storage, study_name="s", direction="minimize")
    with pytest.raises(InputError, match=r"run_study\.py.*minimize"):
        open_study(storage, "s", TINY, identity_of(TINY, parts))


def test_a_study_is_loaded_by_name_or_the_latest(
    tmp_path: Path, storage: Storage, parts: Split
) -> None:
    identity = identity_of(TINY, parts)
    run_trials(open_study(storage, "later", TINY, identity), TINY, 1)
    open_study(storage, "without trials", TINY, identity)
    optuna.create_study(storage=storage, study_name="of another program")
    assert load_study(storage, None)[0].study_name == "later"
    assert load_study(storage, "without trials")[0].study_name == "without trials"
    with open_stored_study(url(tmp_path), "later") as (_, study, settings):
        assert (study.study_name, settings) == ("later", TINY)
    for name in ("other", "of another program"):
        with pytest.raises(InputError, match=rf"'{name}'.*later, without trials.*--study-name"):
            load_study(storage, name)


def test_the_latest_study_of_a_folder_of_images_is_loaded(storage: Storage, parts: Split) -> None:
    for folder in ("signs", "logos"):
        settings = replace(TINY, data=ImageFolder(folder, by_class=False, colour=False).name)
        open_study(storage, folder, settings, identity_of(settings, parts))
    open_study(storage, "glyphs", TINY, identity_of(TINY, parts))
    assert load_study(storage, None, folder="signs")[0].study_name == "signs"
    with pytest.raises(InputError, match=r"'flags'.*signs, logos, glyphs.*run_study\.py"):
        load_study(storage, None, folder="flags")


def test_a_study_has_one_creator(
    storage: Storage, parts: Split, monkeypatch: pytest.MonkeyPatch
) -> None:
    identity = identity_of(TINY, parts)
    created = optuna.create_study(storage=storage, study_name="s", direction="maximize")

    def creator_continues(_: float) -> None:
        created.set_user_attr(FOLDER, "of the creator")
        created.set_user_attr(IDENTITY, identity)

    monkeypatch.setattr("hpo.study.open.time.sleep", creator_continues)
    assert open_study(storage, "s", TINY, identity).user_attrs[FOLDER] == "of the creator"


def test_a_study_whose_creator_was_killed_is_completed(
    storage: Storage, parts: Split, monkeypatch: pytest.MonkeyPatch
) -> None:
    optuna.create_study(storage=storage, study_name="s", direction="maximize")
    monkeypatch.setattr("hpo.study.open.time.sleep", lambda _: None)
    study = open_study(storage, "s", TINY, identity_of(TINY, parts))
    assert study.user_attrs[IDENTITY]["settings"]["data"] == "glyphs"
    assert study.user_attrs[FOLDER]


def test_a_study_name_contains_what_distinguishes_it() -> None:
    assert StudySettings().default_name == "omniglot-35-episode"
    two_goals = StudySettings(objective=("accuracy", "flops"))
    assert two_goals.default_name == "omniglot-35-episode-flops"
    settings = StudySettings(
        data="glyphs", image_size=20, recipe="paper", space=part_of_paper("lr", "l2")
    )
    assert settings.default_name == "glyphs-20-paper-paper-lr-l2"


@pytest.mark.parametrize(
    ("changes", "flag"),
    [({"max_epochs": 0}, "--max-epochs"), ({"seed": -1}, "--seed"), ({"image_size": 9}, "--image")],
)
def test_impossible_settings_are_refused(changes: dict[str, Any], flag: str) -> None:
    with pytest.raises(InputError, match=flag):
        check_settings(StudySettings(**changes))
