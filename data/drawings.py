"""All drawings of a data set in one array, with who drew what.

Tensor suffixes: N drawings, C characters, A alphabets, H W pixels.
"""

from collections.abc import Iterable
from dataclasses import dataclass, replace
from functools import cached_property

import torch
from torch import Tensor

FULL_SIZE = 105  # pixels of a drawing of Omniglot

N_DRAWERS = 20


@dataclass(frozen=True)
class Drawings:
    """Drawings sorted by alphabet, character and drawer.

    Args:
        name: the data set, for example ``"omniglot"``.
        digest: SHA-256 of the full-size pixels and names, the identity of the data set.
        alphabets: A names; ``alphabet_N`` holds positions in it.
        images_NHW: uint8, ink 255, paper 0 (Deviation D8); N×3×H×W where images have colours.
        alphabet_N: int64 in [0, A).
        character_N: int64 in [0, C), counted over all alphabets.
        drawer_N: int64 in [0, 20); where images have no drawers, their number in the class.
    """

    name: str
    digest: str
    alphabets: tuple[str, ...]
    images_NHW: Tensor
    alphabet_N: Tensor
    character_N: Tensor
    drawer_N: Tensor

    def __len__(self) -> int:
        """Number of drawings, N."""
        return len(self.images_NHW)

    @property
    def image_size(self) -> int:
        """Height and width in pixels."""
        return self.images_NHW.shape[-1]

    @property
    def n_characters(self) -> int:
        """Number of characters, C."""
        return len(self.count_C)

    @cached_property
    def count_C(self) -> Tensor:
        """Drawings of each character."""
        return torch.bincount(self.character_N)

    @cached_property
    def first_C(self) -> Tensor:
        """Position of each character's first drawing."""
        return self.count_C.cumsum(0) - self.count_C

    @cached_property
    def count_A(self) -> Tensor:
        """Characters of each alphabet."""
        return torch.bincount(self.alphabet_N[self.first_C], minlength=len(self.alphabets))

    @cached_property
    def first_A(self) -> Tensor:
        """Number of each alphabet's first character."""
        return self.count_A.cumsum(0) - self.count_A

    def positions(
        self, alphabets: Iterable[str] | None = None, drawers: Iterable[int] | None = None
    ) -> Tensor:
        """Return the positions of the drawings in these alphabets by these drawers (None: all)."""
        names = set(self.alphabets if alphabets is None else alphabets)
        wanted_A = torch.tensor([name in names for name in self.alphabets])
        keep_N = wanted_A[self.alphabet_N.cpu()]
        if drawers is not None:
            keep_N &= torch.isin(self.drawer_N.cpu(), torch.tensor(list(drawers)))
        return keep_N.nonzero().squeeze(1)

    def only(
        self, alphabets: Iterable[str] | None = None, drawers: Iterable[int] | None = None
    ) -> "Drawings":
        """Return a copy that holds these alphabets and drawers alone, renumbered from 0."""
        at = self.positions(alphabets, drawers).to(self.images_NHW.device)
        kept_A, alphabet_N = self.alphabet_N[at].unique(return_inverse=True)
        return Drawings(
            name=self.name,
            digest=self.digest,
            alphabets=tuple(self.alphabets[a] for a in kept_A.tolist()),
            images_NHW=self.images_NHW[at],
            alphabet_N=alphabet_N,
            character_N=self.character_N[at].unique(return_inverse=True)[1],
            drawer_N=self.drawer_N[at],
        )

    def to(self, device: torch.device) -> "Drawings":
        """Return the same drawings resident on a device."""
        return replace(
            self,
            images_NHW=self.images_NHW.to(device),
            alphabet_N=self.alphabet_N.to(device),
            character_N=self.character_N.to(device),
            drawer_N=self.drawer_N.to(device),
        )
