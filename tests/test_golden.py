"""The paper's recipe at 105 pixels: its first losses, so that a refactoring changes none of them.

Run this file as a script to write the golden file anew, and say in the commit why it changed.
The rates are a tenth of the study's: at those, rounding alone grows to percents in four steps, so
that another processor would fail the test.
"""

import json
from dataclasses import replace
from pathlib import Path

import pytest
import torch

from data import glyphs
from data.episodes import Packed
from data.splits import split
from hpo.settings import StudySettings, base_config
from hpo.space import paper_model
from model.device import Machine
from model.optim import set_epoch
from model.recipes import pair_losses, training_drawings
from model.state import FitState

GOLDEN = Path(__file__).parent / "golden" / "paper-105.json"


def first_losses(packed: Packed, init: str) -> list[float]:
    settings = StudySettings(data="glyphs", recipe="paper", image_size=105, pairs=16)
    config = base_config(settings)
    rates = tuple(replace(r, lr=r.lr / 10) for r in config.fit.rates)
    config = replace(
        config,
        model=paper_model(105, init),
        fit=replace(config.fit, batch_size=8, max_epochs=1, rates=rates),
    )
    state = FitState(config, seed=0, machine=Machine(torch.device("cpu")))
    set_epoch(state.optimizer, config.fit, 0)
    train = training_drawings(split(packed).train, config.fit)
    losses = []
    for _ in range(2):
        for loss in pair_losses(state.net, train, config.fit, generator=state.generator):
            state.optimizer.zero_grad()
            loss.backward()
            state.optimizer.step()
            losses.append(loss.item())
    return losses


@pytest.mark.parametrize("init", ["paper", "scaled"])
def test_the_first_losses_of_the_papers_recipe_are_golden(packed_105: Packed, init: str) -> None:
    assert first_losses(packed_105, init) == pytest.approx(
        json.loads(GOLDEN.read_text())[init], rel=1e-3
    )


if __name__ == "__main__":
    made = glyphs.make(n_alphabets={"train": 4, "val": 2, "test": 2})
    golden = {init: first_losses(made, init) for init in ("paper", "scaled")}
    GOLDEN.write_text(json.dumps(golden, indent=1) + "\n")
