from pathlib import Path
from typing import Any

import optuna
import pytest
from tiny import url

from hpo.sampler import make_sampler
from hpo.storage import open_storage


def sampled(sampler: str, sessions: list[int], folder: Path) -> list[dict[str, Any]]:
    """Run a toy study in several sessions; return its parameters."""
    for n in sessions:
        study = optuna.create_study(
            storage=open_storage(url(folder)),
            study_name=sampler,
            sampler=make_sampler(sampler, 0),
            load_if_exists=True,
        )
        study.optimize(
            lambda t: abs(t.suggest_float("x", 0, 1) - 0.37) + t.suggest_float("y", -1, 1) ** 2,
            n_trials=n,
        )
    return [trial.params for trial in study.trials]


@pytest.mark.parametrize("sampler", ["tpe", "gp", "random"])
def test_a_resumed_study_samples_what_the_uninterrupted_one_does(
    sampler: str, tmp_path: Path
) -> None:
    for name in ("a", "b"):
        (tmp_path / name).mkdir()
    whole = sampled(sampler, [14], tmp_path / "a")
    resumed = sampled(sampler, [5, 6, 3], tmp_path / "b")
    assert resumed == whole
    assert len({tuple(params.items()) for params in whole}) == 14
