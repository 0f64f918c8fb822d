import math

import pytest
import torch
from torch import Tensor

from data.episodes import Episodes, dense_validation, random_episodes
from data.splits import Split
from model.architecture import ModelConfig
from model.evaluate import (
    best_threshold,
    correctness,
    embed_drawings,
    episode_logits,
    one_shot_accuracy,
    pair_logits,
    verification_accuracy,
    wilson_interval,
)
from model.losses import to_input
from model.siamese import SiameseNet
from model.test_metrics import evaluate_network, verification_pairs


def net() -> SiameseNet:
    config = ModelConfig(filters=(16, 16, 16, 32), units=64)
    return SiameseNet(config, generator=torch.Generator().manual_seed(0))


class CountingNet(SiameseNet):
    """Counts the images that it embeds."""

    n_embedded = 0

    def embed(self, x_B1HW: Tensor) -> Tensor:
        self.n_embedded += len(x_B1HW)
        return super().embed(x_B1HW)


@pytest.mark.parametrize("n_way", [2, 5, 20])
def test_a_constant_network_scores_exactly_one_in_n(parts: Split, n_way: int) -> None:
    constant = net()
    with torch.no_grad():
        constant.head.weight.zero_()
    episodes = random_episodes(parts.test, n_way=n_way, n_blocks=5)
    assert one_shot_accuracy(constant, parts.test, episodes) == pytest.approx(1 / n_way, abs=1e-12)


def test_an_oracle_is_always_right_and_its_opposite_never(parts: Split) -> None:
    episodes = dense_validation(parts.val)
    character = parts.val.character_N
    same = character[episodes.query_RQ].unsqueeze(-1) == character[episodes.support_RS].unsqueeze(1)
    assert correctness(same.float(), episodes.target_RQ).mean() == 1.0
    assert correctness(-same.float(), episodes.target_RQ).mean() == 0.0


def test_ties_share_the_credit_and_nan_earns_none() -> None:
    scores = torch.tensor([[[1.0, 1.0, 0.0], [0.0, 2.0, 1.0], [math.nan, 0.0, 0.0]]])
    assert correctness(scores, torch.tensor([[0, 1, 1]])).tolist() == [[0.5, 1.0, 0.0]]


def test_each_drawing_is_embedded_once(parts: Split) -> None:
    config = ModelConfig(filters=(8, 8, 8, 8), units=16)
    counting = CountingNet(config, generator=torch.Generator().manual_seed(0))
    episodes = dense_validation(parts.val)
    episode_logits(counting, parts.val, episodes)
    assert counting.n_embedded == len(parts.val)
    assert len(episodes) * 21 > 5 * counting.n_embedded


def test_episode_logits_are_those_of_the_undistorted_pairs(parts: Split) -> None:
    n = net()
    episodes = random_episodes(parts.test, n_way=5, n_blocks=1)
    logits = episode_logits(n, parts.test, episodes)
    x = to_input(parts.test.images_NHW)
    for q in range(5):
        query = x[episodes.query_RQ[1, q]].expand(5, -1, -1, -1)
        with torch.no_grad():
            expected = n(query, x[episodes.support_RS[1]])
        torch.testing.assert_close(logits[1, q], expected, atol=1e-4, rtol=1e-4)


def test_unused_drawings_are_not_embedded(parts: Split) -> None:
    h = embed_drawings(net(), parts.test, torch.tensor([3, 5, 3]))
    assert h.abs().sum(1).nonzero().flatten().tolist() == [3, 5]


def test_wilson_interval_of_the_papers_result() -> None:
    low, high = wilson_interval(0.92, 400)
    assert (round(low, 3), round(high, 3)) == (0.889, 0.943)
    assert wilson_interval(1.0, 400)[1] == 1.0
    assert wilson_interval(0.0, 400)[0] == 0.0


def test_the_best_threshold_is_the_best_of_all() -> None:
    rng = torch.Generator().manual_seed(0)
    logits = torch.randn(300, generator=rng).round(decimals=1)  # with ties
    same = (logits + torch.randn(300, generator=rng)) > 0
    found = best_threshold(logits, same)
    every = [verification_accuracy(logits, same, t) for t in logits.tolist()]
    assert found.accuracy == pytest.approx(max(every))
    assert verification_accuracy(logits, same, found.threshold) == pytest.approx(found.accuracy)


def test_pair_logits_equal_forward(parts: Split) -> None:
    n, pairs = net(), verification_pairs(parts.val)[:64]
    x = to_input(parts.val.images_NHW)
    with torch.no_grad():
        expected = n(x[pairs.left_B], x[pairs.right_B])
    torch.testing.assert_close(pair_logits(n, parts.val, pairs), expected, atol=1e-4, rtol=1e-4)


def test_scores_agree_with_their_predictions(parts: Split) -> None:
    score = evaluate_network(net(), parts)
    official = score.figures["official"]
    table = score.predictions
    assert len(table) == len(parts.official) == official["n_episodes"]
    assert official["accuracy"] == pytest.approx(table["credit"].mean())
    right = table["character"] == table["answer"]
    assert right.mean() == pytest.approx(official["accuracy"], abs=0.01)
    assert official["per_alphabet"] == pytest.approx(
        table.groupby("alphabet")["credit"].mean().to_dict()
    )
    assert set(official["per_lake_run"]) == {"run01", "run02", "run03", "run04"}
    assert list(score.figures["random_episodes"]) == [str(n) for n in range(2, 21)]


def test_test_figures_do_not_depend_on_random_state(parts: Split) -> None:
    first = evaluate_network(net(), parts).figures
    torch.manual_seed(99)
    assert evaluate_network(net(), parts).figures == first


def test_episodes_of_one_block_are_enough(parts: Split) -> None:
    one = random_episodes(parts.test, n_way=5, n_blocks=1)
    single = Episodes(one.query_RQ[:1], one.support_RS[:1], one.target_RQ[:1])
    assert 0 <= one_shot_accuracy(net(), parts.test, single) <= 1
