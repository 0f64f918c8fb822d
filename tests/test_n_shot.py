"""N-way, K-shot episodes: several support drawings per candidate, and another n_way."""

import hashlib
from dataclasses import replace
from pathlib import Path

import pytest
import torch
from test_episodes import blank_drawings

from data import cache
from data.drawings import Drawings
from data.episode_blocks import drawer_combinations, n_drawer_combinations, sample_numbers
from data.episodes import (
    VALIDATION_EPISODES,
    Dataset,
    Episodes,
    dense_validation,
    max_n_way,
    paper_validation,
    random_episodes,
)
from data.errors import InputError
from data.fixed_episodes import MIN_TEST_EPISODES
from data.splits import Split, split_dataset
from model.architecture import ModelConfig
from model.evaluate import (
    averaged_logits,
    candidate_scores,
    correctness,
    embed_drawings,
    episode_logits,
    nearest_neighbour_scores,
    one_shot_accuracy,
    pixel_distance_scores,
)
from model.hausdorff import hausdorff_scores
from model.metrics import evaluate_baseline, evaluate_network
from model.n_way import n_way_accuracies, n_way_episodes
from model.predictions import official_predictions
from model.siamese import SiameseNet
from model.train import Validation


@pytest.fixture(scope="module")
def net() -> SiameseNet:
    config = ModelConfig(image_size=20, filters=(8, 8, 8, 8), kernels=(4, 3, 2, 1), units=16)
    return SiameseNet(config, generator=torch.Generator().manual_seed(0)).eval()


@pytest.fixture(scope="module")
def split(packed_105: Dataset) -> Split:
    """5-way, 3-shot glyphs of 20 pixels."""
    small = Dataset(cache.resize_drawings(packed_105.drawings, 20), packed_105.official)
    return split_dataset(small, n_way=5, n_shot=3)


def digest(episodes: Episodes) -> str:
    tensors = (episodes.query_RQ, episodes.support_RS, episodes.target_RQ)
    return hashlib.sha256(b"".join(t.numpy().tobytes() for t in tensors)).hexdigest()[:12]


def check(episodes: Episodes, d: Drawings, *, drawers_are_known: bool = True) -> None:
    """Assert the rules of a block, with ``n_shot`` different drawings per candidate."""
    n_shot = episodes.n_shot
    for query_Q, support_S, target_Q in zip(
        episodes.query_RQ, episodes.support_RS, episodes.target_RQ, strict=True
    ):
        character_WK = d.character_N[support_S].view(-1, n_shot)
        assert (character_WK == character_WK[:, :1]).all(), "drawings of a candidate are adjacent"
        assert len(character_WK[:, 0].unique()) == episodes.n_way
        assert torch.equal(character_WK[target_Q, 0], d.character_N[query_Q])
        assert len(support_S.unique()) == len(support_S)
        assert not set(query_Q.tolist()) & set(support_S.tolist())
        if drawers_are_known:
            drawer_WK = d.drawer_N[support_S].view(-1, n_shot)
            assert len(d.drawer_N[query_Q].unique()) == 1
            assert (drawer_WK == drawer_WK[0]).all()


def test_one_shot_20_way_episodes_are_those_of_earlier_versions(parts: Split) -> None:
    assert digest(parts.official) == "e4e4a041f3db"
    assert digest(dense_validation(parts.val)) == "08b3a077758b"
    assert digest(paper_validation(parts.val)) == "a778e19e8a74"
    assert digest(random_episodes(parts.test, n_way=5, n_blocks=40, seed=2015)) == "6d64d26e09ed"
    assert digest(dense_validation(blank_drawings([30] * 20))) == "d1991791bb65"
    assert digest(dense_validation(blank_drawings([2, 3, 4]))) == "13ac0de06e8f"


@pytest.mark.parametrize(("n_way", "n_shot"), [(5, 1), (5, 3), (20, 2), (7, 5)])
def test_random_episodes_have_n_shot_drawings_per_candidate(
    n_way: int, n_shot: int, parts: Split
) -> None:
    episodes = random_episodes(parts.test, n_way=n_way, n_shot=n_shot, n_blocks=6)
    assert (episodes.n_way, episodes.n_shot) == (n_way, n_shot)
    assert episodes.query_RQ.shape == (12, n_way)
    assert episodes.support_RS.shape == (12, n_way * n_shot)
    check(episodes, parts.test)


@pytest.mark.parametrize("kind", VALIDATION_EPISODES)
@pytest.mark.parametrize(("n_way", "n_shot"), [(5, 2), (20, 3), (30, 1)])
def test_validation_episodes_follow_n_way_and_n_shot(
    kind: str, n_way: int, n_shot: int, parts: Split
) -> None:
    episodes = VALIDATION_EPISODES[kind](parts.val, n_way=n_way, n_shot=n_shot)
    assert episodes.n_way == min(n_way, 20)
    assert Validation(parts.val, episodes).chance == 1 / min(n_way, 20)
    check(episodes, parts.val)


def test_fewer_candidates_keep_the_number_of_validation_episodes(parts: Split) -> None:
    assert len(dense_validation(parts.val, n_way=5)) == len(dense_validation(parts.val))
    assert len(paper_validation(parts.val, n_way=5)) >= len(paper_validation(parts.val))


def test_dense_validation_combines_every_drawer_with_every_set_of_others() -> None:
    combinations = list(drawer_combinations(4, 2))
    assert len(combinations) == len(set(combinations)) == n_drawer_combinations(4, 2) == 12
    assert combinations[:3] == [(0, 1, 2), (0, 1, 3), (0, 2, 3)]
    drawings = blank_drawings([4] * 6)
    episodes = dense_validation(drawings, n_way=6, n_shot=2)
    assert episodes.query_RQ.shape == (12, 6)
    check(episodes, drawings)


def test_unequal_characters_get_different_drawings() -> None:
    drawings = blank_drawings([4, 5, 9])
    for episodes in (
        random_episodes(drawings, n_way=3, n_shot=3, n_blocks=200),
        dense_validation(drawings, n_shot=3),
    ):
        check(episodes, drawings, drawers_are_known=False)
        used = torch.cat([episodes.query_RQ.flatten(), episodes.support_RS.flatten()])
        assert len(used.unique()) == len(drawings)


def test_every_drawing_is_sampled_equally_often() -> None:
    rng = torch.Generator().manual_seed(0)
    number_WK = sample_numbers(torch.full((60_000,), 5), 4, rng)
    assert all(len(set(row)) == 4 for row in number_WK[:500].tolist())
    for column in number_WK.unbind(1):
        assert torch.bincount(column, minlength=5) / 60_000 == pytest.approx([0.2] * 5, abs=0.01)


@pytest.mark.parametrize("counts", [[4, 4], [4, 3, 9]])
def test_too_few_drawings_are_refused(counts: list[int]) -> None:
    drawings, n_shot = blank_drawings(counts), min(counts)
    for make in (random_episodes, dense_validation, paper_validation):
        with pytest.raises(InputError, match=rf"'val' has {n_shot} and n_shot is {n_shot}\. Lower"):
            make(drawings, n_way=2, n_shot=n_shot)
        make(drawings, n_way=2, n_shot=n_shot - 1)


def test_n_way_and_n_shot_must_be_large_enough(parts: Split) -> None:
    with pytest.raises(InputError, match="n_way must be at least 2, but is 1"):
        max_n_way(parts.val, 1)
    with pytest.raises(InputError, match="n_shot must be at least 1, but is 0"):
        random_episodes(parts.val, n_shot=0)


def test_reindexed_and_cached_episodes_keep_n_shot(split: Split, tmp_path: Path) -> None:
    assert split.official.reindex(torch.arange(len(split.test))).n_shot == 3
    cache.write_cache(tmp_path / "x.npz", Dataset(split.test, split.official), "source")
    again = cache.read_cache(tmp_path / "x.npz", "source")
    assert again is not None
    assert again.official.n_shot == 3
    assert torch.equal(again.official.support_RS, split.official.support_RS)


def test_other_episodes_replace_the_official_ones(packed: Dataset, split: Split) -> None:
    assert (split.n_way, split.n_shot) == (split.official.n_way, split.official.n_shot) == (5, 3)
    assert len(split.official) == split.official.n_distinct == MIN_TEST_EPISODES
    check(split.official, split.test)
    again = split_dataset(packed, n_way=5, n_shot=3).official
    assert torch.equal(again.support_RS, split.official.support_RS), "a fixed seed"
    assert not split.is_official
    assert split_dataset(packed).is_official
    default = split_dataset(packed, n_way=20, n_shot=1).official
    assert torch.equal(default.support_RS, split_dataset(packed).official.support_RS)


def test_the_score_of_a_candidate_is_the_mean_over_its_drawings() -> None:
    scores_RQS = torch.tensor([[[0.0, 3.0, 2.0, 2.0]]])
    assert candidate_scores(scores_RQS, 2).tolist() == [[[1.5, 2.0]]]
    assert candidate_scores(scores_RQS, 1) is scores_RQS


def test_all_scorers_return_the_scores_of_candidates(net: SiameseNet, split: Split) -> None:
    episodes = random_episodes(split.test, n_way=4, n_shot=3, n_blocks=1)
    h_NE = embed_drawings(net, split.test, torch.arange(len(split.test)))
    support_WK = episodes.support_RS[0].view(4, 3)
    with torch.no_grad():
        columns = [net.compare(h_NE[episodes.query_RQ[:1]], h_NE[s][None]) for s in support_WK]
    expected = torch.stack([c.mean(-1) for c in columns], dim=-1)
    torch.testing.assert_close(episode_logits(net, split.test, episodes)[:1], expected)
    assert averaged_logits(net, split.test, episodes, n_copies=1).shape == (2, 4, 4)
    for scorer in (nearest_neighbour_scores, pixel_distance_scores):
        assert scorer(split.test, episodes).shape == (2, 4, 4)


def test_the_hausdorff_distance_is_averaged_too(packed_105: Dataset) -> None:
    test = split_dataset(packed_105).test
    episodes = random_episodes(test, n_way=2, n_shot=2, n_blocks=1)
    one_shot = replace(episodes, n_shot=1)
    scores_RQW = hausdorff_scores(test, episodes)
    expected = hausdorff_scores(test, one_shot).view(2, 2, 2, 2).mean(-1)
    torch.testing.assert_close(scores_RQW, expected)


def test_an_oracle_is_correct_and_a_constant_network_at_chance(split: Split) -> None:
    episodes, character = split.official, split.test.character_N
    query_RQ1 = character[episodes.query_RQ].unsqueeze(-1)
    same_RQS = query_RQ1 == character[episodes.support_RS].unsqueeze(1)
    scores_RQW = candidate_scores(same_RQS.float(), episodes.n_shot)
    assert correctness(scores_RQW, episodes.target_RQ).mean() == 1.0
    constant = correctness(torch.zeros_like(scores_RQW), episodes.target_RQ).mean().item()
    assert constant == pytest.approx(1 / 5)


def test_more_support_drawings_help_a_baseline(parts: Split) -> None:
    def accuracy(n_shot: int) -> float:
        episodes = random_episodes(parts.test, n_way=5, n_shot=n_shot, n_blocks=60)
        scores = nearest_neighbour_scores(parts.test, episodes)
        return correctness(scores, episodes.target_RQ).mean().item()

    assert accuracy(10) > accuracy(1) + 0.05


def test_all_metrics_use_n_way_and_n_shot(net: SiameseNet, split: Split) -> None:
    evaluation = evaluate_network(net, split)
    metrics, table = evaluation.metrics, evaluation.predictions
    assert metrics.official.n_episodes == len(table) == MIN_TEST_EPISODES
    assert metrics.official.accuracy == pytest.approx(
        one_shot_accuracy(net, split.test, split.official)
    )
    validation = dense_validation(split.val, n_way=5, n_shot=3)
    assert metrics.validation_accuracy == one_shot_accuracy(net, split.val, validation)
    expected = one_shot_accuracy(net, split.test, n_way_episodes(split.test, 5, 3))
    assert metrics.random_episodes[5] == pytest.approx(expected)
    assert sum(metrics.clusters["official"].n_episodes_C) == MIN_TEST_EPISODES
    baseline = evaluate_baseline(split)
    scores = nearest_neighbour_scores(split.val, validation)
    assert baseline.validation_accuracy == correctness(scores, validation.target_RQ).mean().item()


def test_tables_name_the_candidates(net: SiameseNet, split: Split) -> None:
    def oracle(drawings: Drawings, episodes: Episodes) -> torch.Tensor:
        return torch.nn.functional.one_hot(episodes.target_RQ, episodes.n_way).float()

    table = official_predictions(oracle, split)
    assert (table["character"] == table["answer"]).all()
    assert (table["support_drawer"] == table["answer_drawer"]).all()
    accuracies, confusions = n_way_accuracies(net, split.test, n_shot=3)
    n_correct = confusions[confusions["character"] == confusions["answer"]]["count"].sum()
    expected = accuracies[accuracies["n_way"] == 20]["accuracy"].mean()
    assert n_correct / confusions["count"].sum() == pytest.approx(expected, abs=0.005)
