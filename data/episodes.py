"""One-shot episodes: which drawing is asked, among which, and the right answer.

An episode is the paper's "one-shot trial". A block is the set of episodes that share a support
set: one drawer's drawings of ``n_way`` characters of one alphabet; another drawer's drawings of
the same characters are its queries.

Tensor suffixes: R blocks, Q queries of a block, S support drawings of a block (= ``n_way``).
"""

import math
from collections.abc import Iterable
from dataclasses import dataclass

import torch
from torch import Tensor

from data.drawings import Drawings
from data.errors import InputError

N_WAY = 20

N_DENSE = 4800  # episodes of Omniglot's dense validation


@dataclass(frozen=True)
class Episodes:
    """R × Q episodes as positions in one :class:`Drawings`.

    Args:
        query_RQ: int64, the drawing to classify.
        support_RS: int64, one drawing of each candidate character.
        target_RQ: int64 in [0, S), the column of the right answer.
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

    def renumbered(self, position_N: Tensor) -> "Episodes":
        """Return the same episodes with drawing ``i`` called ``position_N[i]``."""
        return Episodes(position_N[self.query_RQ], position_N[self.support_RS], self.target_RQ)


@dataclass(frozen=True)
class Dataset:
    """A data set with its official test.

    Args:
        drawings: every alphabet.
        official: positions in ``drawings``.
    """

    drawings: Drawings
    official: Episodes


def _draw_block(
    drawings: Drawings,
    alphabet: int,
    n_way: int,
    drawers: tuple[int, int] | None,
    rng: torch.Generator,
) -> tuple[Tensor, Tensor, Tensor]:
    """Draw ``n_way`` characters; return query, support and target of one block.

    ``drawers`` are query's and support's; None draws two drawings of each character on its own.
    """
    n_characters = int(drawings.count_A[alphabet])
    if n_way > n_characters:
        raise InputError(
            f"`n_way <= n_characters` must hold, but alphabet '{drawings.alphabets[alphabet]}' has "
            f"{n_characters} characters, n_way is {n_way}. Lower n_way or leave the alphabet out."
        )
    chosen = torch.randperm(n_characters, generator=rng)[:n_way] + drawings.first_A[alphabet].cpu()
    first = drawings.first_C.cpu()[chosen]
    # Queries come in an order of their own, so that the right answer lies at no fixed place.
    target = torch.randperm(n_way, generator=rng)
    if drawers is None:
        query, support = _two_of_each(drawings.count_C.cpu()[chosen], rng)
        return (first + query)[target], first + support, target
    return first[target] + drawers[0], first + drawers[1], target


def _two_of_each(count_S: Tensor, rng: torch.Generator) -> tuple[Tensor, Tensor]:
    """Return for each character the numbers of two different drawings."""
    one = (torch.rand(len(count_S), generator=rng) * count_S).long()
    step = 1 + (torch.rand(len(count_S), generator=rng) * (count_S - 1)).long()
    return one, (one + step) % count_S


def _same_drawers(drawings: Drawings) -> bool:
    """Return whether every character has been drawn by as many; in a tree it may not be so."""
    return bool(drawings.count_C.min() == drawings.count_C.max())


def _stack(blocks: Iterable[tuple[Tensor, Tensor, Tensor]]) -> Episodes:
    query, support, target = zip(*blocks, strict=True)
    return Episodes(torch.stack(query), torch.stack(support), torch.stack(target))


def _drawer_pairs(drawings: Drawings) -> list[tuple[int, int]]:
    """All ordered pairs of different drawers, as offsets within a character."""
    n_drawers = int(drawings.count_C.min())
    return [(q, s) for q in range(n_drawers) for s in range(n_drawers) if q != s]


def random_episodes(
    drawings: Drawings, *, n_way: int = N_WAY, n_blocks: int = 2, seed: int = 0
) -> Episodes:
    """Return ``n_blocks`` blocks in each alphabet, each by two different drawers drawn at random.

    Args:
        drawings: the alphabets to draw from; where characters have different numbers of drawings,
            two of each are drawn at random, as if every one had drawers of its own.
        n_way: candidates per episode, and queries per block.
        n_blocks: blocks per alphabet.
        seed: fixes the episodes.

    Raises:
        InputError: an alphabet has fewer than ``n_way`` characters.

    Source: Koch 2015 §4.2, after Lake: within one alphabet, two drawers.
    """
    rng = torch.Generator().manual_seed(seed)
    n_drawers = int(drawings.count_C.min())

    def drawers() -> tuple[int, int] | None:
        """Draw one of all ordered pairs of different drawers, if there are such."""
        if not _same_drawers(drawings):
            return None
        pair = int(torch.randint(n_drawers * (n_drawers - 1), (), generator=rng))
        query, other = divmod(pair, n_drawers - 1)
        return query, other + (other >= query)

    return _stack(
        _draw_block(drawings, alphabet, n_way, drawers(), rng)
        for alphabet in range(len(drawings.alphabets))
        for _ in range(n_blocks)
    )


def max_n_way(drawings: Drawings) -> int:
    """Return the number of candidates: 20, or as many as the smallest alphabet has characters."""
    return min(N_WAY, int(drawings.count_A.min()))


def paper_validation(drawings: Drawings, *, seed: int = 0) -> Episodes:
    """Return the paper's number of validation episodes: 320 on ten alphabets.

    Deviation D11: the paper does not say how 320 are made up. We take two 20-way blocks per
    alphabet, as Lake's runs have, and the first 16 queries of each.

    Source: Koch 2015 §4.2 ("320 one-shot recognition trials for validation").
    """
    blocks = random_episodes(drawings, n_way=max_n_way(drawings), seed=seed)
    return Episodes(blocks.query_RQ[:, :16], blocks.support_RS, blocks.target_RQ[:, :16])


def dense_validation(drawings: Drawings, *, seed: int = 0) -> Episodes:
    """Return two 20-way blocks for every ordered drawer pair of every alphabet.

    With ten alphabets and four drawers: 240 blocks, 4,800 episodes that use every drawing many
    times, so their accuracy varies several times less than that of 320 random episodes, and cost
    hardly more, because each drawing is embedded once. Where characters have different numbers of
    drawings, or so many that there would be more, as many random episodes.
    """
    rng = torch.Generator().manual_seed(seed)
    n_way, n_alphabets = max_n_way(drawings), len(drawings.alphabets)
    n_most = math.ceil(N_DENSE / (n_way * n_alphabets))  # blocks of an alphabet
    pairs = _drawer_pairs(drawings)
    if not _same_drawers(drawings) or 2 * len(pairs) > n_most:
        return random_episodes(drawings, n_way=n_way, n_blocks=n_most, seed=seed)
    return _stack(
        _draw_block(drawings, alphabet, n_way, pair, rng)
        for alphabet in range(n_alphabets)
        for pair in pairs
        for _ in range(2)
    )


VALIDATION_EPISODES = {"dense": dense_validation, "paper": paper_validation}
