"""Episodes: a query drawing, ``n_shot`` support drawings per candidate, the correct candidate.

An episode with one support drawing per candidate is the paper's "one-shot trial". A block is the
set of episodes that share a support set: the drawings of ``n_way`` characters of one alphabet by
``n_shot`` drawers. The queries of the block are another drawer's drawings of the same characters.

Tensor suffixes: R blocks, Q queries of a block, S support drawings of a block
(= ``n_way × n_shot``, the drawings of a candidate are adjacent).
"""

import math
from collections.abc import Iterable
from dataclasses import dataclass, replace

import torch
from torch import Tensor

from data import episode_blocks
from data.drawings import Drawings
from data.episode_blocks import Block, EpisodeKey, require_drawings, sample_block
from data.errors import InputError

N_WAY = 20
N_DENSE_EPISODES = 4800  # of the dense validation on Omniglot
N_PAPER_QUERIES = 16  # of a block of the paper's validation, of which it has two per alphabet


@dataclass(frozen=True)
class Episodes:
    """R × Q episodes as positions in one :class:`Drawings`.

    Args:
        query_RQ: int64, position of the drawing to classify.
        support_RS: int64, positions of ``n_shot`` drawings of each candidate character.
        target_RQ: int64 in [0, n_way), number of the correct candidate.
        n_shot: number of support drawings per candidate.
    """

    query_RQ: Tensor
    support_RS: Tensor
    target_RQ: Tensor
    n_shot: int = 1

    def __post_init__(self) -> None:
        """Check that every candidate has ``n_shot`` support drawings."""
        assert self.support_RS.shape[1] % self.n_shot == 0

    def __len__(self) -> int:
        """Number of episodes, R × Q."""
        return self.query_RQ.numel()

    @property
    def n_way(self) -> int:
        """Number of candidates of each episode."""
        return self.support_RS.shape[1] // self.n_shot

    @property
    def n_distinct(self) -> int:
        """Number of different episodes; two differ if their query or support set differs."""
        return len({key for block in self.keys_by_block() for key in block})

    def keys_by_block(self) -> list[list[EpisodeKey]]:
        """Return what identifies each episode, by block: its query and its support set."""
        return [
            episode_blocks.episode_keys(query_Q, support_S)
            for query_Q, support_S in zip(self.query_RQ, self.support_RS, strict=True)
        ]

    def reindex(self, position_N: Tensor) -> "Episodes":
        """Return the same episodes with every position ``i`` replaced by ``position_N[i]``.

        Args:
            position_N: int64, N; new position of each drawing.
        """
        query_RQ, support_RS = position_N[self.query_RQ], position_N[self.support_RS]
        return replace(self, query_RQ=query_RQ, support_RS=support_RS)

    def first_support(self, candidate_RQ: Tensor) -> Tensor:
        """Return the position (int64, R×Q) of the first support drawing of some candidates.

        Args:
            candidate_RQ: int64 in [0, n_way), number of one candidate of each episode.
        """
        return self.support_RS.gather(1, candidate_RQ * self.n_shot)


@dataclass(frozen=True)
class Dataset:
    """A data set with its official test episodes.

    Args:
        drawings: drawings of all alphabets.
        official: test episodes as positions in ``drawings``.
    """

    drawings: Drawings
    official: Episodes


def max_n_way(drawings: Drawings, n_way: int = N_WAY) -> int:
    """Return ``n_way``, or the number of characters of the smallest alphabet if that is lower.

    Raises:
        InputError: ``n_way`` is lower than 2.
    """
    if n_way < 2:
        raise InputError(f"n_way must be at least 2, but is {n_way}. Raise it.")
    return min(n_way, int(drawings.count_A.min()))


def random_episodes(
    drawings: Drawings, *, n_way: int = N_WAY, n_blocks: int = 2, seed: int = 0, n_shot: int = 1
) -> Episodes:
    """Return ``n_blocks`` random blocks of each alphabet, without repeated episodes.

    A block that contains an episode of an earlier block is left out. If an alphabet has few
    characters and drawings, it therefore has fewer blocks.

    Each block has different random drawers, one for the queries and ``n_shot`` for the support set.
    If characters have different numbers of drawings, drawers are unknown: each character of a block
    gets different random drawings instead.

    Args:
        drawings: alphabets to sample from.
        n_way: number of candidates per episode, and of queries per block.
        n_blocks: number of blocks per alphabet.
        seed: seed of the random choices.
        n_shot: number of support drawings per candidate.

    Raises:
        InputError: an alphabet has fewer than ``n_way`` characters, or a character has fewer than
            ``n_shot + 1`` drawings.

    Source: Koch 2015 §4.2, after Lake: within one alphabet, two drawers.
    """
    require_drawings(drawings, n_shot)
    rng = torch.Generator().manual_seed(seed)
    n_drawers = _n_drawers(drawings)

    def random_block(alphabet: int) -> Block:
        drawers = episode_blocks.sample_drawers(n_drawers, n_shot, rng) if n_drawers else None
        return sample_block(drawings, alphabet, n_way, drawers, rng, n_shot)

    alphabets = torch.arange(len(drawings.alphabets)).repeat_interleave(n_blocks).tolist()
    return _stack_blocks(episode_blocks.drop_repeated(map(random_block, alphabets)), n_shot)


def paper_validation(
    drawings: Drawings, *, seed: int = 0, n_way: int = N_WAY, n_shot: int = 1
) -> Episodes:
    """Return about as many validation episodes as the paper uses: 320 for ten alphabets.

    Deviation D11: the paper does not say how it composes the 320 episodes. We take two 20-way
    blocks per alphabet, as Lake's runs do, and the first 16 queries of each. For a smaller
    ``n_way``, we take more blocks.

    Args:
        drawings: validation drawings.
        seed: seed of the random choices.
        n_way: number of candidates per episode; see :func:`max_n_way`.
        n_shot: number of support drawings per candidate.

    Source: Koch 2015 §4.2 ("320 one-shot recognition trials for validation").
    """
    used_n_way = max_n_way(drawings, n_way)
    n_blocks = math.ceil(2 * N_PAPER_QUERIES / min(n_way, N_PAPER_QUERIES))
    blocks = random_episodes(
        drawings, n_way=used_n_way, n_blocks=n_blocks, seed=seed, n_shot=n_shot
    )
    query_RQ, target_RQ = (t[:, :N_PAPER_QUERIES] for t in (blocks.query_RQ, blocks.target_RQ))
    return replace(blocks, query_RQ=query_RQ, target_RQ=target_RQ)


def dense_validation(
    drawings: Drawings, *, seed: int = 0, n_way: int = N_WAY, n_shot: int = 1
) -> Episodes:
    """Return two 20-way blocks for every ordered pair of drawers of every alphabet.

    Ten alphabets and four drawers give 240 blocks, 4,800 episodes. They use every drawing many
    times, so the variance of their accuracy is several times lower than with 320 random episodes.
    They cost little more, because each drawing is embedded only once. An alphabet of exactly 20
    characters has only one distinct block per pair. It occurs twice, so that all alphabets have
    the same weight. If all alphabets have the same number of characters, and fewer than 20, each
    block occurs once. For a smaller ``n_way``, there are more blocks; for a larger ``n_shot``, the
    drawer of the queries is combined with every set of ``n_shot`` other drawers.

    If characters have different numbers of drawings, or if there would be more than
    ``N_DENSE_EPISODES`` episodes, the function returns about that number of random episodes.

    Args:
        drawings: validation drawings.
        seed: seed of the random choices.
        n_way: number of candidates per episode; see :func:`max_n_way`.
        n_shot: number of support drawings per candidate.
    """
    used_n_way, n_alphabets = max_n_way(drawings, n_way), len(drawings.alphabets)
    require_drawings(drawings, n_shot)
    is_whole = bool((drawings.count_A == used_n_way).all())
    n_repeats = 1 if is_whole and used_n_way < N_WAY else 2 * max(1, N_WAY // n_way)
    rng = torch.Generator().manual_seed(seed)
    max_blocks = math.ceil(N_DENSE_EPISODES / (used_n_way * n_alphabets))  # per alphabet
    n_drawers = _n_drawers(drawings)
    if (
        not n_drawers
        or n_repeats * episode_blocks.n_drawer_combinations(n_drawers, n_shot) > max_blocks
    ):
        return random_episodes(
            drawings, n_way=used_n_way, n_blocks=max_blocks, seed=seed, n_shot=n_shot
        )
    blocks = (
        sample_block(drawings, alphabet, used_n_way, drawers, rng, n_shot)
        for alphabet in range(n_alphabets)
        for drawers in episode_blocks.drawer_combinations(n_drawers, n_shot)
        for _ in range(n_repeats)
    )
    return _stack_blocks(blocks, n_shot)


VALIDATION_EPISODES = {"dense": dense_validation, "paper": paper_validation}


def _n_drawers(drawings: Drawings) -> int:
    """Return the number of drawings of every character; 0 if characters have different numbers."""
    n = int(drawings.count_C.min())
    return n if n == int(drawings.count_C.max()) else 0


def _stack_blocks(blocks: Iterable[Block], n_shot: int) -> Episodes:
    query, support, target = zip(*blocks, strict=True)
    return Episodes(torch.stack(query), torch.stack(support), torch.stack(target), n_shot)
