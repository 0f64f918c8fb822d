"""Settings files: TOML with a section per class of settings, read, validated and written.

``[space]`` may hold the content of a space file, and ``[point]`` the values of one configuration.
"""

import json
import tomllib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, fields
from difflib import get_close_matches
from pathlib import Path
from typing import Any

from data.addresses import passwords_in
from data.errors import InputError
from data.text import hide_password
from hpo.space.files import BUILT_IN
from hpo.space.space import Point
from hpo.space.tables import flatten

POINT, SPACE = "point", "space"
Sections = Mapping[str, tuple[type, ...]]


@dataclass(frozen=True)
class ConfigFile:
    """The content of a settings file.

    Args:
        source: description of the file, for error messages.
        values: value by the name of a setting, not yet validated.
        point: values of one configuration by parameter name; None without a ``[point]`` table.
    """

    source: str
    values: dict[str, Any] = field(default_factory=dict)
    point: Point | None = None


def read_config_file(path: Path, sections: Sections, others: Sections | None = None) -> ConfigFile:
    """Return the settings of a TOML file, or of the ``settings`` of a ``result.json``.

    Args:
        path: the file.
        sections: section → the classes whose settings it may contain.
        others: sections for other commands; their settings are checked for their names only.

    Raises:
        InputError: the file cannot be read, or has an unknown section or setting.
    """
    content = _read(path)
    values: dict[str, Any] = {}
    point = content.pop(POINT, None)
    if space := content.pop(SPACE, None):
        values[SPACE] = space
    for section, settings in content.items():
        known = {**(others or {}), **sections}
        _require_name(section, [*known, SPACE, POINT], f"{path}: section")
        own = _names(sections.get(section, ()))
        both = own | _names((others or {}).get(section, ()))
        if not isinstance(settings, Mapping):
            raise InputError(f"{path}: '{section}' must be a section. Write [{section}].")
        for name, value in settings.items():
            _require_name(name, both, f"{path}: {section}")
            if name in own:
                values[name] = value
    _resolve_space(values, path)
    if passwords_in(str(values.get("storage", ""))):
        raise InputError(
            f"{path}: machine.storage must not contain a password. Remove it, and set PGPASSWORD."
        )
    return ConfigFile(str(path), values, dict(flatten(point)) if point is not None else None)


def _read(path: Path) -> dict[str, Any]:
    try:
        text = path.read_text(encoding="utf-8")
        content = json.loads(text)["settings"] if path.suffix == ".json" else tomllib.loads(text)
        return dict(content)
    except (OSError, UnicodeDecodeError) as error:
        raise InputError(f"{path} cannot be read ({error}). Correct the path.") from error
    except (ValueError, KeyError, TypeError) as error:
        raise InputError(
            f"{path} is not a settings file in TOML ({error}). Correct it, or write one with "
            "--print-config."
        ) from error


def _names(classes: Iterable[type]) -> set[str]:
    return {f.name for settings_class in classes for f in fields(settings_class)}


def _require_name(name: str, names: Iterable[str], source: str) -> None:
    """Raise InputError unless a name is one of ``names``."""
    if name not in names:
        nearest = get_close_matches(name, names, n=2, cutoff=0.4) or sorted(names)
        raise InputError(
            f"{source}: '{name}' is not a name. Use another one, for example {', '.join(nearest)}."
        )


def _resolve_space(values: dict[str, Any], path: Path) -> None:
    """Make the path of a space file relative to the settings file that names it."""
    space = values.get(SPACE)
    if isinstance(space, str) and space not in BUILT_IN:
        values[SPACE] = str(path.parent / space)
    elif isinstance(space, Mapping):
        values[SPACE] = {"name": path.stem, **space}


def make_config(
    config_class: type, file: ConfigFile, flags: Mapping[str, Any] | None = None
) -> Any:
    """Return the validated settings of a file, overridden by the flags of a command line.

    Args:
        config_class: dataclass of settings, such as
            :class:`hpo.settings.study_settings.StudyConfig`.
        file: settings of a file, possibly without values.
        flags: value by the name of a setting.

    Raises:
        InputError: a value has the wrong type or is out of range.
    """
    from pydantic import TypeAdapter, ValidationError

    flags = flags or {}
    try:
        return TypeAdapter(config_class).validate_python(file.values | dict(flags))
    except ValidationError as error:
        first = error.errors(include_url=False)[0]
        if isinstance(cause := first.get("ctx", {}).get("error"), InputError):
            raise cause from error
        raise InputError(_message(first, file, flags)) from error


def _message(error: Any, file: ConfigFile, flags: Mapping[str, Any]) -> str:
    """Return an error of pydantic as one line that names the flag or the key of the file."""
    name = str(error["loc"][0]) if error["loc"] else "settings"
    flag = "--" + name.replace("_", "-")
    where = flag if name in flags or not file.values else f"{file.source}: {name}"
    text = error["msg"].removeprefix("Value error, ").replace("Input should", "must")
    text = text.replace("must be a valid", "must be a").replace("a integer", "an integer")
    return f"{where} {text}, but is {hide_password(str(error['input']))}. Correct it."
