"""Accuracies from embeddings that are computed once."""

import math
from dataclasses import replace

import pytest
import torch
from torch import Tensor

from data.drawings import Drawings
from data.episodes import Episodes, dense_validation, random_episodes
from data.splits import Split
from model import evaluate
from model.architecture import ModelConfig
from model.evaluate import (
    averaged_logits,
    best_threshold,
    correctness,
    embed_drawings,
    episode_logits,
    one_shot_accuracy,
    pair_logits,
    pixel_distance_scores,
    verification_accuracy,
    wilson_interval,
)
from model.losses import to_input
from model.siamese import SiameseNet
from model.verification import verification_pairs

SMALL = ModelConfig(filters=(8, 8, 8, 8), units=16)


class CountingNet(SiameseNet):
    """Counts the images that it embeds."""

    n_embedded = 0

    def embed(self, x_B1HW: Tensor) -> Tensor:
        self.n_embedded += len(x_B1HW)
        return super().embed(x_B1HW)


@pytest.fixture
def net() -> CountingNet:
    return CountingNet(SMALL, generator=torch.Generator().manual_seed(0))


@pytest.mark.parametrize("n_way", [2, 5, 20])
def test_a_constant_network_has_exactly_the_chance_accuracy(
    n_way: int, net: CountingNet, parts: Split
) -> None:
    with torch.no_grad():
        net.head.weight.zero_()
    episodes = random_episodes(parts.test, n_way=n_way, n_blocks=5)
    assert one_shot_accuracy(net, parts.test, episodes) == pytest.approx(1 / n_way, abs=1e-12)


def test_an_oracle_is_always_correct_and_its_opposite_never(parts: Split) -> None:
    episodes = dense_validation(parts.val)
    character = parts.val.character_N
    same = character[episodes.query_RQ].unsqueeze(-1) == character[episodes.support_RS].unsqueeze(1)
    assert correctness(same.float(), episodes.target_RQ).mean() == 1.0
    assert correctness(-same.float(), episodes.target_RQ).mean() == 0.0


def test_ties_are_shared_and_nan_is_never_correct() -> None:
    scores = torch.tensor([[[1.0, 1.0, 0.0], [0.0, 2.0, 1.0], [math.nan, 0.0, 0.0]]])
    assert correctness(scores, torch.tensor([[0, 1, 1]])).tolist() == [[0.5, 1.0, 0.0]]


def test_each_drawing_is_embedded_once(net: CountingNet, parts: Split) -> None:
    episodes = dense_validation(parts.val)
    episode_logits(net, parts.val, episodes)
    assert net.n_embedded == len(parts.val)
    assert len(episodes) * 21 > 5 * net.n_embedded


def test_only_the_requested_drawings_are_embedded(net: CountingNet, parts: Split) -> None:
    h_NE = embed_drawings(net, parts.test, torch.tensor([3, 5, 3]))
    assert h_NE.abs().sum(1).nonzero().flatten().tolist() == [3, 5]


def test_episode_logits_are_those_of_the_pairs(net: CountingNet, parts: Split) -> None:
    episodes = random_episodes(parts.test, n_way=5, n_blocks=1)
    logits = episode_logits(net, parts.test, episodes)
    x = to_input(parts.test.images_NHW)
    for q in range(5):
        query = x[episodes.query_RQ[1, q]].expand(5, -1, -1, -1)
        with torch.no_grad():
            expected = net(query, x[episodes.support_RS[1]])
        torch.testing.assert_close(logits[1, q], expected, atol=1e-4, rtol=1e-4)


def test_pair_logits_are_those_of_the_network(net: CountingNet, parts: Split) -> None:
    pairs = verification_pairs(parts.val)[:64]
    x = to_input(parts.val.images_NHW)
    with torch.no_grad():
        expected = net(x[pairs.left_B], x[pairs.right_B])
    torch.testing.assert_close(pair_logits(net, parts.val, pairs), expected, atol=1e-4, rtol=1e-4)


def test_averaged_logits_differ_by_the_distortions_alone(
    net: CountingNet, parts: Split, monkeypatch: pytest.MonkeyPatch
) -> None:
    plain = episode_logits(net, parts.test, parts.official)
    averaged = averaged_logits(net, parts.test, parts.official, n_copies=2)
    assert not torch.allclose(averaged, plain, atol=1e-4)
    monkeypatch.setattr("model.evaluate.distort", lambda x, _: x)
    undistorted = averaged_logits(net, parts.test, parts.official, n_copies=2)
    torch.testing.assert_close(undistorted, plain, atol=1e-4, rtol=1e-4)


def test_pixel_distances_are_euclidean(parts: Split) -> None:
    episodes = random_episodes(parts.test, n_way=5, n_blocks=1)
    scores = pixel_distance_scores(parts.test, episodes)
    x = parts.test.images_NHW.float()
    difference = x[episodes.query_RQ[0, 1]] - x[episodes.support_RS[0, 2]]
    torch.testing.assert_close(scores[0, 1, 2], -difference.norm(), rtol=1e-3, atol=1e-3)


def test_the_wilson_interval_of_the_papers_result() -> None:
    low, high = wilson_interval(0.92, 400)
    assert (round(low, 3), round(high, 3)) == (0.889, 0.943)
    assert wilson_interval(1.0, 400)[1] == 1.0
    assert wilson_interval(0.0, 400)[0] == 0.0


def test_the_best_threshold_is_the_best_of_all() -> None:
    generator = torch.Generator().manual_seed(0)
    logits = torch.randn(300, generator=generator).round(decimals=1)  # with ties
    same = (logits + torch.randn(300, generator=generator)) > 0
    best = best_threshold(logits, same)
    accuracies = [verification_accuracy(logits, same, t) for t in logits.tolist()]
    assert best.accuracy == pytest.approx(max(accuracies))
    assert verification_accuracy(logits, same, best.threshold) == pytest.approx(best.accuracy)


def test_a_single_block_of_episodes_is_enough(net: CountingNet, parts: Split) -> None:
    episodes = random_episodes(parts.test, n_way=5, n_blocks=1)
    block = Episodes(episodes.query_RQ[:1], episodes.support_RS[:1], episodes.target_RQ[:1])
    logits = episode_logits(net, parts.test, block)
    torch.testing.assert_close(logits, episode_logits(net, parts.test, episodes)[:1])


def on_another_device(drawings: Drawings) -> Drawings:
    """Return drawings whose images are on a device without data, as a GPU would be another one."""
    return replace(drawings, images_NHW=drawings.images_NHW.to("meta"))


def test_the_verification_pairs_do_not_depend_on_the_device(parts: Split) -> None:
    expected, found = (
        verification_pairs(parts.val),
        verification_pairs(on_another_device(parts.val)),
    )
    for name in ("left_B", "right_B", "same_B"):
        assert torch.equal(getattr(found, name), getattr(expected, name))


def test_the_distortions_of_the_test_do_not_depend_on_the_device(
    net: SiameseNet, parts: Split, monkeypatch: pytest.MonkeyPatch
) -> None:
    generators: list[torch.Generator | None] = []

    def record(
        net: SiameseNet,
        drawings: Drawings,
        position_M: Tensor,
        *,
        generator: torch.Generator | None = None,
    ) -> Tensor:
        generators.append(generator)
        return torch.zeros(len(drawings), net.head.in_features)

    monkeypatch.setattr(evaluate, "embed_drawings", record)
    averaged_logits(net, on_another_device(parts.test), parts.official, n_copies=2)
    plain, *copies = generators
    assert plain is None
    assert [g.device.type for g in copies if g] == ["cpu"] * 2
