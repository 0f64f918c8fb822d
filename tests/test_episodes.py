import pytest
import torch

from data.drawings import Drawings
from data.episodes import Episodes, dense_validation, max_n_way, paper_validation, random_episodes
from data.errors import InputError
from data.splits import Split


def blank_drawings(counts: list[int]) -> Drawings:
    """Return one alphabet of blank drawings with these numbers of drawings per character."""
    n = sum(counts)
    return Drawings(
        name="x",
        digest="x",
        alphabets=("val",),
        images_NHW=torch.zeros(n, 5, 5, dtype=torch.uint8),
        alphabet_N=torch.zeros(n, dtype=torch.int64),
        character_N=torch.arange(len(counts)).repeat_interleave(torch.tensor(counts)),
        drawer_N=torch.cat([torch.arange(count) for count in counts]),
    )


def check(episodes: Episodes, d: Drawings) -> None:
    """Assert the rules of Lake's runs: one alphabet, two drawers, n_way different characters."""
    for query, support, target in zip(
        episodes.query_RQ, episodes.support_RS, episodes.target_RQ, strict=True
    ):
        alphabets = d.alphabet_N[torch.cat([query, support])]
        assert len(alphabets.unique()) == 1
        characters = d.character_N[support]
        assert len(characters.unique()) == len(support)
        assert torch.equal(characters[target], d.character_N[query])
        assert len(d.drawer_N[query].unique()) == len(d.drawer_N[support].unique()) == 1
        assert d.drawer_N[query[0]] != d.drawer_N[support[0]]


@pytest.mark.parametrize("n_way", [2, 5, 20])
def test_random_episodes_have_exactly_n_way_candidates(parts: Split, n_way: int) -> None:
    episodes = random_episodes(parts.test, n_way=n_way, n_blocks=3)
    assert episodes.support_RS.shape == (6, n_way)
    check(episodes, parts.test)


def test_dense_validation_uses_every_drawer_pair_and_every_drawing(parts: Split) -> None:
    episodes = dense_validation(parts.val)
    assert len(episodes) == 2 * 12 * 2 * 20
    assert episodes.n_distinct == len(episodes) / 2, "alphabets of exactly 20 characters"
    check(episodes, parts.val)
    assert len(episodes.query_RQ.unique()) == len(parts.val)


def test_dense_validation_has_at_most_4800_episodes() -> None:
    drawings = blank_drawings([30] * 20)
    episodes = dense_validation(drawings)
    assert 4000 < len(episodes) == episodes.n_distinct <= 4800  # not 2 × 30 × 29 × 20
    check(episodes, drawings)


def test_a_small_data_set_repeats_no_dense_episode() -> None:
    episodes = dense_validation(blank_drawings([2, 2]))
    assert len(episodes) == episodes.n_distinct == 4


def test_random_episodes_are_all_different() -> None:
    episodes = random_episodes(blank_drawings([2, 3, 4]), n_way=3, n_blocks=400)
    assert len(episodes) == episodes.n_distinct < 2 * 3 * 4 * 6  # a support set has 6 queries


def test_repeated_episodes_are_counted_once() -> None:
    query, support = torch.tensor([[0, 2], [2, 4], [0, 2]]), torch.tensor([[1, 3]] * 3)
    episodes = Episodes(query, support.flip(1), torch.zeros(3, 2, dtype=torch.int64))
    assert len(episodes) == 6
    assert episodes.n_distinct == 3


def test_characters_may_have_different_numbers_of_drawings() -> None:
    drawings = blank_drawings([2, 3, 7])
    assert max_n_way(drawings) == 3
    episodes = random_episodes(drawings, n_way=3, n_blocks=200)
    correct = episodes.support_RS.gather(1, episodes.target_RQ)
    assert torch.equal(drawings.character_N[episodes.query_RQ], drawings.character_N[correct])
    assert (episodes.query_RQ != correct).all()
    assert len(episodes.query_RQ.unique()) == len(episodes.support_RS.unique()) == 12


def test_the_papers_validation_has_16_queries_per_block(parts: Split) -> None:
    episodes = paper_validation(parts.val)
    assert episodes.query_RQ.shape == (4, 16)
    assert episodes.support_RS.shape == (4, 20)
    check(episodes, parts.val)


def test_the_right_candidate_has_no_fixed_column(parts: Split) -> None:
    target = dense_validation(parts.val).target_RQ
    fraction = torch.bincount(target[:, 0], minlength=20) / len(target)
    assert fraction.max() < 0.25
    assert sorted(target[0].tolist()) == list(range(20))


def test_a_seed_determines_the_episodes(parts: Split) -> None:
    first, again = (random_episodes(parts.val, seed=7) for _ in range(2))
    assert torch.equal(first.query_RQ, again.query_RQ)
    assert torch.equal(first.support_RS, again.support_RS)
    assert not torch.equal(first.query_RQ, random_episodes(parts.val, seed=8).query_RQ)


def test_every_character_and_drawer_is_sampled(parts: Split) -> None:
    episodes = random_episodes(parts.val, n_way=5, n_blocks=400)
    assert len(parts.val.character_N[episodes.query_RQ].unique()) == parts.val.n_characters
    assert set(parts.val.drawer_N[episodes.query_RQ].unique().tolist()) == {12, 13, 14, 15}
    assert set(parts.val.drawer_N[episodes.support_RS].unique().tolist()) == {12, 13, 14, 15}


def test_an_alphabet_with_too_few_characters_is_refused_by_name(parts: Split) -> None:
    with pytest.raises(InputError, match=r"'val01' has 20 .*n_way is 21"):
        random_episodes(parts.val, n_way=21)
