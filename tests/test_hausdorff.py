"""The modified Hausdorff distance, Lake's baseline."""

import pytest
import torch

from data.episodes import Dataset, random_episodes
from data.splits import split_dataset
from model.hausdorff import hausdorff_scores, ink_points, modified_hausdorff
from model.metrics import scorer_accuracy


def test_the_distance_of_a_known_case() -> None:
    line = torch.tensor([[0.0, 0.0], [0.0, 1.0], [0.0, 2.0]])
    point = torch.tensor([[0.0, 0.0]])
    # From the point to the line 0; from the line to the point (0 + 1 + 2) / 3.
    expected = torch.tensor([1.0, 0.0])
    torch.testing.assert_close(modified_hausdorff(point, [line, point]), expected)


def test_a_shift_does_not_change_the_distance() -> None:
    image = torch.zeros(20, 20, dtype=torch.uint8)
    image[3:9, 4] = 255
    shifted = ink_points(image.roll((5, 6), dims=(0, 1)))
    torch.testing.assert_close(modified_hausdorff(ink_points(image), [shifted]), torch.zeros(1))


def test_the_scores_are_the_distances_of_queries_and_supports(packed_105: Dataset) -> None:
    test = split_dataset(packed_105).test
    episodes = random_episodes(test, n_way=4, n_blocks=1)
    scores = hausdorff_scores(test, episodes)
    assert scores.shape == (*episodes.query_RQ.shape, 4)
    query, support = (
        ink_points(test.images_NHW[position])
        for position in (episodes.query_RQ[1, 2], episodes.support_RS[1, 3])
    )
    torch.testing.assert_close(scores[1, 2, 3], -modified_hausdorff(query, [support])[0])


@pytest.mark.slow
@pytest.mark.omniglot
def test_lakes_demonstration_has_155_errors_in_400_episodes(omniglot_105: Dataset) -> None:
    parts = split_dataset(omniglot_105)
    n_errors = 400 * (1 - scorer_accuracy(hausdorff_scores, parts.test, parts.official))
    assert n_errors == pytest.approx(155), "38.75 %, which he and the paper round to 38.8"
