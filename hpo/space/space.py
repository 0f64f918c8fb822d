"""A search space: its parameters, and the points at which a search begins."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from data.errors import InputError
from hpo.space.parameter import CONFIDENCES, Parameter
from hpo.space.paths import COST_PARAMETERS, OWN_PREFIX

Point = dict[str, Any]  # value by parameter name


@dataclass(frozen=True)
class Space:
    """What a study searches; :func:`hpo.space.files.read_space` reads it from a file.

    Args:
        name: name of a built-in space, or the name of the file without its suffix.
        parameters: parameter by name, in the order in which trials suggest them.
        starts: values of each starting point that differ from the defaults; empty for one starting
            point with all defaults.
    """

    name: str
    parameters: Mapping[str, Parameter]
    starts: tuple[Point, ...] = field(default=())

    @property
    def searched(self) -> dict[str, Parameter]:
        """Parameters that are not fixed, by name."""
        return {name: p for name, p in self.parameters.items() if p.fixed is None}

    @property
    def changes_cost(self) -> bool:
        """Whether a searched parameter changes what a training step costs."""
        return any(n in COST_PARAMETERS or n.startswith(OWN_PREFIX) for n in self.searched)

    def starting_points(self, image_size: int) -> list[Point]:
        """Return the searched parameters of the first trials; no two are equal.

        Args:
            image_size: height and width of the images in pixels.
        """
        points: list[Point] = []
        for start in self.starts or ({},):
            point = {
                name: p.scaled(start[name], image_size) if name in start else p.start(image_size)
                for name, p in self.searched.items()
            }
            if point not in points:
                points.append(point)
        return points

    def resolve(self, point: Mapping[str, Any]) -> Point:
        """Return the values of all parameters for a point: fixed ones added, small ones as 0."""
        values: Point = {}
        for name, parameter in self.parameters.items():
            value: Any = point[name] if parameter.fixed is None else parameter.fixed
            if parameter.zero_below is not None and float(value) < parameter.zero_below:
                value = 0.0
            values[name] = value
        return values

    @property
    def spreads(self) -> dict[str, float]:
        """Standard deviation of the first values of parameters that have a confidence.

        See :data:`hpo.space.parameter.CONFIDENCES`.
        """
        return {n: CONFIDENCES[p.confidence] for n, p in self.searched.items() if p.confidence}

    def only(self, rates: Sequence[str]) -> "Space":
        """Return the space of the parameters whose names end with one of ``rates``.

        For example, ``only(["lr"])`` of the paper's space has ``conv1.lr`` … ``head.lr``.
        """
        names = [name for name in self.parameters if name.split(".")[-1] in rates]
        return replace(self._select(names), name="-".join([self.name, *rates]))

    def without(self, names: Sequence[str]) -> "Space":
        """Return the space without the parameters of these names, under the same name."""
        return self._select([name for name in self.parameters if name not in names])

    def _select(self, names: Sequence[str]) -> "Space":
        """Return the space of some of the parameters."""
        parameters = {name: self.parameters[name] for name in names}
        starts = [{n: v for n, v in s.items() if n in parameters} for s in self.starts]
        kept = tuple(starts) if any(starts) else ()  # equal starting points count once
        return Space(self.name, parameters, kept)

    def to_dict(self) -> dict[str, Any]:
        """Return the content of a space file, with a table per parameter by its whole name."""
        tables: dict[str, Any] = {name: p.to_dict() for name, p in self.parameters.items()}
        return tables | ({"start": [dict(start) for start in self.starts]} if self.starts else {})

    def require_point(self, point: Mapping[str, Any], image_size: int, source: str) -> Point:
        """Return the searched parameters of a point; missing ones have their defaults.

        Args:
            point: value by parameter name.
            image_size: height and width of the images in pixels.
            source: description of the point, for the error message.

        Raises:
            InputError: a name is unknown, or a value is outside its range or not the fixed one.
        """
        if unknown := sorted(set(point) - set(self.parameters)):
            raise InputError(
                f"{source}: '{unknown[0]}' is not a parameter of the space '{self.name}'. Remove "
                "it, or use another --space."
            )
        for name, value in point.items():
            fixed = self.parameters[name].fixed
            if fixed not in (None, value):
                raise InputError(
                    f"{source}: '{name}' must be {fixed}, at which the space fixes it, but is "
                    f"{value}. Remove it, or widen the space."
                )
        complete = self.starting_points(image_size)[0] | dict(point)
        for name, parameter in self.searched.items():
            if not parameter.contains(complete[name], image_size):
                raise InputError(
                    f"{source}: '{name}' must be in {parameter.describe_range(image_size)}, but is "
                    f"{complete[name]}. Correct it, or widen the range of the space."
                )
        return {name: p.kind(complete[name]) for name, p in self.searched.items()}
