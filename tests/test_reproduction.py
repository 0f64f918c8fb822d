"""The tables at the smallest scale, the reference study, the log of official evaluations."""

import json
import os
import sqlite3
from contextlib import closing
from dataclasses import replace
from pathlib import Path
from typing import Any

import optuna
import pytest
import torch
from made import mixed

from data import cache
from data.drawings import FULL_SIZE
from data.episodes import Dataset
from data.errors import InputError
from data.splits import split_dataset
from hpo.dashboard import server
from hpo.paper import reproduction
from hpo.paper.reproduction import ReproductionRequest, reproduce, row_cells
from hpo.paper.tables import SCALES, TABLES, TableRow, paper_recipe_config
from hpo.refit.retrain import TEST_LOG, log_test_evaluation
from hpo.study import open
from hpo.study.open import artifact_folder, storage_or_reference
from hpo.study.storage import open_storage
from model.device import ComputeConfig
from model.network_cache import NetworkCache

SMOKE = replace(SCALES["smoke"], pairs=(64, 64, 128), visits=128)


def read_official() -> list[dict[str, Any]]:
    return (
        [json.loads(line) for line in TEST_LOG.read_text().splitlines()]
        if TEST_LOG.exists()
        else []
    )


@pytest.fixture
def asked(
    in_tmp: Path, packed_105: Dataset, monkeypatch: pytest.MonkeyPatch
) -> ReproductionRequest:
    def glyphs(name: str, root: Path | None, size: int) -> Dataset:
        if size == FULL_SIZE:
            return packed_105
        return Dataset(cache.resize_drawings(packed_105.drawings, size), packed_105.official)

    monkeypatch.setattr(reproduction, "load_dataset", glyphs)
    compute = ComputeConfig(torch.device("cpu"))
    return ReproductionRequest(SMOKE, None, compute, in_tmp / "out", in_tmp / "networks")


def test_tables_one_and_two_stand_beside_the_paper_and_are_kept(
    asked: ReproductionRequest, capsys: pytest.CaptureFixture[str]
) -> None:
    reproduce(asked, 1)
    reproduce(asked, 2)
    printed = capsys.readouterr().out
    for expected in ("scale smoke", "90.6%", "92.0%", "58.3%", "21.7%", "61.2%", "built-in glyphs"):
        assert expected in printed
    first, second = (json.loads((asked.out / f"table-{n}-smoke.json").read_text()) for n in (1, 2))
    assert [len(row["ours"]) for row in first["rows"]] == [1] * 6
    assert all(0 < row["ours"][0] < 1 for row in first["rows"])
    by_name = {row["name"]: row for row in second["rows"]}
    assert by_name["humans"]["ours"] == [], "cited"
    assert by_name["siamese net without convolutions"]["paper"] == 0.583
    assert 0 <= by_name["siamese net without convolutions"]["mean"] <= 1
    log = read_official()
    looked = {f"reproduce.py, scale smoke, {r['name']}": r["ours"] for r in second["rows"]}
    assert {entry["what"] for entry in log} == {what for what, ours in looked.items() if ours}


def test_a_table_that_is_made_again_finds_its_networks(
    asked: ReproductionRequest, monkeypatch: pytest.MonkeyPatch
) -> None:
    reproduce(asked, 1)
    monkeypatch.setattr("model.network_cache.fit", lambda *_, **__: pytest.fail("fitted again"))
    before = json.loads((asked.out / "table-1-smoke.json").read_text())["rows"]
    reproduce(asked, 1)
    assert json.loads((asked.out / "table-1-smoke.json").read_text())["rows"] == before
    assert not list(asked.var.glob("*.fit.pt"))


def test_networks_of_another_precision_or_data_set_are_fitted_anew(
    asked: ReproductionRequest, packed: Dataset
) -> None:
    parts = split_dataset(packed)
    config = paper_recipe_config(SMOKE, 64, distort=False)
    ours = NetworkCache(parts, asked.compute, asked.var)
    ours.network(config, 1)
    replace(ours, compute=replace(asked.compute, precision="bfloat16")).network(config, 1)
    others = replace(parts, train=replace(parts.train, digest="another"))
    replace(ours, parts=others).network(config, 1)
    assert len(list(asked.var.iterdir())) == 3


def test_a_fit_that_died_enters_no_table(asked: ReproductionRequest, packed: Dataset) -> None:
    config = paper_recipe_config(SMOKE, 64, distort=False)
    wild = tuple(replace(rates, lr=1e30) for rates in config.fit.rates)
    config = replace(config, fit=replace(config.fit, rates=wild))
    with pytest.raises(InputError, match="seed 1, died: non-finite loss"):
        NetworkCache(split_dataset(packed), asked.compute, asked.var).network(config, 1)


@pytest.mark.skipif("MNIST_ROOT" not in os.environ, reason="set MNIST_ROOT to test on MNIST")
def test_table_three_asks_networks_that_never_saw_a_digit(
    asked: ReproductionRequest, capsys: pytest.CaptureFixture[str]
) -> None:
    reproduce(asked, 3)
    assert "70.3%" in capsys.readouterr().out
    rows = json.loads((asked.out / "table-3-smoke.json").read_text())["rows"]
    assert {row["n"] for row in rows} == {400}
    nearest = next(row for row in rows if row["name"] == "1-NN on pixels, cosine")
    assert nearest["paper"] == 0.265
    assert nearest["mean"] == pytest.approx(0.47), "deterministic"


def test_what_was_not_run_says_so() -> None:
    assert row_cells(TableRow("x", 0.5))[2] == "not run"
    assert row_cells(TableRow("x", 0.5, note="cited"))[2] == "–"
    assert row_cells(TableRow("x", 0.5, [0.25, 0.75], 400)) == (
        "x",
        "50.0%",
        "50.0 ± 35.4 % (2)",
        "45.1%–54.9%",
        "",
    )
    assert set(TABLES) == {1, 2, 3}


def test_every_look_at_the_official_episodes_is_a_line(in_tmp: Path) -> None:
    assert read_official() == []
    log_test_evaluation("a", [0.5])
    log_test_evaluation("b", [0.25, 0.75])
    assert [(e["what"], e["accuracies"]) for e in read_official()] == [
        ("a", [0.5]),
        ("b", [0.25, 0.75]),
    ]
    assert TEST_LOG.exists()
    with pytest.raises(InputError, match="cannot be written"):
        log_test_evaluation("c", [], in_tmp)


@pytest.fixture
def given(in_tmp: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A reference study elsewhere, and no study here."""
    folder = in_tmp / "repository"
    folder.mkdir()
    path = folder / "study.db"
    with closing(open_storage(f"sqlite:///{path}")) as storage:
        mixed("given", storage)
    with closing(sqlite3.connect(path)) as database:  # so that who reads it writes no files
        database.execute("PRAGMA journal_mode=DELETE")
    monkeypatch.setattr(open, "REFERENCE_STUDY", path)
    return path


def test_without_a_study_the_reference_is_shown_and_left_as_it_is(
    given: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    before = given.read_bytes()
    server.print_status("sqlite:///study.db", None)
    printed = capsys.readouterr().out
    assert "no study.db here yet: this is the reference study" in printed
    assert "given" in printed
    assert given.read_bytes() == before
    assert [path.name for path in given.parent.iterdir()] == ["study.db"]
    assert not Path("study.db").exists()
    with pytest.raises(InputError, match="the reference study is read-only"):
        storage_or_reference("sqlite:///study.db", allow_edits=True)


def test_ones_own_study_and_other_addresses_go_first(given: Path) -> None:
    assert storage_or_reference("sqlite:///other.db") == "sqlite:///other.db"
    assert artifact_folder("sqlite:///other.db") == Path("var/artifacts")
    assert artifact_folder(f"sqlite:///{given}") == given.parent / "artifacts"
    assert storage_or_reference("sqlite:///study.db") == f"sqlite:///{given}"
    optuna.create_study(storage="sqlite:///study.db", study_name="mine")
    assert storage_or_reference("sqlite:///study.db") == "sqlite:///study.db"
