"""The paper's tables with untrained networks, the cache of networks, the reference study."""

import json
import os
import sqlite3
from collections.abc import Iterator
from contextlib import closing
from dataclasses import replace
from pathlib import Path
from typing import Any

import optuna
import pytest
import tiny
import torch
from made_studies import mixed

from data import published
from data.episodes import Dataset
from data.errors import InputError
from data.splits import Split
from hpo.dashboard import server
from hpo.paper import reproduction
from hpo.paper.reproduction import (
    ReproductionRequest,
    describe_scale,
    format_line,
    reproduce,
    row_cells,
)
from hpo.paper.scales import SCALES
from hpo.paper.tables import TABLES, TableRow
from hpo.refit.retrain import TEST_LOG
from hpo.study import open
from hpo.study.open import artifact_folder, storage_or_reference
from hpo.study.storage import open_storage
from model import verification
from model.config import Config
from model.device import ComputeConfig
from model.fit_state import EpochResult
from model.intervals import ClusterAccuracies
from model.network_cache import NetworkCache
from model.networks import build_net
from model.siamese import SiameseNet

SMOKE = replace(SCALES["smoke"], narrowed=16, hidden=16, n_seeds=2)
CPU = ComputeConfig(torch.device("cpu"))


class UntrainedNetworks(NetworkCache):
    """Networks with their initial weights."""

    def network(self, config: Config, seed: int) -> SiameseNet:
        return build_net(config.model, generator=torch.Generator().manual_seed(seed)).eval()


@pytest.fixture
def request_smoke(
    in_tmp: Path, packed: Dataset, monkeypatch: pytest.MonkeyPatch
) -> ReproductionRequest:
    """A request on the glyphs at 35 pixels, with untrained networks and few pairs."""
    monkeypatch.setattr(reproduction, "load_dataset", lambda name, root, size: packed)
    monkeypatch.setattr(reproduction, "NetworkCache", UntrainedNetworks)
    monkeypatch.setattr(verification, "N_PAIRS", 100)
    return ReproductionRequest(SMOKE, None, CPU, in_tmp / "out", in_tmp / "networks")


def written(request: ReproductionRequest, number: int) -> dict[str, Any]:
    """The table that was written to a file."""
    return dict(json.loads((request.out / f"table-{number}-smoke.json").read_text()))


def log_entries() -> list[dict[str, Any]]:
    return [json.loads(line) for line in TEST_LOG.read_text().splitlines()]


def test_table_1_has_the_verification_accuracy_of_every_fit(
    request_smoke: ReproductionRequest, capsys: pytest.CaptureFixture[str]
) -> None:
    reproduce(request_smoke, 1)
    table = written(request_smoke, 1)
    assert [row["paper"] for row in table["rows"]] == [paper for _, _, paper in published.TABLE_1]
    assert [len(row["ours"]) for row in table["rows"]] == [2] * 6
    assert {row["n"] for row in table["rows"]} <= set(range(90, 101)), "different pairs of 100"
    assert table["rows"][0]["note"] == "256 pairs", "the scale has fewer pairs than the paper"
    for row in table["rows"]:
        assert row["mean"] == pytest.approx(sum(row["ours"]) / 2)
        assert row["interval"]["low"] < row["mean"] < row["interval"]["high"]
    output = capsys.readouterr().out
    for text in ("scale smoke", "90.6%", "built-in glyphs", "table-1-smoke.json"):
        assert text in output
    assert not TEST_LOG.exists(), "the official episodes were not used"


def test_table_2_logs_every_evaluation_on_the_official_episodes(
    request_smoke: ReproductionRequest,
) -> None:
    reproduce(request_smoke, 2)
    table = written(request_smoke, 2)
    rows = {row["name"]: row for row in table["rows"]}
    assert rows["humans"]["ours"] == [], "cited"
    assert rows["convolutional siamese net"]["paper"] == 0.92
    assert rows["siamese net without convolutions"]["paper"] == 0.583
    assert rows["siamese net without convolutions, episode recipe"]["paper"] is None
    assert rows["1-NN on pixels, cosine"]["paper"] == 0.217
    assert {row["n"] for row in table["rows"] if row["ours"]} == {80}
    measured = [row for row in table["rows"] if row["ours"]]
    assert [e["what"] for e in log_entries()] == [
        f"reproduce.py, scale smoke, {row['name']}" for row in measured
    ]
    assert log_entries()[0]["accuracies"] == [round(a, 4) for a in measured[0]["ours"]]


@pytest.mark.skipif("MNIST_ROOT" not in os.environ, reason="set MNIST_ROOT to test on MNIST")
def test_table_3_evaluates_on_mnist(
    request_smoke: ReproductionRequest, capsys: pytest.CaptureFixture[str]
) -> None:
    reproduce(request_smoke, 3)
    assert "70.3%" in capsys.readouterr().out
    table = written(request_smoke, 3)
    assert {row["n"] for row in table["rows"]} == {400}
    assert table["scale"]["image_size"] == 35
    [nearest] = [row for row in table["rows"] if row["name"] == "1-NN on pixels, cosine"]
    assert nearest["paper"] == 0.265
    assert nearest["mean"] == pytest.approx(0.47), "deterministic"


def test_a_row_that_was_not_measured_says_so() -> None:
    assert row_cells(TableRow("x", 0.5))[2] == "not run"
    assert row_cells(TableRow("x", 0.5, note="cited"))[2] == "–"
    clusters = ClusterAccuracies("alphabet", [[0.0, 0.5], [0.5, 1.0]], [200, 200])
    cells = row_cells(TableRow("x", 0.5, [0.25, 0.75], clusters))
    assert cells[:3] == ("x", "50.0%", "50.0 ± 35.4 % (2)")
    assert cells[3].startswith("45.0% to 55.0% (400 episodes")
    assert format_line(cells).split() == [word for cell in cells for word in cell.split()]
    assert row_cells(TableRow("x"))[1] == "–"
    assert set(TABLES) == {1, 2, 3}


def test_a_scale_is_described_on_one_line() -> None:
    assert "divided by 2" in describe_scale(SCALES["reduced"])
    assert "300,000 pairs" in describe_scale(SCALES["reduced"])
    full = describe_scale(SCALES["full"])
    assert "divided" not in full
    assert "200 epochs" in full
    assert "105 pixels" in full


@pytest.fixture
def networks(parts: Split, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> NetworkCache:
    """A cache whose fits end at once."""

    def fit(state: Any, *_: Any, **__: Any) -> Iterator[EpochResult]:
        stopped = "non-finite loss" if state.seed == 13 else "all epochs done"
        state.history.append(EpochResult(1, 1.0, 0.5, 10, 0.1, stopped))
        yield state.history[-1]

    monkeypatch.setattr("model.network_cache.fit", fit)
    return NetworkCache(parts, CPU, tmp_path)


def test_a_network_is_trained_once(networks: NetworkCache, monkeypatch: pytest.MonkeyPatch) -> None:
    first = networks.network(tiny.config(), 1)
    monkeypatch.setattr("model.network_cache.fit", lambda *_, **__: pytest.fail("trained again"))
    second = networks.network(tiny.config(), 1)
    for name, weights in first.state_dict().items():
        torch.testing.assert_close(second.state_dict()[name], weights)
    assert not list(networks.folder.glob("*.fit.pt"))


def test_networks_of_another_seed_precision_or_data_set_are_trained(
    networks: NetworkCache,
) -> None:
    split = networks.split
    list(networks.networks(tiny.config(), 2))
    replace(networks, compute=replace(CPU, precision="bfloat16")).network(tiny.config(), 1)
    other = replace(split, train=replace(split.train, digest="another"))
    replace(networks, split=other).network(tiny.config(), 1)
    networks.network(tiny.config(max_epochs=5), 1)
    assert len(list(networks.folder.iterdir())) == 5


def test_a_fit_that_diverges_is_not_cached(networks: NetworkCache) -> None:
    with pytest.raises(InputError, match="seed 13 diverged"):
        networks.network(tiny.config(), 13)
    assert not list(networks.folder.iterdir())


@pytest.fixture
def reference(in_tmp: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A reference study elsewhere, and no study here."""
    folder = in_tmp / "repository"
    folder.mkdir()
    path = folder / "study.db"
    with closing(open_storage(f"sqlite:///{path}")) as storage:
        mixed("reference", storage)
    with closing(sqlite3.connect(path)) as database:  # so that who reads it writes no files
        database.execute("PRAGMA journal_mode=DELETE")
    monkeypatch.setattr(open, "REFERENCE_STUDY", path)
    return path


@pytest.mark.usefixtures("console")
def test_without_a_study_the_reference_is_shown_and_left_as_it_is(
    reference: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    before = reference.read_bytes()
    server.print_status("sqlite:///study.db", None)
    output = capsys.readouterr().out
    assert "this is the reference study" in output
    assert "study    reference" in output
    assert reference.read_bytes() == before
    assert [path.name for path in reference.parent.iterdir()] == ["study.db"]
    assert not Path("study.db").exists()
    with pytest.raises(InputError, match="the reference study is read-only"):
        storage_or_reference("sqlite:///study.db", allow_edits=True)


def test_ones_own_study_and_other_addresses_go_first(reference: Path) -> None:
    assert storage_or_reference("sqlite:///other.db") == "sqlite:///other.db"
    assert artifact_folder("sqlite:///other.db") == Path("var/artifacts")
    assert artifact_folder(f"sqlite:///{reference}") == reference.parent / "artifacts"
    assert storage_or_reference("sqlite:///study.db") == f"sqlite:///{reference}"
    optuna.create_study(storage="sqlite:///study.db", study_name="mine")
    assert storage_or_reference("sqlite:///study.db") == "sqlite:///study.db"
