"""Studies so small that a trial takes a fraction of a second."""

from dataclasses import replace
from pathlib import Path
from typing import Any

import optuna
import torch

from data.episodes import dense_validation
from data.splits import Split
from hpo.search.objective import Objective
from hpo.search.trial_files import TrialFiles
from hpo.settings.base_config import base_config
from hpo.settings.study_settings import StudyConfig, StudySettings
from hpo.space.files import built_in_space
from hpo.space.space import Space
from hpo.study.identity import study_identity
from hpo.study.open import open_study
from hpo.study.storage import open_storage
from model.architecture import CONVS, LAYERS, ModelConfig
from model.config import REFERENCE_COST, Config
from model.device import ComputeConfig
from model.train import Validation


def part_of_paper(*rates: str) -> Space:
    """The parameters of the paper's space whose names end with one of ``rates``."""
    return built_in_space("paper").only(rates)


TINY = StudySettings(
    data="glyphs",
    max_epochs=2,
    steps_per_epoch=2,
    space=part_of_paper("lr", "units"),
    step_cost=REFERENCE_COST,
)
TINY_20 = replace(
    TINY, image_size=20, steps_per_epoch=1, space=part_of_paper("lr", "filters", "units")
)


def small_params(n: int) -> dict[str, float | int]:
    """Parameters of TINY_20 for a network that trains in no time; ``n`` distinguishes them."""
    filters: dict[str, float | int] = {f"{layer}.filters": 16 for layer in CONVS}
    return {f"{layer}.lr": 0.03 for layer in LAYERS} | filters | {"fc1.units": 128 + 16 * n}


def url(folder: Path) -> str:
    return f"sqlite:///{folder}/study.db"


def tiny_config(folder: Path, **values: Any) -> StudyConfig:
    """Return a run of three trials of the study ``s``."""
    defaults = {"storage": url(folder), "study_name": "s", "n_trials": 3}
    return StudyConfig.from_settings(TINY, **(defaults | values))


def identity_of(settings: StudySettings, parts: Split) -> dict[str, Any]:
    return study_identity(settings, parts.train, parts.val, dense_validation(parts.val))


def opened(folder: Path, parts: Split, settings: StudySettings = TINY) -> optuna.Study:
    """The study ``s`` in a database of its own; created, or resumed."""
    return open_study(open_storage(url(folder)), "s", settings, identity_of(settings, parts))


def objective(
    parts: Split,
    folder: Path,
    n_networks: int = 0,
    artifacts: Path | None = None,
    settings: StudySettings = TINY,
) -> Objective:
    validation = Validation(parts.val, dense_validation(parts.val))
    files = TrialFiles(folder, 0.0, n_networks, artifacts)
    return Objective(settings, parts.train, validation, ComputeConfig(torch.device("cpu")), files)


def config(recipe: Any = "episode", **changes: Any) -> Config:
    """A fit of four epochs of three steps, with changes of its FitConfig."""
    base = base_config(StudySettings(recipe=recipe, max_epochs=4, steps_per_epoch=3, n_pairs=96))
    fit_changes: dict[str, Any] = {
        "n_characters": 16,
        "batch_size": 32,
        "ramp_epochs": 2,
        **changes,
    }
    model = ModelConfig(filters=(16, 16, 16, 32), units=64)
    return Config(model, replace(base.fit, **fit_changes))
