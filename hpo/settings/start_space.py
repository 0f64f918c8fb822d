"""What a study searches that starts from the weights of a network: not its architecture."""

import logging
from dataclasses import replace

from data.errors import InputError
from hpo.settings.base_config import image_channels
from hpo.settings.study_settings import StudyConfig
from hpo.space.paths import OWN_PREFIX, is_architecture
from hpo.space.space import Point, Space
from model.architecture import ModelConfig
from model.own_network import OwnConfig

logger = logging.getLogger(__name__)

NORMALISATIONS = ("model.conv_norm", "model.head_norm")


def resolve_start(config: StudyConfig) -> StudyConfig:
    """Return a configuration that does not search the architecture; log which parameters it had.

    Without a network from which the fits start, nothing changes.

    Args:
        config: configuration with the name of its data set.

    Raises:
        InputError: the network has other parameters or channels, or no parameter is left.
    """
    if config.start_from is None:
        return config
    model = config.start_from.model
    if isinstance(model, OwnConfig):
        _require_same_own_network(model, config)
    names = [name for name in config.space.parameters if is_architecture(name)]
    if not names:
        return config
    logger.info(
        "start    the architecture is that of %s; not searched: %s",
        *(config.start_from.name, ", ".join(n for n in names if n in config.space.searched)),
    )
    space = config.space
    if isinstance(model, ModelConfig):
        space = nearest_first(space, model)
    return replace(config, space=_without(space, names))


def nearest_first(space: Space, model: ModelConfig) -> Space:
    """Return a space whose first starting points have the normalisations of a network.

    The default rate of the space ``standard`` suits batch normalisation; a network without it
    needs the lower one of another starting point.

    Args:
        space: search space.
        model: architecture of the network from which the fits start.
    """
    names = [name for name in NORMALISATIONS if name in space.parameters]

    def n_differences(start: Point) -> int:
        values = ((start.get(n, space.parameters[n].start(model.image_size)), n) for n in names)
        return sum(value != getattr(model, n.removeprefix("model.")) for value, n in values)

    return replace(space, starts=tuple(sorted(space.starts, key=n_differences)))


def _without(space: Space, names: list[str]) -> Space:
    """Return a space without some of its parameters.

    Raises:
        InputError: no parameter to search is left.
    """
    rest = space.without(names)
    if not rest.searched:
        raise InputError(
            f"Space '{space.name}' must have a parameter besides those of the architecture, which "
            "--start-from fixes, but has none. Add one, for example [lr]."
        )
    return rest


def _require_same_own_network(model: OwnConfig, config: StudyConfig) -> None:
    """Raise InputError unless a study can make the network of the user's own from which it starts.

    Raises:
        InputError: a parameter of the space cannot have the value of the network, or the images
            have another number of channels.
    """
    assert config.start_from is not None
    name = config.start_from.name
    own = {n: p for n, p in config.space.parameters.items() if n.startswith(OWN_PREFIX)}
    for parameter, p in own.items():
        value = model.params.get(parameter.removeprefix(OWN_PREFIX))
        if not (p.fixed == value if p.fixed is not None else p.contains(value, model.image_size)):
            raise InputError(
                f"{parameter} must be able to have the value that --start-from {name} was made "
                f"with, {value}, but is {p.describe_range(model.image_size)}. Remove it from the "
                "space, or correct it."
            )
    channels = image_channels(config.data)
    if channels != model.channels:
        raise InputError(
            f"--start-from {name} must be a network for {channels} channels, because only our own "
            f"can be adapted, but has {model.channels}. Add or remove --colour, or choose another "
            "file."
        )
