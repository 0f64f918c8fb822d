"""Same and different pairs of drawings, the paper's training examples.

Tensor suffix: B pairs.
"""

from dataclasses import dataclass

import torch
from torch import Tensor

from data.drawings import Drawings


@dataclass(frozen=True)
class Pairs:
    """B pairs as positions in one :class:`Drawings`.

    Args:
        left_B: int64, position of one drawing.
        right_B: int64, position of the other, never equal to ``left_B``.
        same_B: bool, whether both drawings show the same character.
    """

    left_B: Tensor
    right_B: Tensor
    same_B: Tensor

    def __len__(self) -> int:
        """Number of pairs, B."""
        return len(self.left_B)

    def __getitem__(self, index: slice | Tensor) -> "Pairs":
        """Return the selected pairs."""
        return Pairs(self.left_B[index], self.right_B[index], self.same_B[index])


def random_below(limit_B: Tensor, generator: torch.Generator) -> Tensor:
    """Return a uniform random number in [0, limit) for each of B limits.

    Args:
        limit_B: int64, at least 1.
        generator: random state on the device of ``limit_B``.

    Returns:
        Int64, B.
    """
    u = torch.rand(limit_B.shape, generator=generator, device=limit_B.device, dtype=torch.float64)
    return (u * limit_B).long()


def random_other(value_B: Tensor, count_B: Tensor, generator: torch.Generator) -> Tensor:
    """Return a uniform random number in [0, count), but not ``value_B``, for each of B counts.

    Args:
        value_B: int64 in [0, count), the excluded numbers.
        count_B: int64, at least 2.
        generator: random state on the device of ``count_B``.

    Returns:
        Int64, B.
    """
    return (value_B + 1 + random_below(count_B - 1, generator)) % count_B


def random_distinct(count_B: Tensor, k: int, generator: torch.Generator) -> list[Tensor]:
    """Return ``k`` random numbers in [0, count) for each of B counts.

    They are different unless the count is below ``k``.

    Args:
        count_B: int64, at least 2.
        k: how many numbers, at least 1.
        generator: random state on the device of ``count_B``.

    Returns:
        ``k`` int64 tensors of shape B.
    """
    first_B = random_below(count_B, generator)
    offsets = [torch.zeros_like(first_B)]  # distances from the first number, all different
    for n_taken in range(1, k):
        offset_B = 1 + random_below((count_B - n_taken).clamp(min=1), generator)
        for taken_B in torch.stack(offsets[1:]).sort(0).values if n_taken > 1 else []:
            offset_B = offset_B + (offset_B >= taken_B)
        offsets.append(offset_B)
    return [(first_B + offset_B) % count_B for offset_B in offsets]


def sample_pairs(drawings: Drawings, n: int, *, generator: torch.Generator) -> Pairs:
    """Return ``n`` shuffled pairs, half of them same, equally many from every alphabet (±1).

    Both drawings of a pair come from one alphabet. A same pair has two different drawers. A
    different pair has two different characters, each by any drawer.

    Args:
        drawings: drawings with at least two characters per alphabet and two drawings per character.
        n: number of pairs, B.
        generator: random state; the pairs are on its device. From a CPU generator, they do not
            depend on the device of the drawings.

    Source: Koch 2015 §4.1. Deviation D9: half of the pairs are same.
    """
    device, n_alphabets = generator.device, len(drawings.alphabets)
    count_A, first_A = drawings.count_A.to(device), drawings.first_A.to(device)
    count_C, first_C = drawings.count_C.to(device), drawings.first_C.to(device)
    shuffled_A = torch.randperm(n_alphabets, generator=generator, device=device)
    order = torch.randperm(n, generator=generator, device=device)
    alphabet = shuffled_A[order % n_alphabets]
    # Rounds over the alphabets alternate between same and different; within an incomplete round,
    # single pairs alternate.
    n_full = n - n % (2 * n_alphabets)
    same = torch.where(order < n_full, order // n_alphabets, order) % 2 == 0
    count = count_A[alphabet]
    left = random_below(count, generator)
    right = torch.where(same, left, random_other(left, count, generator))
    left_c, right_c = left + first_A[alphabet], right + first_A[alphabet]
    left_d = random_below(count_C[left_c], generator)
    right_d = torch.where(
        same,
        random_other(left_d, count_C[left_c], generator),
        random_below(count_C[right_c], generator),
    )
    return Pairs(first_C[left_c] + left_d, first_C[right_c] + right_d, same)
