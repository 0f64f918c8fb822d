"""Which settings a network allows from whose weights the fits of a study start."""

from data.errors import InputError
from model.own_network import OwnConfig
from model.start_network import StartNetwork

DEFAULT_IMAGE_SIZE = 35  # pixels, of a study that does not start from a network


def choose_image_size(requested: int | None, start: StartNetwork | None) -> int:
    """Return the image size of a study, in pixels: that of the network from which it starts.

    Args:
        requested: size that the user has given, or None.
        start: network from whose weights the fits start, or None.

    Raises:
        InputError: another size than that of the network was given.
    """
    if start is None:
        return DEFAULT_IMAGE_SIZE if requested is None else requested
    size = start.model.image_size
    if requested not in (None, size):
        raise InputError(
            f"--image-size must be {size}, the size of the network {start.name} of --start-from, "
            f"but is {requested}. Remove --image-size."
        )
    return size


def require_same_network(start: StartNetwork, network: str | None, init: str) -> None:
    """Raise InputError unless a network has the layers that a study trains.

    Args:
        start: network from whose weights the fits start.
        network: name of the network of the user's own that the study trains, or None.
        init: distribution of random initial weights.

    Raises:
        InputError: it is another kind of network, or initial weights were chosen.
    """
    stored = start.model.network if isinstance(start.model, OwnConfig) else None
    if stored != network:
        repair = f"Add --network {stored}" if stored else "Remove --network"
        raise InputError(
            f"--start-from {start.name} is {_describe(stored)}, but the study trains "
            f"{_describe(network)}. {repair}, or choose another file."
        )
    if init != "scaled":
        raise InputError(
            f"--init {init} has no effect on the weights of --start-from. Remove --init."
        )


def _describe(network: str | None) -> str:
    return f"the network {network}" if network else "the built-in network"
