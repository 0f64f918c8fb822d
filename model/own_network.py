"""A network of the user's own: its function, found by name, and its configuration.

A function ``make(params, channels, image_size)`` returns a module with ``embed``; see
:func:`model.own_module.make_module`. This module does not import torch.
"""

import importlib
import sys
import traceback
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from types import BuiltinFunctionType, FunctionType
from typing import Any, ClassVar

from data.errors import InputError, require
from data.text import first_line

NetworkFactory = Callable[[dict[str, Any], int, int], Any]

_registered: dict[str, NetworkFactory] = {}


class OwnNetworkError(InputError):
    """The network of the user cannot be used; the message names it and how to correct it."""


@dataclass(frozen=True)
class OwnConfig:
    """Architecture of a network of the user's own.

    Args:
        network: name of its function, ``"module:function"``.
        params: value by parameter name, without the prefix ``net.``.
        channels: number of values per pixel of the input; 3 for colour images.
        image_size: height and width of the input in pixels.
    """

    network: str
    params: Mapping[str, Any] = field(hash=False)
    channels: int = 1
    image_size: int = 35

    # One group of rates for the whole network and its head.
    layers: ClassVar[tuple[str, ...]] = ("network",)

    def __post_init__(self) -> None:
        """Check the form of the name and the sizes."""
        check_network_name(self.network)
        sizes = (self.channels, self.image_size)
        require(min(sizes) >= 1, "channels, image_size >= 1", sizes, "Raise them.")


def register_network(function: NetworkFactory) -> str:
    """Make a function available under its name without an import, and return the name.

    A function of a notebook cannot be imported by name. It is registered in this process only.

    Args:
        function: see :func:`model.own_module.make_module`.
    """
    name = f"{function.__module__}:{function.__qualname__}"
    _registered[name] = function
    return name


def check_network_name(name: str) -> None:
    """Raise InputError unless a name has the form ``module:function``.

    Raises:
        InputError: it has another form, or names a module of Python's standard library.
    """
    module, _, function = str(name).partition(":")
    if not module or not function or module.startswith("."):
        raise OwnNetworkError(
            f"--network must be MODULE:FUNCTION, such as my_net:make, but is {name}. Correct it."
        )
    # A network file names its function: it must not call what Python itself can do.
    if _is_standard(module):
        raise OwnNetworkError(
            f"--network must not be in Python's standard library, but is {name}. Rename your file."
        )


def _is_standard(module: str) -> bool:
    """Return whether a module is part of Python's standard library."""
    return module.split(".")[0] in sys.stdlib_module_names - {"__main__"}


def find_factory(name: str) -> NetworkFactory:
    """Return the function of a name: a registered one, or that of a module.

    The module is imported from the current folder, or from an installed package.

    Args:
        name: ``"module:function"``.

    Raises:
        OwnNetworkError: there is no such module or function, or it is not callable.
    """
    if name in _registered:
        return _registered[name]
    check_network_name(name)
    module, _, function = name.partition(":")
    value = _import(module, name)
    for part in function.split("."):
        if not hasattr(value, part):
            raise OwnNetworkError(
                f"Network {name}: {module} has no function '{function}'. Correct --network, or "
                "call register_network in this process."
            )
        value = getattr(value, part)
    origin = str(getattr(value, "__module__", ""))
    is_definition = isinstance(value, FunctionType | BuiltinFunctionType | type)
    if is_definition and _is_standard(origin):  # reached through another module
        raise OwnNetworkError(
            f"--network must not be in Python's standard library, but {name} is {origin}. Choose "
            "another function."
        )
    if not callable(value):
        raise OwnNetworkError(f"Network {name}: '{function}' is not a function. Correct --network.")
    factory: NetworkFactory = value
    return factory


def _import(module: str, name: str) -> Any:
    """Return a module, imported from the current folder or an installed package."""
    folder = str(Path.cwd())
    if folder not in sys.path:
        sys.path.insert(0, folder)
    with explain_errors(name, f"the import of {module}"):
        try:
            return importlib.import_module(module)
        except ModuleNotFoundError as error:
            if error.name and f"{module}.".startswith(f"{error.name}."):
                raise OwnNetworkError(
                    f"Network {name}: there is no module '{error.name}' in {folder} or among the "
                    "installed packages. Run the command in the folder of its file, or correct "
                    "--network."
                ) from error
            raise


@contextmanager
def explain_errors(name: str, where: str) -> Iterator[None]:
    """Turn an exception of the user's code into one line that keeps its message and its place.

    Args:
        name: name of the network.
        where: what was run.

    Raises:
        OwnNetworkError: the code raised an exception, which is its cause.
    """
    try:
        yield
    except InputError:
        raise
    except Exception as error:
        raise OwnNetworkError(
            f"Network {name}: {where} raised {type(error).__name__} "
            f"({first_line(error)}){_place(error)}. Correct its code."
        ) from error


def _place(error: Exception) -> str:
    """Return file and line in which the user's code was last, as text; empty if unknown."""
    if isinstance(error, SyntaxError):
        return f" in {Path(error.filename or '').name}, line {error.lineno}"
    here = Path(__file__).parent
    stack = traceback.extract_tb(error.__traceback__)
    frames = [f for f in stack if not _is_library(f.filename) and Path(f.filename).parent != here]
    return f" in {Path(frames[-1].filename).name}, line {frames[-1].lineno}" if frames else ""


def _is_library(filename: str) -> bool:
    """Return whether a source file belongs to torch or to Python."""
    parts = Path(filename).parts
    return "torch" in parts or "importlib" in parts or filename.startswith("<")
