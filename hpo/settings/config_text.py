"""Writes settings as the text of a settings file, which :mod:`hpo.settings.config_file` reads."""

from collections.abc import Iterable, Mapping
from dataclasses import fields
from pathlib import Path
from typing import Any

import sqlalchemy
import tomli_w

from data.addresses import passwords_in
from hpo.settings.config_file import POINT, SPACE, Sections
from hpo.settings.study_settings import SECTIONS, StudyConfig, StudySettings
from hpo.space.files import BUILT_IN, built_in_space
from hpo.space.space import Point, Space
from hpo.space.tables import nest
from model.config import StepCost
from model.start_network import StartNetwork


def study_sections(
    config: StudyConfig | StudySettings, point: Point | None = None, *, machine: bool = False
) -> dict[str, Any]:
    """Return the sections of a settings file as plain values, without settings that have no value.

    Args:
        config: settings of a study, or of a study and its run.
        point: values of one configuration.
        machine: whether the section of the machine is included, without a password.
    """
    names = [name for name in SECTIONS if name != "machine" or machine]
    sections = settings_sections(config, {name: SECTIONS[name] for name in names})
    space = sections["search"].pop(SPACE)
    if space in BUILT_IN:
        sections["search"][SPACE] = space
    else:
        sections[SPACE] = space
    if point is not None:
        sections[POINT] = dict(point)
    return {name: values for name, values in sections.items() if values}


def settings_sections(config: Any, sections: Sections) -> dict[str, Any]:
    """Return the values of settings by section, as plain values."""
    values = {name: _values(config, classes) for name, classes in sections.items()}
    return {name: inner for name, inner in values.items() if inner}


def _values(config: Any, classes: Iterable[type]) -> dict[str, Any]:
    names = [f.name for c in classes for f in fields(c) if hasattr(config, f.name)]
    plain = {name: _plain(name, getattr(config, name)) for name in names}
    return {name: value for name, value in plain.items() if value is not None and value != []}


def _plain(name: str, value: Any) -> Any:
    """Return the value of a setting as TOML has it."""
    if isinstance(value, Space):
        is_built_in = value.name in BUILT_IN and value == built_in_space(value.name)
        return value.name if is_built_in else {"name": value.name, **value.to_dict()}
    if isinstance(value, StepCost):
        return str(value)
    if isinstance(value, StartNetwork):
        return value.source
    if isinstance(value, Path):
        return str(value)
    if name == "storage":
        return without_password(value)
    return list(value) if isinstance(value, tuple) else value


def without_password(address: str) -> str:
    """Return the address of a database without its password."""
    if not passwords_in(address):
        return address
    url = sqlalchemy.make_url(address)
    query = {n: v for n, v in url.query.items() if "pass" not in n.lower()}
    return url.set(password=None, query=query).render_as_string().replace(":***@", "@")


def format_config(sections: Mapping[str, Any]) -> str:
    """Return sections as the text of a TOML file; parameters are tables of their own."""
    nested = {
        name: nest(values) if name in (SPACE, POINT) else values
        for name, values in sections.items()
    }
    return tomli_w.dumps(nested)


def settings_texts(settings: StudySettings) -> dict[str, str]:
    """Return the settings that have a value, as text by name."""
    texts = {}
    for f in fields(settings):
        value = getattr(settings, f.name)
        value = " ".join(value) if isinstance(value, tuple) else getattr(value, "name", value)
        if value not in (None, ""):
            texts[f.name] = str(value)
    return texts
