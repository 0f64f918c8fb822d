"""The command line of settings: one flag per field, described by the docstring of its class.

argparse parses, pydantic validates. The flags of a settings file have no defaults: the result
contains only those that were given, so that they override the file.
"""

import argparse
import re
from collections.abc import Iterable, Iterator
from dataclasses import MISSING, fields
from types import NoneType, UnionType
from typing import Annotated, Any, Literal, NamedTuple, Union, get_args, get_origin, get_type_hints

from docstring_parser.google import parse as parse_google

from hpo.settings.value_types import Parsed

METAVARS = {int: "N", float: "F", str: "TEXT"}
BARE_VALUES = {"ray": "auto"}  # values of flags that are given without a value


class Setting(NamedTuple):
    """One field of a class of settings.

    Args:
        name: name of the field.
        annotation: its annotated type.
        default: its default; None if it has none.
        help: its description.
    """

    name: str
    annotation: Any
    default: Any
    help: str

    @property
    def flag(self) -> str:
        """Name of the flag, for example ``--n-trials``."""
        return "--" + self.name.replace("_", "-")

    @property
    def help_text(self) -> str:
        """Description with the default."""
        if self.default in (None, ()) or "(default:" in self.help:
            return self.help
        default = getattr(self.default, "name", self.default)
        if isinstance(default, tuple):
            default = " ".join(default)
        return f"{self.help} (default: {format_default(default)})"


def format_default(value: object) -> str:
    """Return a value as a help text shows it."""
    if isinstance(value, bool):
        return "yes" if value else "no"
    return f"{value:g}" if isinstance(value, float) else str(value)


def described_settings(settings_class: type) -> Iterator[Setting]:
    """Yield the settings of a class, described by the ``Args`` section of its docstring."""
    doc = parse_google(settings_class.__doc__ or "")
    descriptions = {p.arg_name: re.sub(r"\s+", " ", p.description or "") for p in doc.params}
    hints = get_type_hints(settings_class, include_extras=True)
    for f in fields(settings_class):
        if f.name in descriptions:
            default = None if f.default is MISSING else f.default
            if f.default_factory is not MISSING:
                default = f.default_factory()
            yield Setting(f.name, hints[f.name], default, descriptions[f.name].rstrip("."))


def add_settings(
    parser: argparse.ArgumentParser, title: str, classes: Iterable[type], *, defaults: bool = False
) -> None:
    """Add a flag for every field of classes of settings.

    Args:
        parser: parser of a script.
        title: title of the group of flags in the help; empty for no group of their own.
        classes: classes of settings.
        defaults: whether a flag that is not given has the default of its field; otherwise the
            result does not contain it.
    """
    group: Any = parser.add_argument_group(title) if title else parser
    for settings_class in classes:
        for setting in described_settings(settings_class):
            group.add_argument(setting.flag, **_arguments(setting, defaults=defaults))


def _arguments(setting: Setting, *, defaults: bool) -> dict[str, Any]:
    """Return the arguments of ``add_argument`` for a setting."""
    kind, is_list = _bare_type(setting.annotation)
    arguments: dict[str, Any] = {
        "help": setting.help_text.replace("%", "%%"),
        "default": setting.default if defaults else argparse.SUPPRESS,
    }
    if kind is bool:
        return arguments | {"action": argparse.BooleanOptionalAction}
    if get_origin(kind) is Literal:
        arguments["choices"] = get_args(kind)
    else:
        parsed = _parsed(setting.annotation)
        arguments["metavar"] = parsed.metavar if parsed else METAVARS.get(kind, "VALUE")
        if defaults and parsed and setting.name != "storage":  # parse_args checks it
            arguments["type"] = _parser_of(parsed)
    if is_list:
        arguments["nargs"] = "+"
    if setting.name in BARE_VALUES:
        arguments |= {"nargs": "?", "const": BARE_VALUES[setting.name]}
    return arguments


def _parser_of(parsed: Parsed) -> Any:
    """Return the function that parses a value, with errors as argparse prints them."""

    def parse(text: str) -> Any:
        try:
            return parsed.parse(text)
        except ValueError as error:
            raise argparse.ArgumentTypeError(f"{error}, but is {text}") from error

    return parse


def _bare_type(annotation: Any) -> tuple[Any, bool]:
    """Return a type without annotations and ``None``, and whether it is a tuple of that type."""
    if get_origin(annotation) is Annotated:
        return _bare_type(get_args(annotation)[0])
    if get_origin(annotation) in (Union, UnionType):
        return _bare_type(next(t for t in get_args(annotation) if t is not NoneType))
    if get_origin(annotation) is tuple:
        return _bare_type(get_args(annotation)[0])[0], True
    return annotation, False


def _parsed(annotation: Any) -> Parsed | None:
    """Return the function that parses the values of a type, or None."""
    if get_origin(annotation) is Annotated:
        return next((m for m in get_args(annotation)[1:] if isinstance(m, Parsed)), None)
    inner = (_parsed(t) for t in get_args(annotation) if t is not NoneType)
    return next((parsed for parsed in inner if parsed), None)
