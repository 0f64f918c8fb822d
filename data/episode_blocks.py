"""Blocks of episodes: one random block of an alphabet, and which blocks repeat an episode.

Tensor suffixes: Q queries of a block, W characters (= ``n_way``), S support drawings of a block
(= ``n_way × n_shot``), K drawings of a character.
"""

import math
from collections.abc import Iterable, Iterator, Sequence
from itertools import combinations

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
    drawers: Sequence[int] | None,
    rng: torch.Generator,
    n_shot: int = 1,
) -> Block:
    """Return a block of ``n_way`` random characters of an alphabet.

    Args:
        drawings: drawings of all alphabets.
        alphabet: number of the alphabet.
        n_way: number of candidates.
        drawers: drawer of the queries and ``n_shot`` drawers of the support set; None samples
            different drawings of each character.
        rng: source of random numbers.
        n_shot: number of support drawings per candidate.

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
        number_WK = sample_numbers(drawings.count_C.cpu()[characters], 1 + n_shot, rng)
    else:
        number_WK = torch.tensor(drawers).expand(n_way, -1)
    position_WK = first.unsqueeze(1) + number_WK
    return position_WK[target, 0], position_WK[:, 1:].flatten(), target


def sample_drawers(n_drawers: int, n_shot: int, rng: torch.Generator) -> list[int]:
    """Return different random drawers: that of the queries and ``n_shot`` of the support set.

    Args:
        n_drawers: number of drawers, more than ``n_shot``.
        n_shot: number of support drawings per candidate.
        rng: source of random numbers.
    """
    pair = int(torch.randint(n_drawers * (n_drawers - 1), (), generator=rng))
    query, support = divmod(pair, n_drawers - 1)
    drawers = [query, support + (support >= query)]
    while len(drawers) < 1 + n_shot:
        others = [drawer for drawer in range(n_drawers) if drawer not in drawers]
        drawers.append(others[int(torch.randint(len(others), (), generator=rng))])
    return drawers


def drawer_combinations(n_drawers: int, n_shot: int) -> Iterator[tuple[int, ...]]:
    """Yield each drawer of the queries with every set of ``n_shot`` other drawers."""
    for query in range(n_drawers):
        others = [drawer for drawer in range(n_drawers) if drawer != query]
        yield from ((query, *support) for support in combinations(others, n_shot))


def n_drawer_combinations(n_drawers: int, n_shot: int) -> int:
    """Return the number of :func:`drawer_combinations`."""
    return n_drawers * math.comb(n_drawers - 1, n_shot)


def sample_numbers(count_W: Tensor, n: int, rng: torch.Generator) -> Tensor:
    """Return the numbers (int64, W×n) of ``n`` different random drawings of each character.

    Args:
        count_W: int64, number of drawings of each character, at least ``n``.
        n: number of drawings per character, at least 2.
        rng: source of random numbers.
    """
    first = (torch.rand(len(count_W), generator=rng) * count_W).long()
    step = 1 + (torch.rand(len(count_W), generator=rng) * (count_W - 1)).long()
    number_WK = torch.stack([first, (first + step) % count_W], dim=1)
    for n_taken in range(2, n):
        # The k-th of the drawings that are not taken yet.
        k = (torch.rand(len(count_W), generator=rng) * (count_W - n_taken)).long()
        for taken in number_WK.sort(dim=1).values.unbind(1):
            k = k + (k >= taken)
        number_WK = torch.cat([number_WK, k.unsqueeze(1)], dim=1)
    return number_WK


def require_drawings(drawings: Drawings, n_shot: int) -> None:
    """Raise InputError unless every character has a query and ``n_shot`` support drawings.

    Args:
        drawings: drawings of all alphabets.
        n_shot: number of support drawings per candidate.

    Raises:
        InputError: ``n_shot`` is lower than 1, or a character has too few drawings.
    """
    if n_shot < 1:
        raise InputError(f"n_shot must be at least 1, but is {n_shot}. Raise it.")
    fewest = int(drawings.count_C.argmin())
    if (n := int(drawings.count_C[fewest])) <= n_shot:
        alphabet = drawings.alphabets[int(drawings.alphabet_N[drawings.first_C[fewest]])]
        raise InputError(
            "Each character must have `n_shot + 1` drawings, one of them as the query, but a "
            f"character of '{alphabet}' has {n} and n_shot is {n_shot}. Lower n_shot, or add "
            "drawings."
        )


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
