"""One-shot episodes: a query drawing, one support drawing per candidate, the correct candidate.

An episode is the paper's "one-shot trial". A block is the set of episodes that share a support
set: one drawer's drawings of ``n_way`` characters of one alphabet. The queries of the block are
another drawer's drawings of the same characters.

Tensor suffixes: R blocks, Q queries of a block, S support drawings of a block (= ``n_way``).
"""

import math
from collections.abc import Iterable
from dataclasses import dataclass

import torch
from torch import Tensor

from data.drawings import Drawings
from data.episode_blocks import Block, EpisodeKey, drop_repeated, episode_keys, sample_block

N_WAY = 20
N_DENSE_EPISODES = 4800  # of the dense validation on Omniglot


@dataclass(frozen=True)
class Episodes:
    """R × Q episodes as positions in one :class:`Drawings`.

    Args:
        query_RQ: int64, position of the drawing to classify.
        support_RS: int64, position of one drawing of each candidate character.
        target_RQ: int64 in [0, S), column of the correct candidate.
    """

    query_RQ: Tensor
    support_RS: Tensor
    target_RQ: Tensor

    def __len__(self) -> int:
        """Number of episodes, R × Q."""
        return self.query_RQ.numel()

    @property
    def n_way(self) -> int:
        """Number of candidates of each episode, S."""
        return self.support_RS.shape[1]

    @property
    def n_distinct(self) -> int:
        """Number of different episodes; two differ if their query or support set differs."""
        return len({key for block in self.keys_by_block() for key in block})

    def keys_by_block(self) -> list[list[EpisodeKey]]:
        """Return what identifies each episode, by block: its query and its support set."""
        return [
            episode_keys(query_Q, support_S)
            for query_Q, support_S in zip(self.query_RQ, self.support_RS, strict=True)
        ]

    def reindex(self, position_N: Tensor) -> "Episodes":
        """Return the same episodes with every position ``i`` replaced by ``position_N[i]``.

        Args:
            position_N: int64, N; new position of each drawing.
        """
        return Episodes(position_N[self.query_RQ], position_N[self.support_RS], self.target_RQ)


@dataclass(frozen=True)
class Dataset:
    """A data set with its official test episodes.

    Args:
        drawings: drawings of all alphabets.
        official: test episodes as positions in ``drawings``.
    """

    drawings: Drawings
    official: Episodes


def max_n_way(drawings: Drawings) -> int:
    """Return 20, or the number of characters of the smallest alphabet if that is lower."""
    return min(N_WAY, int(drawings.count_A.min()))


def random_episodes(
    drawings: Drawings, *, n_way: int = N_WAY, n_blocks: int = 2, seed: int = 0
) -> Episodes:
    """Return ``n_blocks`` random blocks of each alphabet, without repeated episodes.

    A block that contains an episode of an earlier block is left out. If an alphabet has few
    characters and drawings, it therefore has fewer blocks.

    Each block has two random drawers, one for the queries and one for the support set. If
    characters have different numbers of drawings, drawers are unknown: each character of a block
    gets two different random drawings instead.

    Args:
        drawings: alphabets to sample from.
        n_way: number of candidates per episode, and of queries per block.
        n_blocks: number of blocks per alphabet.
        seed: seed of the random choices.

    Raises:
        InputError: an alphabet has fewer than ``n_way`` characters.

    Source: Koch 2015 §4.2, after Lake: within one alphabet, two drawers.
    """
    rng = torch.Generator().manual_seed(seed)
    n_drawers = int(drawings.count_C.min())
    drawers_are_known = _has_equal_counts(drawings)

    def sample_drawers() -> tuple[int, int] | None:
        """Return a random ordered pair of different drawers."""
        if not drawers_are_known:
            return None
        pair = int(torch.randint(n_drawers * (n_drawers - 1), (), generator=rng))
        query, support = divmod(pair, n_drawers - 1)
        return query, support + (support >= query)

    blocks = (
        sample_block(drawings, alphabet, n_way, sample_drawers(), rng)
        for alphabet in range(len(drawings.alphabets))
        for _ in range(n_blocks)
    )
    return _stack_blocks(drop_repeated(blocks))


def paper_validation(drawings: Drawings, *, seed: int = 0) -> Episodes:
    """Return as many validation episodes as the paper uses: 320 for ten alphabets.

    Deviation D11: the paper does not say how it composes the 320 episodes. We take two 20-way
    blocks per alphabet, as Lake's runs do, and the first 16 queries of each.

    Source: Koch 2015 §4.2 ("320 one-shot recognition trials for validation").
    """
    blocks = random_episodes(drawings, n_way=max_n_way(drawings), seed=seed)
    return Episodes(blocks.query_RQ[:, :16], blocks.support_RS, blocks.target_RQ[:, :16])


def dense_validation(drawings: Drawings, *, seed: int = 0) -> Episodes:
    """Return two 20-way blocks for every ordered pair of drawers of every alphabet.

    Ten alphabets and four drawers give 240 blocks, 4,800 episodes. They use every drawing many
    times, so the variance of their accuracy is several times lower than with 320 random episodes.
    They cost little more, because each drawing is embedded only once. An alphabet of exactly 20
    characters has only one distinct block per pair. It occurs twice, so that all alphabets have
    the same weight. If all alphabets have the same number of characters, and fewer than 20, each
    block occurs once.

    If characters have different numbers of drawings, or if there would be more than
    ``N_DENSE_EPISODES`` episodes, the function returns about that number of random episodes.

    Args:
        drawings: validation drawings.
        seed: seed of the random choices.
    """
    rng = torch.Generator().manual_seed(seed)
    n_way, n_alphabets = max_n_way(drawings), len(drawings.alphabets)
    max_blocks = math.ceil(N_DENSE_EPISODES / (n_way * n_alphabets))  # per alphabet
    pairs, is_whole = _drawer_pairs(drawings), bool((drawings.count_A == n_way).all())
    n_repeats = 1 if is_whole and n_way < N_WAY else 2
    if not _has_equal_counts(drawings) or n_repeats * len(pairs) > max_blocks:
        return random_episodes(drawings, n_way=n_way, n_blocks=max_blocks, seed=seed)
    return _stack_blocks(
        sample_block(drawings, alphabet, n_way, pair, rng)
        for alphabet in range(n_alphabets)
        for pair in pairs
        for _ in range(n_repeats)
    )


VALIDATION_EPISODES = {"dense": dense_validation, "paper": paper_validation}


def _has_equal_counts(drawings: Drawings) -> bool:
    """Return whether every character has the same number of drawings."""
    return bool(drawings.count_C.min() == drawings.count_C.max())


def _drawer_pairs(drawings: Drawings) -> list[tuple[int, int]]:
    """Return all ordered pairs of different drawers, as positions within a character."""
    n_drawers = int(drawings.count_C.min())
    return [(q, s) for q in range(n_drawers) for s in range(n_drawers) if q != s]


def _stack_blocks(blocks: Iterable[Block]) -> Episodes:
    query, support, target = zip(*blocks, strict=True)
    return Episodes(torch.stack(query), torch.stack(support), torch.stack(target))
