"""The names of the parameters that a space may contain, and the type of each.

A name is a path into the configuration:

- ``conv1.lr``, ``conv1.momentum``, ``conv1.l2``: rates of one layer
- ``lr``, ``momentum``, ``l2``: rates of all layers
- ``conv1.lr_factor``, ``conv1.l2_factor``: factor of one layer, multiplied by its rate
- ``width``: factor of all numbers of filters and units
- ``conv1.filters``, ``conv1.kernel``, ``fc1.units``: sizes of the network
- ``model.…``, ``fit.…``, ``distort.…``: fields of :class:`model.architecture.ModelConfig`,
  :class:`model.config.FitConfig` and :class:`data.distortions.DistortConfig`
- ``net.…``: parameters of a network of your own (``network`` in the settings)
"""

from dataclasses import fields
from difflib import get_close_matches
from functools import cache
from typing import Any, get_type_hints

from data.distortions import DistortConfig
from data.errors import InputError
from model.architecture import CONVS, LAYERS, ModelConfig
from model.config import FitConfig

OWN_PREFIX = "net."  # of the parameters of a network of the user's own
RATES = ("lr", "momentum", "l2")
FACTORS = ("lr_factor", "l2_factor")
WIDTH = "width"
SIZES = (*(f"{conv}.filters" for conv in CONVS), *(f"{conv}.kernel" for conv in CONVS), "fc1.units")
MODEL_FIELDS = ("init", "conv_norm", "head_norm")
# Parameters that change what a training step costs.
COST_PARAMETERS = {WIDTH, *SIZES, "fit.n_characters", "fit.n_drawings"}
# Fields that may not vary within a study: what is trained, how long, and what has its own names.
FIXED_FIELDS = ("recipe", "rates", "max_epochs", "steps_per_epoch", "distort")
RECIPE_FIELDS = {
    "episode": ("n_characters", "n_drawings"),
    "paper": ("n_pairs", "new_pairs", "n_drawers", "batch_size"),
}


def is_architecture(name: str) -> bool:
    """Return whether a parameter changes the architecture of the network."""
    return name == WIDTH or name in SIZES or name.startswith(("model.", OWN_PREFIX))


@cache
def parameter_types() -> dict[str, type]:
    """Return the type of every parameter by name, in the order in which trials suggest them."""
    types: dict[str, type] = dict.fromkeys(RATES, float)
    types |= {f"{layer}.{rate}": float for rate in (*RATES, *FACTORS) for layer in LAYERS}
    types |= {WIDTH: float} | dict.fromkeys(SIZES, int)
    for prefix, config in (("model", ModelConfig), ("fit", FitConfig), ("distort", DistortConfig)):
        types |= {f"{prefix}.{name}": kind for name, kind in _field_types(config).items()}
    return types


def _field_types(config: type) -> dict[str, type]:
    """Return the types of the fields of a configuration that may vary."""
    hints: dict[str, Any] = get_type_hints(config)
    names = MODEL_FIELDS if config is ModelConfig else [field.name for field in fields(config)]
    return {name: hints[name] for name in names if name not in FIXED_FIELDS}


def require_known(name: str, source: str) -> None:
    """Raise InputError unless a name is that of a parameter.

    Args:
        name: name in a space.
        source: description of the space, for the error message.

    Raises:
        InputError: there is no such parameter; the message lists the nearest names.
    """
    if name in parameter_types() or (name.startswith(OWN_PREFIX) and name != OWN_PREFIX):
        return
    nearest = get_close_matches(name, parameter_types(), n=3, cutoff=0.5) or ["conv1.lr", "fit.ema"]
    raise InputError(
        f"{source}: '{name}' is not a parameter. Use another name, for example "
        f"{', '.join(nearest)}; docs/configuration.md lists all of them."
    )


def require_of_network(names: list[str], network: str | None, source: str) -> None:
    """Raise InputError if a parameter belongs to another network than the one that is trained.

    Args:
        names: names of parameters.
        network: name of a network of the user's own, or None.
        source: description of the space, for the error message.

    Raises:
        InputError: a parameter of the user's own network, but no such network, or vice versa.
    """
    prefixes = ("fit.", "distort.", OWN_PREFIX)
    for name in names:
        if network is None and name.startswith(OWN_PREFIX):
            raise InputError(
                f"{source}: '{name}' needs a network of your own. Add --network MODULE:FUNCTION, "
                "or remove it."
            )
        if network is not None and name not in RATES and not name.startswith(prefixes):
            raise InputError(
                f"{source}: '{name}' is not a parameter of the network {network}. Remove it; lr, "
                "momentum, l2, fit.*, distort.* and net.* can be searched."
            )


def require_effective(names: list[str], recipe: str, source: str) -> None:
    """Raise InputError if a parameter has no effect on the training of a recipe.

    Args:
        names: names of parameters.
        recipe: ``"episode"`` or ``"paper"``.
        source: description of the space, for the error message.

    Raises:
        InputError: a parameter belongs to the other recipe.
    """
    for other, others in RECIPE_FIELDS.items():
        for name in others:
            if other != recipe and f"fit.{name}" in names:
                raise InputError(
                    f"{source}: 'fit.{name}' has no effect with the recipe {recipe}. Remove it, or "
                    f"use --recipe {other}."
                )
