"""What a retraining's report shows equals result.json."""

import base64
import json
import re
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
import torch

from data.episodes import Dataset
from data.splits import Split, split_dataset
from hpo.cli.retrain import write_results
from hpo.refit.result import format_mean
from hpo.refit.retrain import with_seed
from hpo.report import html_page
from hpo.report.retraining import frames
from hpo.report.retraining.page import result_headline, table_2_with_ours
from model.architecture import DenseConfig, ModelConfig
from model.config import Config, FitConfig, LayerRates
from model.device import ComputeConfig
from model.provenance import provenance
from model.siamese import SiameseNet, build_net
from model.test_metrics import REPORTED_WAYS, evaluate_network

MODEL = ModelConfig(filters=(8, 8, 8, 8), units=16)
Shown = tuple[dict[str, Any], str, list[list[dict[str, Any]]]]


def decoded(value: Any) -> Any:
    """A figure's values, which plotly may keep as base64."""
    if isinstance(value, dict) and "bdata" in value:
        array = np.frombuffer(base64.b64decode(value["bdata"]), value["dtype"])
        shape = [int(n) for n in value["shape"].split(",")] if "shape" in value else [-1]
        return array.reshape(shape).tolist()
    return value


@pytest.fixture(scope="module")
def shown(parts: Split, packed_105: Dataset, tmp_path_factory: pytest.TempPathFactory) -> Shown:
    """A retraining's result, and its page's text and figures."""
    folder, scores = tmp_path_factory.mktemp("out"), []
    for seed in (1, 2):
        net = SiameseNet(MODEL, generator=torch.Generator().manual_seed(seed)).eval()
        score = evaluate_network(net, parts)
        history = [{"epoch": 1, "loss": 1.0 / seed, "accuracy": 0.1 * seed}]
        figures = score.figures | {"history": history, "seconds": 10.0 * seed}
        scores.append(with_seed(replace(score, figures=figures), seed))
    fit = FitConfig("episode", (LayerRates(0.1, 0.9, 0.0),) * 6, 8, 50)
    about = {"config": Config(MODEL, fit).to_dict(), "study": "s", "trial": 3, "study_value": 0.5}
    about |= {"train_on": "train", "provenance": provenance(ComputeConfig(torch.device("cpu")))}
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(html_page, "get_plotlyjs", lambda: "")
        result = write_results(folder, scores, parts, split_dataset(packed_105), about)
    text = (folder / "report.html").read_text()
    drawn = re.findall(r"Plotly\.newPlot\(\s*\"figure-\d+\",\s*(\[.*?\]),\s*\{", text, re.DOTALL)
    assert json.loads((folder / "result.json").read_text())["summary"] == result["summary"]
    return result, text, [json.loads(figure) for figure in drawn]


def test_a_network_without_convolutions_has_a_report_too(
    parts: Split, packed_105: Dataset, tmp_path: Path
) -> None:
    net = build_net(DenseConfig(35, 16, 8), generator=torch.Generator().manual_seed(0)).eval()
    score = with_seed(evaluate_network(net, parts), 1)
    fit = FitConfig("episode", (LayerRates(0.1, 0.9, 0.0),) * 3, 8, 50)
    about = {"config": Config(DenseConfig(35, 16, 8), fit).to_dict()}
    about["provenance"] = provenance(ComputeConfig(torch.device("cpu")))
    write_results(tmp_path, [score], parts, split_dataset(packed_105), about)
    text = (tmp_path / "report.html").read_text()
    assert "hidden 16" in text
    assert "First-layer filters" not in text


def trace(shown: Shown, name: str) -> dict[str, Any]:
    return next(t for figure in shown[2] for t in figure if t.get("name") == name)


def test_the_headline_is_the_summary_s(shown: Shown) -> None:
    result, text, _ = shown
    assert result_headline(result).startswith(format_mean(result["summary"]["official"]))
    assert result_headline(result) in text
    assert "glyph" in result_headline(result), "no official figure of glyphs"
    assert "Table 2" not in text


def test_the_table_holds_every_fit_s_figures(shown: Shown) -> None:
    result, text, _ = shown
    for seed in result["seeds"]:
        for figure in (
            seed["official"]["accuracy"],
            seed["verification"]["test_accuracy"],
            seed["validation_accuracy"],
            *(seed["random_episodes"][str(n)] for n in REPORTED_WAYS),
        ):
            assert f"<td>{figure:.1%}</td>" in text
    for figure in (result["summary"]["verification"], result["summary"]["validation"]):
        assert f"<td>{format_mean(figure)}</td>" in text


def test_the_n_way_curve_is_the_random_episodes(shown: Shown) -> None:
    found = trace(shown, "random within-alphabet episodes, mean")
    expected = shown[0]["summary"]["random_episodes"]
    assert dict(zip(map(str, decoded(found["x"])), decoded(found["y"]), strict=True)) == (
        pytest.approx({n: each["mean"] for n, each in expected.items()})
    )
    assert len(expected) == 19
    official = trace(shown, "ours, test")
    assert decoded(official["y"]) == [shown[0]["summary"]["official"]["mean"]]


def test_bars_are_the_alphabets_of_both_parts(shown: Shown) -> None:
    by_alphabet = shown[0]["summary"]["by_alphabet"]
    assert set(by_alphabet) == {"test", "val"}
    bars = [t for figure in shown[2] for t in figure if t.get("orientation") == "h"]
    assert len(bars) == 2 * len(REPORTED_WAYS)
    for i, n in enumerate(REPORTED_WAYS):
        for bar, part in zip(bars[2 * i : 2 * i + 2], ("test", "val"), strict=True):
            found = dict(zip(bar["y"], decoded(bar["x"]), strict=True))
            assert found == pytest.approx({a: w[str(n)] for a, w in by_alphabet[part].items()})


def test_official_runs_and_roc_and_training_are_the_result_s(shown: Shown) -> None:
    result, _, figures = shown
    runs = next(t for f in figures for t in f if "run01" in t.get("x", []))
    expected = result["summary"]["official_per_lake_run"]
    assert dict(zip(runs["x"], decoded(runs["y"]), strict=True)) == pytest.approx(expected)
    roc = next(t for f in figures for t in f if t.get("name") == "seed 2")
    assert decoded(roc["y"]) == pytest.approx(result["seeds"][1]["verification"]["roc"]["true"])
    fits = frames.fit_frame(result)
    assert fits[["seed", "epoch", "loss", "accuracy"]].to_numpy().tolist() == [
        [1, 1, 1.0, 0.1],
        [2, 1, 0.5, 0.2],
    ]


def test_every_error_is_pictured_once_and_sorted(shown: Shown) -> None:
    predictions = pd.DataFrame(
        {
            "lake_run": [1, 1, 2, 1],
            "item": [1, 2, 1, 1],
            "character": [0, 1, 2, 0],
            "answer": [3, 1, 5, 4],
            "logit_right": [0.0, 1.0, -1.0, 0.0],
            "logit_answer": [1.0, 1.0, 3.0, 2.0],
            "seed": [1, 1, 1, 2],
        }
    )
    found = frames.error_frame(predictions, {1: 0.0})
    assert found[["lake_run", "item", "answer", "n_wrong", "n_fits"]].to_numpy().tolist() == [
        [2, 1, 5, 1, 2],
        [1, 1, 4, 2, 2],
    ]
    assert found["p_right"].tolist() == pytest.approx([1 / (1 + np.e), 0.5])
    n_pictures = len(re.findall("wrong in [12] of 2 fits", shown[1]))
    n_errors = int(re.findall(r"(\d+) of \d+ episodes were", shown[1])[0])
    assert n_pictures == min(n_errors, 120) > 0


def test_confusions_are_shares_of_a_character_s_episodes() -> None:
    rows = [("A", 0, 0, 6), ("A", 0, 1, 2), ("A", 1, 1, 1), ("A", 1, 0, 3), ("B", 0, 1, 1)]
    frame = pd.DataFrame(rows, columns=["alphabet", "character", "answer", "count"])
    top = frames.top_confusions(pd.concat([frame, frame]), n=2)
    assert top[["alphabet", "character", "answer", "share"]].to_numpy().tolist() == [
        ["B", 0, 1, 1.0],
        ["A", 1, 0, 0.75],
    ]


@pytest.mark.parametrize(("mean", "place"), [(0.99, 1), (0.93, 3), (0.1, 10)])
def test_our_row_stands_where_it_belongs(mean: float, place: int) -> None:
    rows = table_2_with_ours({"summary": {"official": {"mean": mean, "sd": 0.01}}})
    assert rows[place] == ["ours", format_mean({"mean": mean, "sd": 0.01})]
    assert len(rows) == 11


def test_a_network_alone_has_a_report_too(
    parts: Split, packed_105: Dataset, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(html_page, "get_plotlyjs", lambda: "")
    net = SiameseNet(MODEL, generator=torch.Generator().manual_seed(1)).eval()
    score = with_seed(evaluate_network(net, parts, val_is_held_out=False), 1)
    config = Config(MODEL, FitConfig("episode", (LayerRates(0.1, 0.9, 0.0),) * 6, 8, 50))
    about = {
        "config": config.to_dict(),
        "provenance": provenance(ComputeConfig(torch.device("cpu"))),
    }
    write_results(tmp_path, [score], parts, split_dataset(packed_105), about)
    text = (tmp_path / "report.html").read_text()
    assert "a saved network" in text
    assert "does not know how it was trained" in text
    assert "no threshold could be chosen" in text
