"""The images that a trial attaches for the dashboard."""

import json
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import optuna
import pytest
import tiny
import torch
from PIL import Image

from data.episodes import dense_validation
from data.splits import Split
from hpo.search.objective import Objective
from hpo.search.trial_images import attach_images, most_confident_errors, trial_images
from model.architecture import ModelConfig
from model.evaluate import episode_logits
from model.fit_state import EpochResult
from model.siamese import SiameseNet
from model.train import Validation

ALL_NAMES = {"curve.png", "filters.png", "errors (query, correct, chosen).png"}


def build_small_net() -> SiameseNet:
    generator = torch.Generator().manual_seed(0)
    return SiameseNet(ModelConfig(filters=(8, 8, 8, 8), units=16), generator=generator).eval()


@pytest.fixture(scope="module")
def state() -> Any:
    """As much of a fit of two epochs as its images need."""
    history = [EpochResult(i, 1.0, 0.1 * i, n_images=10, seconds=1.0, stopped=None) for i in (1, 2)]
    net = build_small_net()
    return SimpleNamespace(history=history, best=history[-1], best_net=lambda: net)


@pytest.fixture(scope="module")
def validation(parts: Split) -> Validation:
    return Validation(parts.val, dense_validation(parts.val))


def attached(trial: optuna.trial.FrozenTrial) -> list[dict[str, str]]:
    attributes = trial.system_attrs
    return [json.loads(v) for name, v in attributes.items() if name.startswith("artifacts:")]


def test_the_objective_attaches_the_images_of_a_trial(
    state: Any, parts: Split, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(Objective, "train_network", lambda *_: (state, False))
    study = optuna.create_study(direction="maximize")
    study.optimize(tiny.objective(parts, tmp_path, artifacts=tmp_path / "a"), n_trials=1)
    artifacts = attached(study.trials[0])
    assert {artifact["filename"] for artifact in artifacts} == ALL_NAMES
    assert {artifact["mimetype"] for artifact in artifacts} == {"image/png"}
    for artifact in artifacts:
        path = tmp_path / "a" / artifact["artifact_id"]
        with Image.open(path) as image:
            assert image.width > 100
        assert path.stat().st_size < 40_000
    study.optimize(tiny.objective(parts, tmp_path), n_trials=1)
    assert attached(study.trials[1]) == [], "no folder for images"


def test_a_pruned_trial_has_no_errors(state: Any, validation: Validation) -> None:
    assert set(trial_images(state, validation, pruned=True)) == {"curve.png", "filters.png"}
    assert set(trial_images(state, validation, pruned=False)) == ALL_NAMES


def test_images_that_cannot_be_written_are_a_warning(tmp_path: Path) -> None:
    blocked = tmp_path / "a"
    blocked.write_text("a file where the folder should be")
    study = optuna.create_study()
    with pytest.warns(UserWarning, match="(?i)trial 0.*not saved"):
        attach_images(study.ask(), {"curve.png": b""}, blocked)
    assert attached(study.trials[0]) == []


def test_the_most_confident_errors_come_first(validation: Validation) -> None:
    net = build_small_net()
    drawings, episodes = validation.drawings, validation.episodes
    errors_K3 = most_confident_errors(net, validation, 10)
    logits_RQS = episode_logits(net, drawings, episodes)
    target_RQ = logits_RQS.gather(-1, episodes.target_RQ.unsqueeze(-1)).squeeze(-1)
    margin = (logits_RQS.max(-1).values - target_RQ).flatten()
    assert errors_K3[0, 0] == episodes.query_RQ.flatten()[int(margin.argmax())]
    character = drawings.character_N
    assert (character[errors_K3[:, 0]] == character[errors_K3[:, 1]]).all()
    assert (character[errors_K3[:, 0]] != character[errors_K3[:, 2]]).all()
    assert errors_K3.shape == (10, 3)
