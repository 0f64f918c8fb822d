"""What the modules log, and how a command prints it."""

import argparse
import logging
from collections.abc import Iterator

import pytest
from tqdm import tqdm

from hpo.cli.console import LOGGER, print_log


@pytest.fixture
def logger() -> Iterator[logging.Logger]:
    """The parent of all loggers of the program, as it was before the test."""
    parent = logging.getLogger(LOGGER)
    yield logging.getLogger(f"{LOGGER}.some.module")
    parent.handlers[:], parent.propagate = [], True
    parent.setLevel(logging.NOTSET)


def test_nothing_is_printed_unless_asked(
    logger: logging.Logger, capsys: pytest.CaptureFixture[str]
) -> None:
    logger.info("a trial")
    assert capsys.readouterr() == ("", "")


@pytest.mark.parametrize(
    ("flags", "out", "err"),
    [
        ({}, "a trial\n", "warning: careful\n"),
        ({"quiet": True}, "", "warning: careful\n"),
        ({"verbose": True}, "an epoch\na trial\n", "warning: careful\n"),
    ],
)
def test_a_command_prints_what_is_logged(
    flags: dict[str, bool],
    out: str,
    err: str,
    logger: logging.Logger,
    capsys: pytest.CaptureFixture[str],
) -> None:
    print_log(argparse.Namespace(**flags))
    logger.debug("an epoch")
    logger.info("a trial")
    logger.warning("careful")
    assert capsys.readouterr() == (out, err)


def test_a_line_is_printed_above_the_bar(
    logger: logging.Logger, capsys: pytest.CaptureFixture[str]
) -> None:
    print_log(argparse.Namespace())
    with tqdm(total=2, disable=True):
        logger.info("%s done", "100%")
    assert capsys.readouterr().out == "100% done\n"
