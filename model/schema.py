"""The schema of stored data: field names and defaults of earlier versions, and their upgrade.

Everything that the program stores as JSON contains ``schema``: study identities, checkpoints,
networks and results. :func:`upgrade` reads every earlier schema. To rename a stored field, add a
line to :data:`RENAMED`; to add a field whose value was implied before, add one to :data:`DEFAULTS`;
to change the type of a value, add one to :data:`CONVERTED`.
"""

from collections.abc import Mapping
from dataclasses import asdict
from typing import Any

from data.distortions import NO_DISTORTIONS, PAPER_DISTORTIONS
from data.errors import InputError

SCHEMA = 2  # schema 1 did not store a number

# Costs of a step by which earlier versions chose the number of steps of a trial, in nanoseconds.
REFERENCE_STEP_COST = {
    "ns_per_flop": 3.2e-4,
    "ns_per_activation": 2.26,
    "ns_per_comparison": 0.62,
    "ns_per_weight": 1.54,
    "ns_per_step": 3.5e6,
}
# Form → {name in an earlier schema: current name}.
RENAMED: dict[str, dict[str, str]] = {
    "settings": {"epoch_steps": "steps_per_epoch", "pairs": "n_pairs"},
    "fit": {"epoch_steps": "steps_per_epoch"},
    "network": {"facts": "metadata"},
    "metadata": {"died": "diverged", "worth": "value_text"},
    "trial": {"died": "diverged"},
    "seed": {"died": "diverged"},
    "result": {"worth": "value_text"},
}
# Form → {name: value if the field is not stored}.
DEFAULTS: dict[str, dict[str, Any]] = {
    "identity": {"training_version": 2},
    "settings": {
        "step_cost": REFERENCE_STEP_COST,
        **{"train": [], "val": [], "test": [], "n_way": 20, "n_shot": 1, "objective": ["accuracy"]},
        **{"network": None, "start_from": None},
        "trial_seeds": "shared",
    },
    "fit": {
        **{"mirrors": False, "n_drawings": 2, "warmup_epochs": 0},
        **{"new_pairs": False, "n_drawers": 12},
    },
    "study_model": {"channels": 1, "conv_norm": "none", "head_norm": "none"},
    "result": {"n_way": 20},
    # Metadata of a refitted network.
    "refit": {"history": [], "fit_format": "siamese-fit-2", "in_study": False},
}
# Form → {name: {value in an earlier schema: current value}}.
CONVERTED: dict[str, dict[str, dict[Any, Any]]] = {
    "fit": {"distort": {True: asdict(PAPER_DISTORTIONS), False: asdict(NO_DISTORTIONS)}},
}
# Form → {name of a field: form of its value, or of the items of its list}.
NESTED: dict[str, dict[str, str]] = {
    "identity": {"settings": "settings", "base": "study_config"},
    "study_config": {"model": "study_model", "fit": "fit"},  # its network is never dense
    "config": {"fit": "fit"},
    "checkpoint": {"config": "config"},
    "network": {"config": "config", "metadata": "metadata"},
    "result": {"config": "config", "seeds": "seed"},
}


def upgrade(form: str, values: Mapping[str, Any]) -> dict[str, Any]:
    """Return stored data with current names and defaults, without ``schema``.

    Args:
        form: kind of the data: ``"identity"``, ``"settings"``, ``"study_config"``,
            ``"study_model"``, ``"config"``, ``"fit"``, ``"checkpoint"``, ``"network"``,
            ``"metadata"``, ``"refit"``, ``"trial"``, ``"result"`` or ``"seed"``.
        values: data of any schema up to :data:`SCHEMA`; it is not changed.

    Raises:
        InputError: a later version of the program wrote the data.
    """
    if values.get("schema", 1) > SCHEMA:
        raise InputError(
            f"`schema <= {SCHEMA}` must hold, but the schema of this {form} is "
            f"{values['schema']}. Update the program: a later version wrote this {form}."
        )
    renamed = RENAMED.get(form, {})
    upgraded = {renamed.get(name, name): value for name, value in values.items()}
    upgraded.pop("schema", None)
    for name, current in CONVERTED.get(form, {}).items():
        if isinstance(upgraded.get(name), bool | str | int):
            upgraded[name] = current[upgraded[name]]
    for name, nested_form in NESTED.get(form, {}).items():
        value = upgraded.get(name)
        if isinstance(value, Mapping):
            upgraded[name] = upgrade(nested_form, value)
        elif isinstance(value, list):
            upgraded[name] = [upgrade(nested_form, item) for item in value]
    return DEFAULTS.get(form, {}) | upgraded
