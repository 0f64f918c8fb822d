"""One parameter of a search space: its range and its default."""

import math
from dataclasses import dataclass, fields
from typing import Any

from data.errors import InputError

Value = float | int | bool | str
# Confidence in a default → standard deviation of the first values around it, as a share of the
# range; for choices, the probability of another choice. Source: Mallik et al. 2023 (PriorBand).
CONFIDENCES = {"low": 0.5, "medium": 0.25, "high": 0.125}


@dataclass(frozen=True)
class Parameter:
    """One parameter of a space, as a table of a space file describes it.

    Args:
        kind: type of its values.
        low: lowest value.
        high: highest value.
        log: whether values are sampled on a logarithmic scale.
        step: distance between two values, or None.
        choices: possible values, in place of a range.
        default: value at which the search begins; None for the centre of the range, or the first
            choice.
        confidence: key of :data:`CONFIDENCES`: how close to the default the first trials stay; None
            for values from the whole range.
        fixed: the only value; the parameter is not searched.
        zero_below: a lower value means 0.
        at_image_size: range and default are pixels of an image of this size, and scale with the
            image size of the study.

    Raises:
        InputError: the fields contradict each other.
    """

    kind: type
    low: float | int | None = None
    high: float | int | None = None
    log: bool = False
    step: float | int | None = None
    choices: tuple[Value, ...] | None = None
    default: Value | None = None
    confidence: str | None = None
    fixed: Value | None = None
    zero_below: float | None = None
    at_image_size: int | None = None

    def __post_init__(self) -> None:
        """Check that the fields describe exactly one set of values."""
        has_range = self.low is not None or self.high is not None
        if sum((has_range, self.choices is not None, self.fixed is not None)) != 1:
            raise InputError("must have low and high, or choices, or fixed")
        if has_range:
            self._check_range()
        elif self.log or self.step is not None or self.zero_below or self.at_image_size:
            raise InputError("log, step, zero_below and at_image_size need low and high")
        if self.choices is not None and (not self.choices or len(set(self.choices)) < 2):
            raise InputError(f"choices must have two different values, but is {[*self.choices]}")
        if self.confidence is not None and self.confidence not in CONFIDENCES:
            raise InputError(
                f"confidence must be one of {', '.join(CONFIDENCES)}, but is {self.confidence}"
            )
        self._check_default()

    def _check_range(self) -> None:
        if self.kind not in (int, float):
            raise InputError("must have choices, because its values are not numbers")
        is_range = self.low is not None and self.high is not None
        if not is_range or not -math.inf < self.low < self.high < math.inf:  # type: ignore[operator]
            raise InputError(f"low < high must hold, but low is {self.low} and high is {self.high}")
        assert self.low is not None
        assert self.high is not None
        if self.log and self.low <= 0:
            raise InputError(f"low > 0 must hold with log, but low is {self.low}")
        if self.log and self.step is not None:
            raise InputError("log and step exclude each other")
        if self.step is not None and self.step <= 0:
            raise InputError(f"step > 0 must hold, but step is {self.step}")
        if self.at_image_size is not None and (self.kind is not int or self.at_image_size < 1):
            raise InputError("at_image_size must be a size in pixels of a parameter in pixels")
        n_steps = (self.high - self.low) / (self.step or 1)
        if self.step is not None and not math.isclose(n_steps, round(n_steps)):
            raise InputError(
                f"high - low must be a multiple of step, but low is {self.low}, high is "
                f"{self.high} and step is {self.step}"
            )

    def _check_default(self) -> None:
        """Check that the default is a possible value."""
        if self.default is None or self.fixed is not None:
            return
        if not self.contains(self.default, self.at_image_size or 0):
            raise InputError(f"default must be one of its values, but is {self.default}")

    def bounds(self, image_size: int) -> tuple[float, float]:
        """Return the lowest and the highest value of a range.

        Args:
            image_size: height and width of the images in pixels.
        """
        assert self.low is not None
        assert self.high is not None
        if not self.at_image_size:
            return self.low, self.high
        scale = image_size / self.at_image_size
        return max(2, round(self.low * scale)), max(3, round(self.high * scale))

    def contains(self, value: Any, image_size: int) -> bool:
        """Return whether a value is possible at an image size."""
        if self.choices is not None:
            return any(type(value) is type(choice) and value == choice for choice in self.choices)
        if isinstance(value, bool) or not isinstance(value, int | float):
            return False
        low, high = self.bounds(image_size)
        n_steps = (value - low) / (self.grid or 1)
        is_on_step = self.grid is None or math.isclose(n_steps, round(n_steps), abs_tol=1e-9)
        return low <= value <= high and is_on_step

    def describe_range(self, image_size: int) -> str:
        """Return the possible values as text, for example ``0.0001 … 0.1, logarithmic``."""
        if self.fixed is not None:
            return "fixed"
        if self.choices is not None:
            return ", ".join(map(str, self.choices))
        low, high = self.bounds(image_size)
        text = f"{low:g} … {high:g}" + (", logarithmic" if self.log else "")
        return text if self.step is None else f"{text}, step {self.step:g}"

    def scaled(self, value: Value, image_size: int) -> Value:
        """Return a value of a space file for an image size; pixels are rounded up."""
        if not self.at_image_size or not isinstance(value, int | float):
            return value
        low, high = self.bounds(image_size)
        pixels = math.ceil(value * image_size / self.at_image_size)
        return int(min(max(pixels, low), high))

    def start(self, image_size: int) -> Value:
        """Return the value at which the search begins.

        Args:
            image_size: height and width of the images in pixels.
        """
        if self.fixed is not None:
            return self.fixed
        if self.default is not None:
            return self.scaled(self.default, image_size)
        if self.choices is not None:
            return self.choices[0]
        low, high = self.bounds(image_size)
        return self.nearest(math.sqrt(low * high) if self.log else (low + high) / 2, image_size)

    @property
    def grid(self) -> float | None:
        """Distance between two values of a range; None if all numbers are values."""
        return self.step or (1 if self.kind is int else None)

    def nearest(self, value: float, image_size: int) -> float | int:
        """Return the value of a range that is nearest to a number."""
        low, high = self.bounds(image_size)
        value = min(max(value, low), high)
        if self.grid is not None:
            value = low + round((value - low) / self.grid) * self.grid
        return int(value) if self.kind is int else float(value)

    def to_dict(self) -> dict[str, Any]:
        """Return the keys of the table that describes this parameter."""
        values = {f.name: getattr(self, f.name) for f in fields(self) if f.name != "kind"}
        return {
            name: list(value) if isinstance(value, tuple) else value
            for name, value in values.items()
            if value is not None and not (name == "log" and not value)
        }
