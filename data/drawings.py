"""All drawings of a data set in one array, with alphabet, character and drawer of each.

Tensor suffixes: N drawings, M selected drawings, C characters, A alphabets, H W pixels.
"""

from collections.abc import Iterable
from dataclasses import dataclass, replace
from functools import cached_property

import torch
from torch import Tensor

FULL_SIZE = 105  # height and width of Omniglot's drawings in pixels
N_DRAWERS = 20


@dataclass(frozen=True)
class Drawings:
    """Drawings sorted by alphabet, character and drawer.

    Args:
        name: name of the data set, for example ``"omniglot"``.
        digest: SHA-256 of the full-size pixels and names; identifies the data set.
        alphabets: names of the A alphabets; ``alphabet_N`` indexes them.
        images_NHW: uint8, ink 255, paper 0 (Deviation D8); N×3×H×W for colour images.
        alphabet_N: int64 in [0, A).
        character_N: int64 in [0, C), counted over all alphabets.
        drawer_N: int64 in [0, 20); for images without drawers, the number within the class.
        classes: names of the C characters, ``group/name``, with an empty group if a class has none;
            empty if the names are not known.
    """

    name: str
    digest: str
    alphabets: tuple[str, ...]
    images_NHW: Tensor
    alphabet_N: Tensor
    character_N: Tensor
    drawer_N: Tensor
    classes: tuple[str, ...] = ()

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
        """Number of drawings of each character; int64, C."""
        return torch.bincount(self.character_N)

    @cached_property
    def first_C(self) -> Tensor:
        """Position of the first drawing of each character; int64, C."""
        return self.count_C.cumsum(0) - self.count_C

    @cached_property
    def count_A(self) -> Tensor:
        """Number of characters of each alphabet; int64, A."""
        return torch.bincount(self.alphabet_N[self.first_C], minlength=len(self.alphabets))

    @cached_property
    def first_A(self) -> Tensor:
        """Index of the first character of each alphabet; int64, A."""
        return self.count_A.cumsum(0) - self.count_A

    def positions(
        self, alphabets: Iterable[str] | None = None, drawers: Iterable[int] | None = None
    ) -> Tensor:
        """Return the positions (int64, M) of all drawings of these alphabets by these drawers.

        Args:
            alphabets: names of alphabets; None for all.
            drawers: numbers of drawers; None for all.
        """
        names = set(self.alphabets if alphabets is None else alphabets)
        selected_A = torch.tensor([name in names for name in self.alphabets])
        selected_N = selected_A[self.alphabet_N.cpu()]
        if drawers is not None:
            selected_N &= torch.isin(self.drawer_N.cpu(), torch.tensor(list(drawers)))
        return selected_N.nonzero().squeeze(1)

    def subset(
        self, alphabets: Iterable[str] | None = None, drawers: Iterable[int] | None = None
    ) -> "Drawings":
        """Return a copy with only these alphabets and drawers, numbered from 0.

        Args:
            alphabets: names of alphabets; None for all.
            drawers: numbers of drawers; None for all.
        """
        position_M = self.positions(alphabets, drawers).to(self.images_NHW.device)
        selected_A, alphabet_M = self.alphabet_N[position_M].unique(return_inverse=True)
        selected_C, character_M = self.character_N[position_M].unique(return_inverse=True)
        return Drawings(
            name=self.name,
            digest=self.digest,
            alphabets=tuple(self.alphabets[a] for a in selected_A.tolist()),
            images_NHW=self.images_NHW[position_M],
            alphabet_N=alphabet_M,
            character_N=character_M,
            drawer_N=self.drawer_N[position_M],
            classes=tuple(self.classes[c] for c in selected_C.tolist()) if self.classes else (),
        )

    def to(self, device: torch.device) -> "Drawings":
        """Return the same drawings on a device."""
        return replace(
            self,
            images_NHW=self.images_NHW.to(device),
            alphabet_N=self.alphabet_N.to(device),
            character_N=self.character_N.to(device),
            drawer_N=self.drawer_N.to(device),
        )
