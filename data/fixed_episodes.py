"""The fixed test episodes of data without official ones."""

import math

from data.drawings import Drawings
from data.episodes import N_WAY, Episodes, max_n_way, random_episodes

MIN_TEST_EPISODES = 400


def fixed_test_episodes(test: Drawings, *, n_way: int = N_WAY, n_shot: int = 1) -> Episodes:
    """Return about 400 fixed, different test episodes, as positions in ``test``.

    There are fewer if the test drawings do not allow 400 different episodes.

    Args:
        test: test drawings.
        n_way: number of candidates per episode; see :func:`data.episodes.max_n_way`.
        n_shot: number of support drawings per candidate.

    Raises:
        InputError: a character has fewer than ``n_shot + 1`` drawings.
    """
    used_n_way = max_n_way(test, n_way)
    n_blocks = math.ceil(MIN_TEST_EPISODES / (used_n_way * len(test.alphabets)))
    return random_episodes(test, n_way=used_n_way, n_blocks=n_blocks, n_shot=n_shot)


def choose_test_episodes(
    official: Episodes | None, test: Drawings, *, n_way: int = N_WAY, n_shot: int = 1
) -> Episodes:
    """Return the official test episodes, or :func:`fixed_test_episodes` in place of them.

    The official episodes have 20 candidates with one support drawing each.

    Args:
        official: official episodes as positions in ``test``; None if there are none.
        test: test drawings.
        n_way: requested number of candidates per episode.
        n_shot: requested number of support drawings per candidate.

    Raises:
        InputError: a character has fewer than ``n_shot + 1`` drawings.
    """
    if official is not None and (n_way, n_shot) == (N_WAY, 1):
        return official
    return fixed_test_episodes(test, n_way=n_way, n_shot=n_shot)
