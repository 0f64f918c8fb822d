"""The strength of the affine distortions of :mod:`data.affine`."""

from dataclasses import astuple, dataclass

from data.errors import require


@dataclass(frozen=True)
class DistortConfig:
    """Strength of the distortions: how far each parameter may be from that of the plain image.

    Args:
        rotation: largest angle |θ| in degrees.
        shear: largest |ρx| and |ρy|, below 1.
        scale: largest |sx − 1| and |sy − 1|, below 1.
        shift: largest |tx| and |ty| in pixels of a 105-pixel drawing.
        probability: probability that a parameter is distorted, in [0, 1].

    Source: Koch 2015 §3.2 "Affine distortions" (the defaults).
    """

    rotation: float = 10.0
    shear: float = 0.3
    scale: float = 0.2
    shift: float = 2.0
    probability: float = 0.5

    def __post_init__(self) -> None:
        """Check the ranges."""
        for name in ("rotation", "shift"):
            require(getattr(self, name) >= 0, f"{name} >= 0", getattr(self, name), "Raise it.")
        for name in ("shear", "scale"):  # at 1, an image may become a line
            value = getattr(self, name)
            require(0 <= value < 1, f"0 <= {name} < 1", value, "Correct it.")
        law = "0 <= probability <= 1"
        require(0 <= self.probability <= 1, law, self.probability, "Correct it.")

    @property
    def is_identity(self) -> bool:
        """Whether every image stays as it is."""
        *strengths, probability = astuple(self)
        return not (any(strengths) and probability)

    @property
    def bounds(self) -> tuple[tuple[float, ...], tuple[float, ...]]:
        """Lowest and highest value of each of the seven parameters T."""
        r, shear, s, shift = self.rotation, self.shear, self.scale, self.shift
        low = (-r, -shear, -shear, 1 - s, 1 - s, -shift, -shift)
        return low, (r, shear, shear, 1 + s, 1 + s, shift, shift)


PAPER_DISTORTIONS = DistortConfig()
NO_DISTORTIONS = DistortConfig(probability=0.0)
