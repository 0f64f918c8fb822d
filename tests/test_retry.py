from collections.abc import Callable
from pathlib import Path
from typing import NoReturn

import optuna
import pytest
from optuna.trial import TrialState
from tiny import TINY, opened

from data.errors import InputError
from data.splits import Split
from hpo.runtime.requeue import run_one_trial
from hpo.space.configuration import suggest_config
from hpo.study.budget import count_finished
from hpo.study.settings import base_config


def interrupted(*_: object) -> NoReturn:
    raise KeyboardInterrupt


def interrupted_inside_a_library(*_: object) -> NoReturn:
    try:
        raise KeyboardInterrupt
    except KeyboardInterrupt:
        raise RuntimeError("the transaction is closed")  # noqa: B904


def disk_is_full(*_: object) -> NoReturn:
    raise InputError("The disk is full.")


def has_a_bug(*_: object) -> NoReturn:
    raise RuntimeError("a bug")


NOT_TO_BLAME = (interrupted, interrupted_inside_a_library, disk_is_full)


def strike(study: optuna.Study, folder: Path, blow: Callable[[], NoReturn]) -> None:
    """Take a trial that is struck once its parameters are drawn."""

    def goal(trial: optuna.Trial) -> float:
        suggest_config(trial, base_config(TINY), TINY.search)
        blow()

    with pytest.raises(BaseException, match=r".*"):
        run_one_trial(study, goal, folder / "lock")


@pytest.mark.parametrize("blow", NOT_TO_BLAME)
def test_a_trial_that_is_not_to_blame_is_put_back(
    blow: Callable[[], NoReturn], tmp_path: Path, parts: Split
) -> None:
    study = opened(tmp_path, parts)
    strike(study, tmp_path, blow)
    ended, again = study.trials
    assert (ended.state, again.state) == (TrialState.FAIL, TrialState.WAITING)
    assert again.system_attrs["fixed_params"] == ended.params
    assert count_finished(study) == 0


def test_a_trial_with_a_bug_is_not_put_back(tmp_path: Path, parts: Split) -> None:
    study = opened(tmp_path, parts)
    strike(study, tmp_path, has_a_bug)
    assert [trial.state for trial in study.trials] == [TrialState.FAIL]
    assert count_finished(study) == 1


def test_a_trial_that_is_interrupted_while_it_is_signed_is_put_back(
    tmp_path: Path, parts: Split, monkeypatch: pytest.MonkeyPatch
) -> None:
    study = opened(tmp_path, parts)
    monkeypatch.setattr("hpo.runtime.requeue.sign", interrupted)
    with pytest.raises(KeyboardInterrupt):
        run_one_trial(study, lambda _: 1.0, tmp_path / "lock")
    assert [trial.state for trial in study.trials] == [TrialState.FAIL, TrialState.WAITING]
    assert count_finished(study) == 0
