import re
from dataclasses import replace
from pathlib import Path
from typing import Any

import optuna
import pytest
from tiny import TINY, identity_of, opened, url

from data.errors import InputError
from data.splits import Split
from hpo.space.configuration import starting_points, suggest_config
from hpo.study.open import FOLDER, IDENTITY, load_study
from hpo.study.settings import StudySettings, base_config, identity_differences
from hpo.study.storage import open_storage


def test_the_first_trials_are_the_anchors_and_reopening_adds_nothing(
    tmp_path: Path, parts: Split
) -> None:
    settings = StudySettings(data="glyphs")
    first = starting_points(base_config(settings), settings.search)
    for _ in range(3):
        study = opened(tmp_path, parts, settings)
        trial = study.ask()
        suggest_config(trial, base_config(settings), settings.search)
        study.tell(trial, 0.5)
    assert [t.params for t in study.trials[:2]] == first
    assert study.trials[2].params not in first
    assert len(opened(tmp_path, parts, settings).trials) == 3


@pytest.mark.parametrize(
    ("changed", "named"),
    [
        ({"seed": 1}, r"settings\.seed: 0 → 1"),
        ({"recipe": "paper"}, r"settings\.recipe: episode → paper"),
        ({"image_size": 28}, r"settings\.image_size: 35 → 28"),
        ({"search": ("lr",)}, r"space\.fc1\.units"),
        ({"pruner": "none"}, r"pruner\.name: median → none"),
        ({"sampler": "gp"}, r"sampler\.name: tpe → gp"),
    ],
)
def test_a_study_is_not_resumed_as_something_else(
    changed: dict[str, Any], named: str, tmp_path: Path, parts: Split
) -> None:
    opened(tmp_path, parts)
    with pytest.raises(InputError, match=r"made otherwise.*--study-name") as caught:
        opened(tmp_path, parts, replace(TINY, **changed))
    lines = identity_differences(
        identity_of(TINY, parts), identity_of(replace(TINY, **changed), parts)
    )
    assert any(re.search(named, line) for line in lines), lines
    assert "→" in str(caught.value)


def test_other_data_of_the_same_name_is_refused(tmp_path: Path, parts: Split) -> None:
    opened(tmp_path, parts)
    other = replace(parts, train=replace(parts.train, digest="another"))
    with pytest.raises(InputError, match=r"data_digest: [0-9a-f]+ → another"):
        opened(tmp_path, other)


def test_a_study_of_the_wrong_direction_is_refused(tmp_path: Path, parts: Split) -> None:
    storage = open_storage(url(tmp_path))
    optuna.create_study(storage=storage, study_name="s", direction="minimize")
    with pytest.raises(InputError, match=r"not made by run_study\.py.*minimize"):
        opened(tmp_path, parts)


def test_a_study_that_is_not_there_is_named_with_those_that_are(
    tmp_path: Path, parts: Split
) -> None:
    opened(tmp_path, parts)
    storage = open_storage(url(tmp_path))
    with pytest.raises(InputError, match="must hold study 'other', but it holds s"):
        load_study(storage, "other")


def test_a_study_has_one_maker(
    tmp_path: Path, parts: Split, monkeypatch: pytest.MonkeyPatch
) -> None:
    mine = optuna.create_study(
        storage=open_storage(url(tmp_path)), study_name="s", direction="maximize"
    )

    def its_maker_goes_on(_: float) -> None:
        mine.set_user_attr(FOLDER, "its maker's")
        mine.set_user_attr(IDENTITY, identity_of(TINY, parts))

    monkeypatch.setattr("hpo.study.open.time.sleep", its_maker_goes_on)
    assert opened(tmp_path, parts).user_attrs[FOLDER] == "its maker's"
