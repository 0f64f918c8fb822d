"""Predictions name the drawings of their episodes, also if classes have different sizes."""

from dataclasses import replace

import pandas as pd
import pytest
import retrained
import torch

from data.drawings import Drawings
from data.episodes import random_episodes
from data.pictures import drawing_png
from data.splits import Split
from hpo.report.retraining import frames
from hpo.report.retraining.images import error_images
from model.predictions import prediction_table


@pytest.fixture(scope="module")
def unequal(parts_20: Split) -> Split:
    """Test classes of 3, 4, 5 and 6 images."""
    test = parts_20.test
    keep = test.drawer_N < 3 + test.character_N % 4
    images = Drawings(
        "signs",
        test.digest,
        test.alphabets,
        test.images_NHW[keep],
        test.alphabet_N[keep],
        test.character_N[keep],
        test.drawer_N[keep],
    )
    official = random_episodes(images, n_way=5, n_blocks=20)
    return replace(parts_20, test=images, official=official)


@pytest.fixture(scope="module")
def predictions(unequal: Split) -> pd.DataFrame:
    """The answer is the second candidate everywhere."""
    scores_RQS = torch.zeros(*unequal.official.query_RQ.shape, unequal.official.n_way)
    scores_RQS[..., 1] = 1
    return prediction_table(scores_RQS, unequal.test, unequal.official)


def positions(test: Drawings, character: pd.Series, drawer: pd.Series) -> list[int]:
    """The positions of the drawings that a table names."""
    start = test.first_C[torch.tensor(character.to_numpy())]
    return (start + torch.tensor(drawer.to_numpy()) - 1).tolist()


def test_every_candidate_has_its_own_support_drawing(
    unequal: Split, predictions: pd.DataFrame
) -> None:
    test, official, p = unequal.test, unequal.official, predictions
    right = official.support_RS.gather(1, official.target_RQ)
    assert positions(test, p.character, p.query_drawer) == official.query_RQ.flatten().tolist()
    assert positions(test, p.character, p.support_drawer) == right.flatten().tolist()
    assert positions(test, p.answer, p.answer_drawer) == [
        block[1] for block in official.support_RS.tolist() for _ in range(official.n_way)
    ]
    assert (p.support_drawer != p.answer_drawer).mean() > 0.3


def test_the_pictures_of_errors_show_the_drawings_of_the_episode(
    unequal: Split, predictions: pd.DataFrame
) -> None:
    errors = frames.error_frame(predictions.assign(seed=1), {})
    pictures = error_images(errors, unequal.test)
    assert len(pictures) == len(errors) == 0.8 * len(predictions)
    official = unequal.official
    for row, picture in zip(errors.itertuples(), pictures, strict=True):
        block, item = row.lake_run - 1, row.item - 1
        support = official.support_RS[block]
        shown = official.query_RQ[block, item], support[official.target_RQ[block, item]], support[1]
        assert [png for _, png in picture.images] == [
            drawing_png(unequal.test.images_NHW[position]) for position in shown
        ]


def test_drawers_of_omniglot_are_those_of_the_block(parts_20: Split) -> None:
    table = retrained.evaluation(parts_20, 1).predictions
    assert (table.support_drawer == table.answer_drawer).all()
    assert table.groupby("lake_run").support_drawer.nunique().max() == 1
