"""Small glyphs for the fast tests; the real Omniglot if OMNIGLOT_ROOT names its folder."""

import argparse
import logging
import os
from collections.abc import Iterator
from pathlib import Path

import pytest
import torch

import hpo.study.dataset
from data import cache, glyphs, load
from data.episodes import Dataset
from data.splits import Split, split_dataset
from hpo.cli.console import LOGGER, print_log
from hpo.report import html_page
from model import n_way, verification


@pytest.fixture(autouse=True, scope="session")
def _few_threads() -> None:
    torch.set_num_threads(min(2, os.cpu_count() or 1))


@pytest.fixture(scope="module")
def one_thread() -> Iterator[None]:
    """Compute on one thread: faster for networks so small that threads mostly wait."""
    n_threads = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(n_threads)


@pytest.fixture
def console() -> Iterator[None]:
    """Print what is logged, as the commands do."""
    print_log(argparse.Namespace())
    yield
    logger = logging.getLogger(LOGGER)
    logger.handlers[:], logger.propagate = [], True
    logger.setLevel(logging.NOTSET)


@pytest.fixture(scope="session")
def packed_105() -> Dataset:
    return glyphs.make_glyphs(n_alphabets={"train": 4, "val": 2, "test": 2})


@pytest.fixture(scope="session")
def packed(packed_105: Dataset) -> Dataset:
    return Dataset(cache.resize_drawings(packed_105.drawings, 35), packed_105.official)


@pytest.fixture(scope="session")
def parts(packed: Dataset) -> Split:
    return split_dataset(packed)


@pytest.fixture(scope="session")
def parts_20(packed_105: Dataset) -> Split:
    """The glyphs at 20 pixels, at which fits are fastest."""
    return split_dataset(
        Dataset(cache.resize_drawings(packed_105.drawings, 20), packed_105.official)
    )


@pytest.fixture(scope="module")
def small_data(packed_105: Dataset) -> Iterator[None]:
    """Retraining loads few glyphs, evaluates on few episodes, and leaves plotly.js out."""

    def load(name: str, root: Path | None, size: int, **_: object) -> Dataset:
        assert name == "glyphs"
        size = min(size, 35)  # of the pictures and the baseline, too
        return Dataset(cache.resize_drawings(packed_105.drawings, size), packed_105.official)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(hpo.study.dataset, "load_dataset", load)
        patch.setattr(html_page, "get_plotlyjs", lambda: "")
        patch.setattr(n_way, "N_WAYS", (2, 5, 20))
        patch.setattr(n_way, "N_BLOCKS", 2)
        patch.setattr(verification, "N_PAIRS", 400)
        yield


@pytest.fixture
def in_tmp(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Work in an empty folder, so that each test has its own var/ and study.db."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("OMNIGLOT_ROOT", raising=False)
    return tmp_path


@pytest.fixture(scope="session")
def omniglot_root() -> Path:
    root = os.environ.get("OMNIGLOT_ROOT")
    if not root:
        pytest.skip("set OMNIGLOT_ROOT to test on the real Omniglot")
    return Path(root)


@pytest.fixture(scope="session")
def omniglot_105(
    omniglot_root: Path, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Dataset]:
    """All of Omniglot, read from its archives into a cache that only the tests use."""
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(tmp_path_factory.mktemp("omniglot"))
        yield load.load_dataset("omniglot", omniglot_root, 105)


@pytest.fixture(scope="session")
def omniglot(omniglot_105: Dataset) -> Split:
    return split_dataset(
        Dataset(cache.resize_drawings(omniglot_105.drawings, 35), omniglot_105.official)
    )
