"""The first losses of both recipes, so that a refactoring changes none of them.

Run this file as a script to write the golden file anew, and say in the commit why it changed.
The rates are a tenth of the study's: at those, rounding alone grows to percents in four steps, so
that another processor would fail the test.
"""

import json
from dataclasses import replace
from pathlib import Path

import pytest
import torch

from data import cache, glyphs
from data.episodes import Dataset
from data.splits import split_dataset
from hpo.study.settings import StudySettings, base_config
from model.device import ComputeConfig
from model.fit_state import FitState
from model.losses import LOSSES, training_drawings
from model.optim import set_epoch
from model.train import train_step

GOLDEN = Path(__file__).parent / "golden" / "losses.json"


def first_losses(packed: Dataset, recipe: str, init: str) -> list[float]:
    """Train for four steps: the paper's recipe at 105 pixels, the episodes at 35."""
    size = {"paper": 105, "episode": 35}[recipe]
    settings = StudySettings(
        data="glyphs", recipe=recipe, image_size=size, n_pairs=16, steps_per_epoch=2, init=init
    )
    config = base_config(settings)
    rates = tuple(replace(r, lr=r.lr / 10) for r in config.fit.rates)
    fit = replace(config.fit, batch_size=8, n_characters=16, max_epochs=1, rates=rates)
    state = FitState(replace(config, fit=fit), seed=0, compute=ComputeConfig(torch.device("cpu")))
    set_epoch(state.optimizer, fit, 0)
    resized = Dataset(cache.resize_drawings(packed.drawings, size), packed.official)
    train = training_drawings(split_dataset(resized).train, fit)
    losses = []
    for _ in range(2):
        for loss in LOSSES[recipe](state.net, train, fit, generator=state.generator):
            train_step(state, loss)
            losses.append(loss.item())
    return losses


CASES = [("paper", "paper"), ("paper", "scaled"), ("episode", "scaled")]


@pytest.mark.parametrize(("recipe", "init"), CASES)
def test_the_first_losses_are_golden(packed_105: Dataset, recipe: str, init: str) -> None:
    golden = json.loads(GOLDEN.read_text())[f"{recipe}, {init}"]
    assert first_losses(packed_105, recipe, init) == pytest.approx(golden, rel=1e-3)


if __name__ == "__main__":
    made = glyphs.make_glyphs(n_alphabets={"train": 4, "val": 2, "test": 2})
    golden = {f"{recipe}, {init}": first_losses(made, recipe, init) for recipe, init in CASES}
    GOLDEN.write_text(json.dumps(golden, indent=1) + "\n")
