"""Types of settings: how text from a command line or a file becomes a value.

pydantic reads the annotations when a value is validated; this module does not import it, so that
``--help`` is fast.
"""

import math
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Annotated, Any

from annotated_types import Ge, Gt, Le

from data.addresses import check_address
from data.errors import InputError
from hpo.space.files import read_space
from hpo.space.space import Space
from model.config import REFERENCE_COST, StepCost
from model.own_network import check_network_name
from model.start_network import StartNetwork

# Optuna's databases allow 512; the rest is for what the names of the finalists' studies add.
MAX_STUDY_NAME_LENGTH = 400
UNIT_SECONDS = {"s": 1, "m": 60, "h": 3600}


class Parsed:
    """Annotation of a type whose values a function parses.

    Args:
        parse: returns the value for the text, number or table of a setting; raises ValueError.
        metavar: placeholder of the value in a help text.
    """

    def __init__(self, parse: Callable[[Any], Any], metavar: str) -> None:
        """Store the function."""
        self.parse, self.metavar = parse, metavar

    def __get_pydantic_core_schema__(self, _source: Any, _handler: Any) -> Any:
        """Return the schema by which pydantic calls the function."""
        from pydantic_core import core_schema

        return core_schema.no_info_plain_validator_function(self.parse)


def parse_duration(value: Any) -> float:
    """Return seconds for a number, or for a text such as 90, 90s, 1.5m or 2h.

    Raises:
        ValueError: the value is no duration.
    """
    text = str(value)
    number, unit = (text[:-1], text[-1]) if text[-1:] in UNIT_SECONDS else (text, "s")
    try:
        seconds = float(number) * UNIT_SECONDS[unit]
    except ValueError:
        seconds = math.nan
    if not 0 <= seconds < math.inf:
        raise ValueError("must be a duration of at least 0, such as 90, 90s, 15m or 2h")
    return seconds


def parse_positive_duration(value: Any) -> float:
    """Return seconds as :func:`parse_duration` does, but not 0.

    Raises:
        ValueError: the value is no duration above 0.
    """
    seconds = parse_duration(value)
    if seconds == 0:
        raise ValueError("must be a duration above 0")
    return seconds


def parse_whole_seconds(value: Any) -> int:
    """Return a whole number of seconds for a duration above 0.

    Raises:
        ValueError: the value is no such duration.
    """
    seconds = parse_positive_duration(value)
    if not seconds.is_integer():
        raise ValueError("must be a whole number of seconds")
    return int(seconds)


def parse_study_name(value: Any) -> str:
    """Return the name of a study.

    Raises:
        ValueError: the name is too long.
    """
    if not isinstance(value, str) or not 0 < len(value) <= MAX_STUDY_NAME_LENGTH:
        raise ValueError(f"must have 1 to {MAX_STUDY_NAME_LENGTH} characters")
    return value


def parse_storage(value: Any) -> str:
    """Return the address of a database.

    Raises:
        InputError: the value is no address.
    """
    check_address(str(value))
    return str(value)


def parse_step_cost(value: Any) -> StepCost:
    """Return the costs of a step for ``"reference"``, five numbers in a text, or a table.

    Raises:
        ValueError: the value has another form.
    """
    if isinstance(value, StepCost):
        return value
    try:
        if isinstance(value, Mapping):
            return StepCost(**value)
        return REFERENCE_COST if value == "reference" else StepCost(*map(float, value.split(",")))
    except (InputError, TypeError, ValueError, AttributeError) as error:
        raise ValueError("must be reference or five numbers of nanoseconds") from error


def parse_space_setting(value: Any) -> Space:
    """Return the space for its name or the path of its file.

    Raises:
        InputError: there is no such file, or it does not contain a space.
    """
    if isinstance(value, Space):
        return value
    if not isinstance(value, str | Path):
        raise ValueError("must be a space: standard, paper, recipe, or the path of a file")
    return read_space(value)


def parse_network(value: Any) -> str:
    """Return the name of a network of the user's own, ``"module:function"``.

    Raises:
        InputError: the value has another form.
    """
    check_network_name(value)
    return str(value)


def parse_start_network(value: Any) -> StartNetwork:
    """Return the network whose weights fits start from, for the path of its file.

    Raises:
        InputError: the file is not that of a network.
        ValueError: the value is no text.
    """
    if isinstance(value, StartNetwork):
        return value
    if not isinstance(value, str | Path) or not str(value):
        raise ValueError("must be the path of a network, or pretrained")
    from model.start_weights import read_start_network

    return read_start_network(str(value))


def parse_path(value: Any) -> Path:
    """Return a path.

    Raises:
        ValueError: the value is no text.
    """
    if not isinstance(value, str | Path) or not str(value):
        raise ValueError("must be a path")
    return Path(value)


PositiveInt = Annotated[int, Ge(1)]
NonNegativeInt = Annotated[int, Ge(0)]
NonNegativeFloat = Annotated[float, Ge(0.0), Le(1e300)]
Seed = Annotated[int, Ge(0), Le(2**32 - 1)]
Pixels = Annotated[int, Gt(0)]
Duration = Annotated[float, Parsed(parse_duration, "DURATION")]
PositiveDuration = Annotated[float, Parsed(parse_positive_duration, "DURATION")]
WholeSeconds = Annotated[int, Parsed(parse_whole_seconds, "DURATION")]
StudyName = Annotated[str, Parsed(parse_study_name, "NAME")]
StorageAddress = Annotated[str, Parsed(parse_storage, "URL")]
NetworkName = Annotated[str, Parsed(parse_network, "MODULE:FUNCTION")]
FolderPath = Annotated[Path, Parsed(parse_path, "DIR")]
FilePath = Annotated[Path, Parsed(parse_path, "FILE")]
StepCostSetting = Annotated[StepCost, Parsed(parse_step_cost, "NS")]
StartNetworkSetting = Annotated[StartNetwork, Parsed(parse_start_network, "FILE")]
SpaceSetting = Annotated[Space, Parsed(parse_space_setting, "SPACE")]
