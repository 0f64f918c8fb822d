"""Space files: TOML with a table per parameter, its name the path into the configuration.

The keys of a table are the fields of :class:`hpo.space.parameter.Parameter`, and ``like``: the name
of a parameter whose keys are copied. At the top, ``extends`` names a space whose parameters are
added. ``[[start]]`` tables are starting points.
"""

import tomllib
from collections.abc import Iterator, Mapping
from dataclasses import fields
from difflib import get_close_matches
from functools import cache
from pathlib import Path
from typing import Any

from data.errors import InputError
from hpo.space.parameter import Parameter
from hpo.space.paths import parameter_types, require_known
from hpo.space.space import Point, Space
from hpo.space.tables import flatten

BUILT_IN = ("paper", "recipe", "standard")
FOLDER = Path(__file__).parent / "spaces"
KEYS = tuple(field.name for field in fields(Parameter) if field.name != "kind")


def read_space(name_or_path: str | Path) -> Space:
    """Return a built-in space, or the space of a file.

    Args:
        name_or_path: ``"standard"``, ``"paper"``, ``"recipe"``, or the path of a TOML file.

    Raises:
        InputError: the file cannot be read, or does not contain a space.
    """
    return built_in_space(str(name_or_path)) if name_or_path in BUILT_IN else _read(name_or_path)


@cache
def built_in_space(name: str) -> Space:
    """Return the space with a name of :data:`BUILT_IN`."""
    return _read(FOLDER / f"{name}.toml")


def _read(path: str | Path, ancestors: tuple[Path, ...] = ()) -> Space:
    path = Path(path)
    if path.resolve() in ancestors:
        raise InputError(f"Space {path} must not extend itself, but does. Correct extends.")
    try:
        content = tomllib.loads(path.read_text(encoding="utf-8"))
    except (OSError, UnicodeDecodeError) as error:
        raise InputError(
            f"Space {path} cannot be read ({error}). Use {' or '.join(BUILT_IN)}, or correct the "
            "path."
        ) from error
    except tomllib.TOMLDecodeError as error:
        raise InputError(f"Space {path} is not TOML ({error}). Correct the file.") from error
    return parse_space(content, path.stem, str(path), path.parent, (*ancestors, path.resolve()))


def parse_space(
    content: Mapping[str, Any],
    name: str,
    source: str,
    folder: Path = Path(),
    ancestors: tuple[Path, ...] = (),
) -> Space:
    """Return the space that the content of a file describes.

    Args:
        content: nested tables, as TOML has them; a name may also be one key, ``"conv1.lr"``.
        name: name of the space.
        source: description of the file, for error messages.
        folder: folder to which the path of ``extends`` refers.
        ancestors: files that extend this one.

    Raises:
        InputError: a name, a key or a value is wrong; the message names it and how to correct it.
    """
    content = dict(content)
    starts, base = content.pop("start", None), content.pop("extends", None)
    inherited = Space(name, {}) if base is None else _base_space(base, folder, ancestors)
    tables = {n: p.to_dict() for n, p in inherited.parameters.items()}
    for parameter, table in _tables(content, source):
        require_known(parameter, source)
        tables[parameter] = _resolve_like(parameter, table, tables, source)
    parameters = {n: _parameter(n, table, source) for n, table in tables.items()}
    if not any(p.fixed is None for p in parameters.values()):
        raise InputError(f"{source} has no parameter to search. Add one, for example [conv1.lr].")
    order = {n: i for i, n in enumerate(parameter_types())}
    names = sorted(parameters, key=lambda n: order.get(n, len(order)))
    space = Space(name, {n: parameters[n] for n in names})
    own_starts = inherited.starts if starts is None else tuple(_starts(starts, space, source))
    return Space(name, space.parameters, own_starts)


def _base_space(name_or_path: Any, folder: Path, ancestors: tuple[Path, ...]) -> Space:
    """Return the space that a file extends; a path is relative to the folder of the file."""
    if name_or_path in BUILT_IN:
        return built_in_space(str(name_or_path))
    return _read(folder / str(name_or_path), ancestors)


def _tables(
    content: Mapping[str, Any], source: str, prefix: str = ""
) -> Iterator[tuple[str, dict[str, Any]]]:
    """Yield name and keys of the table of every parameter.

    Raises:
        InputError: a key is outside the table of a parameter.
    """
    for key, value in content.items():
        name = f"{prefix}{key}"
        if not isinstance(value, Mapping) or not value:
            raise InputError(
                f"{source}: '{name}' must be a table, but is {value!r}. Write for example "
                f"[{name}] and below it low, high and default."
            )
        if all(isinstance(inner, Mapping) for inner in value.values()):
            yield from _tables(value, source, f"{name}.")
        else:
            yield name, dict(value)


def _resolve_like(
    name: str, table: dict[str, Any], tables: Mapping[str, dict[str, Any]], source: str
) -> dict[str, Any]:
    """Return the keys of a table, with those of the parameter that it names with ``like``."""
    like = table.pop("like", None)
    if like is None:
        return table
    if like not in tables:
        raise InputError(
            f"{source}: {name}: like must name an earlier parameter, but is {like!r}. Correct it."
        )
    return tables[like] | table


def _parameter(name: str, table: Mapping[str, Any], source: str) -> Parameter:
    """Return a parameter with keys and values of the right types.

    Raises:
        InputError: a key is unknown, or a value has another type or contradicts the others.
    """
    for key in table:
        if key not in KEYS:
            nearest = get_close_matches(key, (*KEYS, "like"), n=1) or ["low"]
            raise InputError(
                f"{source}: {name}: '{key}' is not a key. Use {nearest[0]}, or one of "
                f"{', '.join((*KEYS, 'like'))}."
            )
    kind = parameter_types().get(name) or _type_of(table)
    try:
        return Parameter(kind, **{key: _typed(key, value, kind) for key, value in table.items()})
    except (InputError, TypeError) as error:
        raise InputError(f"{source}: {name}: {error}. Correct it.") from error


def _type_of(table: Mapping[str, Any]) -> type:
    """Return the type of a parameter of the user's own network: that of its values."""
    values = [table[key] for key in ("low", "high", "step", "fixed", "default") if key in table]
    values += table.get("choices", [])
    types = {type(value) for value in values}
    return float if types == {int, float} else (types.pop() if len(types) == 1 else str)


def _typed(key: str, value: Any, kind: type) -> Any:
    """Return the value of a key; an integer is also a number with a decimal point.

    Raises:
        InputError: the value has another type.
    """
    if key == "choices":
        if not isinstance(value, list | tuple):
            raise InputError(f"choices must be a list, but is {value!r}")
        return tuple(_typed("choice", item, kind) for item in value)
    expected: dict[str, type] = {"log": bool, "confidence": str, "at_image_size": int}
    wanted = float if key == "zero_below" else expected.get(key, kind)
    if wanted is float and type(value) is int:
        return float(value)
    if type(value) is not wanted:
        words = {bool: "true or false", int: "an integer", float: "a number", str: "a text"}
        raise InputError(f"{key} must be {words.get(wanted, wanted)}, but is {value!r}")
    return value


def _starts(starts: Any, space: Space, source: str) -> Iterator[Point]:
    """Yield the values of the starting points.

    Raises:
        InputError: a name or a value is not in the space.
    """
    if not isinstance(starts, list) or not all(isinstance(start, Mapping) for start in starts):
        raise InputError(f"{source}: start must be [[start]] tables. Write two brackets.")
    for start in starts:
        point = dict(flatten(start))
        for name, value in point.items():
            parameter = space.searched.get(name)
            if parameter is None:
                raise InputError(
                    f"{source}: start: '{name}' is not a searched parameter of this space. "
                    "Remove it, or add its table."
                )
            _require_start(name, value, parameter, source)
        yield point


def _require_start(name: str, value: Any, parameter: Parameter, source: str) -> None:
    """Raise InputError unless a value of a starting point is one of the parameter's values."""
    _parameter(name, parameter.to_dict() | {"default": value}, f"{source}: start")
