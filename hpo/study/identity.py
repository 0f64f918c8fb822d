"""The identity of a study: everything that must be equal for a study to be resumed."""

import hashlib
import json
from collections.abc import Mapping
from dataclasses import asdict, fields
from importlib.metadata import version
from typing import Any

from optuna.distributions import distribution_to_json
from optuna.study import Study

from data.drawings import Drawings
from data.episodes import Episodes
from hpo.settings.base_config import base_config
from hpo.settings.study_settings import StudySettings
from hpo.space.distributions import search_space
from hpo.space.files import built_in_space, parse_space
from hpo.space.space import Space
from hpo.study.plan import pruner_arguments
from hpo.study.sampler import local_arguments, sampler_arguments
from model.config import StepCost
from model.fit_state import TRAINING_VERSION
from model.schema import SCHEMA, upgrade
from model.start_network import StartNetwork

DISTRIBUTION = "siamese-hpo"  # name of this program's package
# Fields of an identity that may differ; hpo.runtime.step_costs keeps the costs of a stored study.
# The digest of a network stands for its architecture; its file may have moved.
NOT_COMPARED = (
    *("version", "settings.step_cost", "settings.space.name"),
    *("settings.start_from.source", "settings.start_from.model"),
)
# Groups of parameters that versions before 0.6 searched → last part of the parameters' names.
FORMER_GROUPS = {
    "lr": "lr",
    "momentum": "momentum",
    "l2": "l2",
    "filters": "filters",
    "kernels": "kernel",
    "units": "units",
}


def settings_to_dict(settings: StudySettings) -> dict[str, Any]:
    """Return the JSON values of settings, from which :func:`settings_from_dict` restores them."""
    values = {f.name: getattr(settings, f.name) for f in fields(StudySettings)}
    values |= {"space": {"name": settings.space.name, **settings.space.to_dict()}}
    values |= {"start_from": settings.start_from.to_dict() if settings.start_from else None}
    return dict(json.loads(json.dumps(values | {"step_cost": asdict(settings.cost)})))


def settings_from_dict(values: Mapping[str, Any]) -> StudySettings:
    """Return stored settings of any schema."""
    values = upgrade_settings(values)
    space = dict(values["space"])
    tuples = {name: tuple(values[name]) for name in ("train", "val", "test", "objective")}
    stored: dict[str, Any] = {
        "space": parse_space(space, str(space.pop("name")), "The stored space"),
        "step_cost": StepCost(**values["step_cost"]),
    }
    if (start := values["start_from"]) is not None:
        stored["start_from"] = StartNetwork.from_dict(start)
    return StudySettings(**values | tuples | stored)


def settings_of(study: Study) -> StudySettings:
    """Return the settings of a study that ``run_study.py`` or ``run_study`` has created.

    Raises:
        InputError: a later version of the program created it.
    """
    return settings_from_dict(upgrade_identity(study.user_attrs["identity"])["settings"])


def upgrade_settings(values: Mapping[str, Any]) -> dict[str, Any]:
    """Return stored settings with current names; earlier versions stored groups of parameters."""
    upgraded = upgrade("settings", values)
    if (groups := upgraded.pop("search", None)) is not None:
        space = former_space(groups)
        upgraded["space"] = {"name": space.name, **space.to_dict()}
    return upgraded


def former_space(groups: list[str]) -> Space:
    """Return the space of the groups that a version before 0.6 searched."""
    paper = built_in_space("paper")
    if set(groups) == set(FORMER_GROUPS):
        return paper
    return paper.only([FORMER_GROUPS[group] for group in groups])


def upgrade_identity(identity: Mapping[str, Any]) -> dict[str, Any]:
    """Return a stored identity of any schema with current names."""
    upgraded = upgrade("identity", identity)
    if "settings" in upgraded:
        upgraded["settings"] = upgrade_settings(upgraded["settings"])
    return upgraded


def study_identity(
    settings: StudySettings, train: Drawings, val: Drawings, episodes: Episodes
) -> dict[str, Any]:
    """Return everything that must be equal for a study to be resumed, as JSON values.

    ``training_version`` is the version of the code that trains. ``version``, the version of the
    program, is stored with the identity but not compared.

    Args:
        settings: settings of the study.
        train: training drawings.
        val: validation drawings.
        episodes: validation episodes.
    """
    episode_digest = hashlib.sha256()
    for tensor in (episodes.query_RQ, episodes.support_RS, episodes.target_RQ):
        episode_digest.update(tensor.cpu().numpy().tobytes())
    space = search_space(settings.space, settings.image_size)
    identity = {
        "schema": SCHEMA,
        "settings": settings_to_dict(settings),
        "base": base_config(settings).to_dict(),
        "space": {name: json.loads(distribution_to_json(d)) for name, d in space.items()},
        "data_digest": train.digest,
        "train_alphabets": list(train.alphabets),
        "val_alphabets": list(val.alphabets),
        "episodes": episode_digest.hexdigest(),
        "direction": ", ".join(settings.directions),
        "sampler": sampler_arguments(settings.sampler),
        "local": local_arguments(settings.sampler),
        "pruner": pruner_arguments(settings.pruner, settings.max_epochs),
        "training_version": TRAINING_VERSION,
        "version": version(DISTRIBUTION),
    }
    return dict(json.loads(json.dumps(identity)))


def identity_differences(
    stored: dict[str, Any], requested: dict[str, Any], prefix: str = ""
) -> list[str]:
    """Return the differences of two identities, as lines ``name: stored → requested``.

    Fields of :data:`NOT_COMPARED` are left out.

    Args:
        stored: identity of a stored study, under the current names.
        requested: identity of the requested settings.
        prefix: prefix of the names, for nested values.
    """
    lines = []
    for name in sorted(stored.keys() | requested.keys()):
        old, new = stored.get(name), requested.get(name)
        if prefix + name in NOT_COMPARED:
            continue
        old_fields, new_fields = ({} if value is None else value for value in (old, new))
        if isinstance(old_fields, dict) and isinstance(new_fields, dict):
            lines += identity_differences(old_fields, new_fields, f"{prefix}{name}.")
        elif old != new:
            lines.append(f"{prefix}{name}: {old} → {new}")
    return lines


def version_note(identity: dict[str, Any]) -> str:
    """Return a note if another version of the program created a study; otherwise an empty text.

    Args:
        identity: stored identity of the study, of any schema.
    """
    created, current = identity.get("version"), version(DISTRIBUTION)
    if created in (None, current):
        return ""
    return (
        f"this study was created with version {created}; version {current} trains in the same way"
    )
