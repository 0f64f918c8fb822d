"""Nested tables, as TOML has them, and values by path, such as ``conv1.lr``."""

from collections.abc import Iterator, Mapping
from typing import Any


def flatten(values: Mapping[str, Any], prefix: str = "") -> Iterator[tuple[str, Any]]:
    """Yield path and value of all values of nested tables."""
    for key, value in values.items():
        if isinstance(value, Mapping):
            yield from flatten(value, f"{prefix}{key}.")
        else:
            yield f"{prefix}{key}", value


def nest(values: Mapping[str, Any]) -> dict[str, Any]:
    """Return values by path as nested tables; so are the tables of a list."""
    nested: dict[str, Any] = {}
    for path, value in values.items():
        *parents, last = path.split(".")
        inner = nested
        for parent in parents:
            inner = inner.setdefault(parent, {})
        is_list = isinstance(value, list) and all(isinstance(item, Mapping) for item in value)
        inner[last] = [nest(item) for item in value] if is_list else value
    return nested
