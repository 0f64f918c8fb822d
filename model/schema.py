"""The schema of stored forms, and the field names and defaults of its earlier versions.

Everything that the program stores as JSON carries ``schema``: study identities, checkpoints,
networks and results. :func:`upgrade` reads a form of any earlier schema. A renamed field needs one
line in :data:`RENAMED`; a new field whose earlier value was implied, one in :data:`DEFAULTS`.
"""

from collections.abc import Mapping
from typing import Any

from data.errors import InputError

SCHEMA = 2  # 1: before version 0.6, which did not store a number

# Form → {name in an earlier schema: name today}.
RENAMED: dict[str, dict[str, str]] = {
    "settings": {"epoch_steps": "steps_per_epoch", "pairs": "n_pairs"},
    "fit": {"epoch_steps": "steps_per_epoch"},
    "network": {"facts": "metadata"},
    "metadata": {"died": "diverged"},
    "trial": {"died": "diverged"},
}
# Form → {name: value of forms that do not store it}.
DEFAULTS: dict[str, dict[str, Any]] = {
    "result": {"n_way": 20},
}
# Form → {name of a field: form of its value}.
NESTED: dict[str, dict[str, str]] = {
    "identity": {"settings": "settings", "base": "config"},
    "config": {"fit": "fit"},
    "checkpoint": {"config": "config"},
    "network": {"config": "config", "metadata": "metadata"},
    "result": {"config": "config"},
}


def upgrade(form: str, values: Mapping[str, Any]) -> dict[str, Any]:
    """Return a stored form with the names and defaults of today's schema, without ``schema``.

    Args:
        form: ``"identity"``, ``"settings"``, ``"config"``, ``"fit"``, ``"checkpoint"``,
            ``"network"``, ``"metadata"``, ``"trial"`` or ``"result"``.
        values: the stored form; it is not changed.

    Raises:
        InputError: the form was written by a later version of the program.
    """
    if values.get("schema", 1) > SCHEMA:
        raise InputError(
            f"`schema <= {SCHEMA}` must hold, but the schema of this {form} is "
            f"{values['schema']}. Update the program, which is older than the file."
        )
    renamed = RENAMED.get(form, {})
    upgraded = {renamed.get(name, name): value for name, value in values.items()}
    upgraded.pop("schema", None)
    for name, inner in NESTED.get(form, {}).items():
        if isinstance(upgraded.get(name), Mapping):
            upgraded[name] = upgrade(inner, upgraded[name])
    return DEFAULTS.get(form, {}) | upgraded
