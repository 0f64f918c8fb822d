"""Blocks of episodes: one random block of an alphabet, and which blocks repeat an episode.

Tensor suffixes: Q queries of a block, S support drawings of a block (= ``n_way``).
"""

from collections.abc import Iterable, Iterator

import torch
from torch import Tensor

from data.drawings import Drawings
from data.errors import InputError

EpisodeKey = tuple[int, frozenset[int]]  # positions of the query and of the support drawings
Block = tuple[Tensor, Tensor, Tensor]  # query_Q, support_S and target_Q, as in Episodes


def sample_block(
    drawings: Drawings,
    alphabet: int,
    n_way: int,
    drawers: tuple[int, int] | None,
    rng: torch.Generator,
) -> Block:
    """Return a block of ``n_way`` random characters of an alphabet.

    Args:
        drawings: drawings of all alphabets.
        alphabet: number of the alphabet.
        n_way: number of candidates.
        drawers: drawer of the queries and drawer of the support set; None samples two different
            drawings of each character.
        rng: source of random numbers.

    Raises:
        InputError: the alphabet has fewer than ``n_way`` characters.
    """
    n_characters = int(drawings.count_A[alphabet])
    if n_way > n_characters:
        raise InputError(
            f"`n_way <= n_characters` must hold, but alphabet '{drawings.alphabets[alphabet]}' has "
            f"{n_characters} characters and n_way is {n_way}. Lower n_way or remove the alphabet."
        )
    characters = torch.randperm(n_characters, generator=rng)[:n_way]
    characters = characters + drawings.first_A[alphabet].cpu()
    first = drawings.first_C.cpu()[characters]
    # The queries have a random order, so the correct candidate has no fixed column.
    target = torch.randperm(n_way, generator=rng)
    if drawers is None:
        query, support = _sample_two_drawings(drawings.count_C.cpu()[characters], rng)
        return (first + query)[target], first + support, target
    return first[target] + drawers[0], first + drawers[1], target


def _sample_two_drawings(count_S: Tensor, rng: torch.Generator) -> tuple[Tensor, Tensor]:
    """Return the numbers of two different drawings of each character.

    Args:
        count_S: int64, number of drawings of each character.
        rng: source of random numbers.
    """
    first = (torch.rand(len(count_S), generator=rng) * count_S).long()
    step = 1 + (torch.rand(len(count_S), generator=rng) * (count_S - 1)).long()
    return first, (first + step) % count_S


def episode_keys(query_Q: Tensor, support_S: Tensor) -> list[EpisodeKey]:
    """Return what identifies each episode of a block: its query and its support set.

    Args:
        query_Q: int64, positions of the queries.
        support_S: int64, positions of the support drawings.
    """
    support = frozenset(support_S.tolist())
    return [(query, support) for query in query_Q.tolist()]


def drop_repeated(blocks: Iterable[Block]) -> Iterator[Block]:
    """Yield the blocks that contain no episode of an earlier block."""
    seen: set[EpisodeKey] = set()
    for query, support, target in blocks:
        keys = episode_keys(query, support)
        if seen.isdisjoint(keys):
            seen.update(keys)
            yield query, support, target
