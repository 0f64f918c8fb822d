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
from hpo.space.files import BUILT_IN, parse_space
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
    space = content.pop(SPACE, None)
    for section, settings in content.items():
        known = {**(others or {}), **sections}
        if section not in known:
            sections_text = ", ".join(f"[{name}]" for name in [*known, SPACE, POINT])
            raise InputError(f"{path}: [{section}] is not a section. Use one of {sections_text}.")
        own = _names(sections.get(section, ()))
        both = own | _names((others or {}).get(section, ()))
        if not isinstance(settings, Mapping):
            raise InputError(f"{path}: '{section}' must be a section. Write [{section}].")
        for name, value in settings.items():
            _require_setting(name, both, f"{path}: {section}")
            if name in own:
                values[name] = value
    if space is not None and SPACE in values:
        raise InputError(
            f"{path}: the space must be given once, but [space] and search.space are both there. "
            "Remove one of them."
        )
    _resolve_space(values, space, path)
    if passwords_in(str(values.get("storage", ""))):
        raise InputError(
            f"{path}: machine.storage must not contain a password. Remove it, and set PGPASSWORD."
        )
    return ConfigFile(str(path), values, dict(flatten(point)) if point is not None else None)


def _read(path: Path) -> dict[str, Any]:
    try:
        text = path.read_text(encoding="utf-8")
        if path.suffix != ".json":
            return tomllib.loads(text)
        if "settings" not in (content := json.loads(text)):
            raise InputError(
                f"{path} contains no settings; an earlier version wrote it. Use --trial with its "
                "study, or another file."
            )
        return dict(content["settings"])
    except (OSError, UnicodeDecodeError) as error:
        raise InputError(f"{path} cannot be read ({error}). Correct the path.") from error
    except InputError:
        raise
    except (ValueError, TypeError) as error:
        raise InputError(
            f"{path} is not a settings file in TOML ({error}). Correct it, or write one with "
            "--print-config."
        ) from error


def _names(classes: Iterable[type]) -> set[str]:
    return {f.name for settings_class in classes for f in fields(settings_class)}


def _require_setting(name: str, names: Iterable[str], source: str) -> None:
    """Raise InputError unless a name is that of a setting of a section."""
    if name not in names:
        nearest = get_close_matches(name, names, n=2, cutoff=0.4) or sorted(names)
        raise InputError(
            f"{source}.{name} is not a setting. Use another name, for example {', '.join(nearest)}."
        )


def _resolve_space(values: dict[str, Any], table: Any, path: Path) -> None:
    """Read the space of the table ``[space]``; a path in the file is relative to its folder.

    Raises:
        InputError: the table is not a space.
    """
    named = values.get(SPACE)
    if isinstance(named, str) and named not in BUILT_IN:
        values[SPACE] = str(path.parent / named)
    if table is not None:
        content = dict(table) if isinstance(table, Mapping) else {SPACE: table}
        name = str(content.pop("name", path.stem))
        values[SPACE] = parse_space(content, name, f"{path}: space", path.parent)


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
    text = text.partition(", unable")[0]
    return f"{where} {text}, but is {hide_password(str(error['input'])) or 'empty'}. Correct it."
