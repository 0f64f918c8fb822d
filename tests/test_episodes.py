import pytest
import torch

from data.drawings import Drawings
from data.episodes import Episodes, dense_validation, paper_validation, random_episodes
from data.errors import InputError
from data.splits import Split


def check(episodes: Episodes, d: Drawings) -> None:
    """Assert the laws of Lake's runs: one alphabet, two drawers, n_way different characters."""
    for query, support, target in zip(
        episodes.query_RQ, episodes.support_RS, episodes.target_RQ, strict=True
    ):
        alphabets = d.alphabet_N[torch.cat([query, support])]
        assert len(alphabets.unique()) == 1, "an unstructured episode"
        characters = d.character_N[support]
        assert len(characters.unique()) == len(support), "a repeated distractor"
        assert torch.equal(characters[target], d.character_N[query])
        assert len(d.drawer_N[query].unique()) == len(d.drawer_N[support].unique()) == 1
        assert d.drawer_N[query[0]] != d.drawer_N[support[0]]


@pytest.mark.parametrize("n_way", [2, 5, 10, 15, 20])
def test_random_episodes_are_exactly_n_way(parts: Split, n_way: int) -> None:
    episodes = random_episodes(parts.test, n_way=n_way, n_blocks=3)
    assert episodes.support_RS.shape == (6, n_way)
    check(episodes, parts.test)


def test_dense_validation_uses_every_drawer_pair_and_every_drawing(parts: Split) -> None:
    episodes = dense_validation(parts.val)
    assert len(episodes) == 2 * 12 * 2 * 20
    check(episodes, parts.val)
    assert len(episodes.query_RQ.unique()) == len(parts.val)


def test_dense_validation_stays_as_large_where_there_are_many_drawings() -> None:
    many = Drawings(
        name="x",
        digest="x",
        alphabets=("val",),
        images_NHW=torch.zeros(600, 5, 5, dtype=torch.uint8),
        alphabet_N=torch.zeros(600, dtype=torch.int64),
        character_N=torch.arange(20).repeat_interleave(30),
        drawer_N=torch.arange(30).repeat(20),
    )
    episodes = dense_validation(many)
    assert len(episodes) == 4800, "not 2 × 30 × 29 × 20"
    check(episodes, many)


def test_the_papers_validation_has_16_queries_a_block(parts: Split) -> None:
    episodes = paper_validation(parts.val)
    assert episodes.query_RQ.shape == (4, 16)
    assert episodes.support_RS.shape == (4, 20)
    check(episodes, parts.val)


def test_the_right_answer_lies_anywhere(parts: Split) -> None:
    target = dense_validation(parts.val).target_RQ
    share = torch.bincount(target[:, 0], minlength=20) / len(target)
    assert share.max() < 0.25
    assert sorted(target[0].tolist()) == list(range(20))


def test_the_same_seed_gives_the_same_episodes_and_another_does_not(parts: Split) -> None:
    first, again = (random_episodes(parts.val, seed=7) for _ in range(2))
    assert torch.equal(first.query_RQ, again.query_RQ)
    assert torch.equal(first.support_RS, again.support_RS)
    assert not torch.equal(first.query_RQ, random_episodes(parts.val, seed=8).query_RQ)


def test_every_character_and_drawer_is_drawn(parts: Split) -> None:
    episodes = random_episodes(parts.val, n_way=5, n_blocks=400)
    assert len(parts.val.character_N[episodes.query_RQ].unique()) == parts.val.n_characters
    assert set(parts.val.drawer_N[episodes.query_RQ].unique().tolist()) == {12, 13, 14, 15}
    assert set(parts.val.drawer_N[episodes.support_RS].unique().tolist()) == {12, 13, 14, 15}


def test_an_alphabet_that_is_too_small_is_refused_by_name(parts: Split) -> None:
    with pytest.raises(InputError, match=r"`n_way <= n_characters`.*'val01' has 20.*n_way is 21"):
        random_episodes(parts.val, n_way=21)
