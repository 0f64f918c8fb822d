"""A retraining's report shows the values of its result."""

import base64
import json
import re
from dataclasses import replace
from typing import Any

import numpy as np
import pandas as pd
import pytest
import retrained

from data.episodes import Dataset
from data.splits import Split, split_dataset
from hpo.cli.retrain_output import result_table
from hpo.refit.result import RetrainResult, SeedResult
from hpo.report import html_page, style
from hpo.report.html_page import Page, Section, render_page
from hpo.report.retraining import accuracy_plots, frames
from hpo.report.retraining.images import format_similarity
from hpo.report.retraining.page import (
    error_sections,
    result_headline,
    retrain_page,
    table_2_with_ours,
)
from model.architecture import DenseConfig
from model.config import Config, FitConfig, LayerRates
from model.metrics import REPORTED_WAYS, NetworkEvaluation
from model.summary import MeanSd, format_mean, mean_and_sd

Tables = tuple[pd.DataFrame, pd.DataFrame]


@pytest.fixture(scope="module")
def evaluations(parts: Split) -> dict[int, NetworkEvaluation]:
    return {seed: retrained.evaluation(parts, seed) for seed in (1, 2)}


@pytest.fixture(scope="module")
def result(parts: Split, evaluations: dict[int, NetworkEvaluation]) -> RetrainResult:
    return retrained.result(parts, evaluations)


@pytest.fixture(scope="module")
def full_size(packed_105: Dataset) -> Split:
    return split_dataset(packed_105)


@pytest.fixture(scope="module")
def tables(evaluations: dict[int, NetworkEvaluation]) -> Tables:
    """The content of predictions.csv and confusions.csv."""
    predictions = [e.predictions.assign(seed=seed) for seed, e in evaluations.items()]
    return pd.concat(predictions), pd.concat([e.confusions for e in evaluations.values()])


@pytest.fixture(scope="module")
def page(
    result: RetrainResult,
    evaluations: dict[int, NetworkEvaluation],
    tables: Tables,
    full_size: Split,
) -> Page:
    return retrain_page(result, *tables, evaluations[1].filters_NHW, full_size)


def section(page: Page, title: str) -> Section:
    return next(section for section in page.sections if section.title.startswith(title))


def traces(page: Page, title: str) -> list[dict[str, Any]]:
    """The traces of a section's figure, with the arrays that plotly encodes decoded."""
    [figure] = section(page, title).figures
    return [
        {name: decode(value) for name, value in trace.items()}
        for trace in json.loads(figure.to_json())["data"]
    ]


def decode(value: Any) -> Any:
    if isinstance(value, dict) and "bdata" in value:
        array = np.frombuffer(base64.b64decode(value["bdata"]), value["dtype"])
        shape = [int(n) for n in value["shape"].split(",")] if "shape" in value else [-1]
        return array.reshape(shape).tolist()
    return value


def named(page: Page, title: str, name: str) -> dict[str, Any]:
    return next(trace for trace in traces(page, title) if trace.get("name") == name)


def test_the_page_is_one_file_with_the_headline(
    page: Page, result: RetrainResult, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(html_page, "get_plotlyjs", lambda: "")
    text = render_page(page)
    assert result_headline(result).startswith(format_mean(result.summary.official))
    assert result_headline(result) in text
    assert page.title == "One-shot test of s, trial 3"
    assert "glyph episodes" in result_headline(result), "glyphs have no official episodes"
    assert any("glyphs" in paragraph for paragraph in page.lead)
    assert "Table 2" not in text
    titles = [section.title for section in page.sections]
    assert len(titles) == len(set(titles))


def test_the_table_has_all_metrics_of_every_fit(page: Page, result: RetrainResult) -> None:
    table = section(page, "Accuracy").table
    columns = [list(column) for column in zip(*table, strict=True)]
    for column, seed in zip(columns[3:-1], result.seeds, strict=True):
        metrics, verification = seed.metrics, seed.metrics.verification
        assert verification is not None
        expected = [
            metrics.official.accuracy,
            metrics.averaged.official,
            *(metrics.random_episodes[n] for n in REPORTED_WAYS),
            verification.test_accuracy,
            metrics.validation_accuracy,
            metrics.averaged.validation_accuracy,
        ]
        assert column == [f"seed {seed.seed}", *(f"{value:.1%}" for value in expected)]
    assert columns[1][1] == format_mean(result.summary.official)
    assert columns[2][1] == frames.interval_text(result, "official") != columns[2][2]
    assert columns[1][-2] == format_mean(result.summary.validation)
    baseline = f"{result.baseline.official.accuracy:.1%}"
    assert columns[-1][1:] == [baseline, "–", "60.0%", "40.0%", *"–––––"[:4], "20.0%", "–"]


def test_the_fits_that_chose_the_winner_have_a_row_and_are_in_nothing_else(
    parts: Split,
    page: Page,
    result: RetrainResult,
    evaluations: dict[int, NetworkEvaluation],
    tables: Tables,
    full_size: Split,
) -> None:
    metrics = [retrained.evaluation(parts, seed).metrics for seed in (8, 9)]
    chosen = [SeedResult(1000 + i, retrained.fit_record(1), m) for i, m in enumerate(metrics)]
    with_chosen = replace(result, chosen=chosen)
    new = retrain_page(with_chosen, *tables, evaluations[1].filters_NHW, full_size)
    *others, row = section(new, "Accuracy").table
    assert others == section(page, "Accuracy").table
    mean = format_mean(mean_and_sd([m.official.accuracy for m in metrics]))
    name = "fits that chose the winner (2), glyph episodes"
    assert row == [name, mean, *["–"] * (len(others[0]) - 2)]
    own = section(new, "Fits that chose the winner")
    assert own.table[0] == ["", "fits that chose the winner (2)", "seed 1000", "seed 1001"]
    assert own.table[3] == ["validation episodes", "48.5 ± 0.7 %", "48.0%", "49.0%"]
    assert "48.5%, is too high on average" in own.note
    assert new.headline == page.headline
    same = [replace(s, table=[]) for s in new.sections if s.title != own.title]
    assert [s.title for s in same] == [s.title for s in page.sections]
    for old, other in zip(page.sections, same, strict=True):
        assert [f.to_json() for f in old.figures] == [f.to_json() for f in other.figures]
        assert old.pictures == other.pictures


def test_the_n_way_curve_is_that_of_the_random_episodes(page: Page, result: RetrainResult) -> None:
    curve = named(page, "N-way", "random episodes, mean")
    expected = {n: mean.mean for n, mean in result.summary.random_episodes.items()}
    assert dict(zip(curve["x"], curve["y"], strict=True)) == pytest.approx(expected)
    band = named(page, "N-way", "lowest to highest fit")
    lowest = [min(s.metrics.random_episodes[n] for s in result.seeds) for n in expected]
    assert band["y"] == pytest.approx(lowest)
    official = named(page, "N-way", "ours, test")
    assert (official["x"], official["y"]) == ([20], [result.summary.official.mean])


def test_bars_show_the_alphabets_of_both_parts(page: Page, result: RetrainResult) -> None:
    bars = traces(page, "Accuracy by alphabet")
    assert len(bars) == 2 * len(REPORTED_WAYS)
    for i, n in enumerate(REPORTED_WAYS):
        for bar, part in zip(bars[2 * i : 2 * i + 2], ("test", "val"), strict=True):
            expected = {a: ways[n] for a, ways in result.summary.by_alphabet[part].items()}
            assert dict(zip(bar["y"], bar["x"], strict=True)) == pytest.approx(expected)


def test_runs_roc_curves_and_training_are_those_of_the_result(
    page: Page, result: RetrainResult
) -> None:
    [runs] = traces(page, "Accuracy by block")
    expected = result.summary.official_per_lake_run
    assert dict(zip(runs["x"], runs["y"], strict=True)) == pytest.approx(expected)
    roc = named(page, "Verification", "seed 2")
    assert (roc["x"], roc["y"]) == ([0, 0.125, 1], [0, 0.5, 1])
    threshold = named(page, "Verification", "threshold chosen on validation")
    assert (threshold["x"], threshold["y"]) == ([0.3], [0.6])
    fits = frames.fit_frame(result)
    assert fits.dropna().to_numpy().tolist() == [[1, 1, 1.0, 0.1], [2, 1, 0.5, 0.2]]
    assert len(traces(page, "Training")) == 4


def test_errors_are_sorted_by_margin_and_counted_over_the_fits() -> None:
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
    errors = frames.error_frame(predictions, {1: 0.0})
    assert errors[["lake_run", "item", "answer", "n_wrong", "n_fits"]].to_numpy().tolist() == [
        [2, 1, 5, 1, 2],
        [1, 1, 4, 2, 2],
    ]
    assert errors["p_correct"].tolist() == pytest.approx([1 / (1 + np.e), 0.5])


def test_every_error_has_a_picture_up_to_a_limit(
    page: Page,
    result: RetrainResult,
    tables: Tables,
    full_size: Split,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    predictions, confusions = tables
    wrong = predictions[predictions["character"] != predictions["answer"]]
    n_wrong = len(wrong.drop_duplicates(["lake_run", "item"]))
    errors = section(page, "All glyph errors")
    assert errors.note.startswith(f"{n_wrong} of 80 episodes")
    assert len(errors.pictures) == n_wrong
    assert all(re.search("wrong in [12] of 2 fits", p.caption) for p in errors.pictures)
    monkeypatch.setattr("hpo.report.retraining.page.MAX_ERRORS", 5)
    largest = error_sections(result, predictions, confusions, full_size)[0]
    assert largest.title == "The largest glyph errors"
    assert largest.pictures == errors.pictures[:5]


def test_confusions_are_fractions_of_a_character_s_episodes(page: Page) -> None:
    rows = [("A", 0, 0, 6), ("A", 0, 1, 2), ("A", 1, 1, 1), ("A", 1, 0, 3), ("B", 0, 1, 1)]
    frame = pd.DataFrame(rows, columns=["alphabet", "character", "answer", "count"])
    top = frames.top_confusions(pd.concat([frame, frame]), n=2)
    assert top[["alphabet", "character", "answer", "share"]].to_numpy().tolist() == [
        ["B", 0, 1, 1.0],
        ["A", 1, 0, 0.75],
    ]
    matrices = frames.confusion_matrices(frame)
    assert matrices["A"].tolist() == [[0.75, 0.25], [0.75, 0.25]]
    [picture] = section(page, "Most frequent confusions").pictures
    assert [label for label, _ in picture.images] == ["character 2", "answered as 3"]
    assert "100.0%" in picture.caption
    assert len(traces(page, "Confusions by alphabet")) == 2


@pytest.mark.parametrize(("mean", "place"), [(0.99, 1), (0.93, 3), (0.1, 10)])
def test_table_2_has_our_row_at_its_rank(mean: float, place: int) -> None:
    rows = table_2_with_ours(MeanSd(mean, 0.01))
    assert rows[place] == ["ours", format_mean(MeanSd(mean, 0.01))]
    assert len(rows) == 11


def test_only_omniglot_is_compared_with_the_paper_and_humans(
    result: RetrainResult, tables: Tables, full_size: Split
) -> None:
    page = retrain_page(replace(result, data="omniglot"), *tables, None, full_size)
    assert named(page, "N-way", "paper, official")["y"] == [0.92]
    assert named(page, "N-way", "humans, official")["y"] == [0.955]
    assert section(page, "Table 2 of the paper").table
    assert section(page, "Accuracy by official run")
    assert "Lake's official 80 episodes" in page.headline
    assert len(page.lead) == 1


def test_random_episodes_are_not_called_official(
    result: RetrainResult, tables: Tables, full_size: Split
) -> None:
    other = replace(result, data="omniglot", is_official=False)
    page = retrain_page(other, *tables, None, full_size)
    assert "of 80 random test episodes" in page.headline
    assert "no number can be compared with the paper" in page.lead[1]
    assert not any(each.title.startswith("Table 2") for each in page.sections)
    assert "92.0 %" not in result_table(other)


def test_own_images_have_groups_and_classes(
    result: RetrainResult, tables: Tables, full_size: Split
) -> None:
    page = retrain_page(replace(result, data="signs+class"), *tables, None, full_size)
    assert section(page, "Accuracy by group")
    assert section(page, "Confusions by group")
    assert section(page, "Most frequent confusions").pictures[0].images[0][0] == "class 2"
    text = render_page(replace(page, sections=[replace(s, figures=[]) for s in page.sections]))
    assert "character of the query" in text, "as the paper's Figure 1 calls it"
    assert "alphabet" not in section(page, "N-way").note
    assert "within-group, 5-way" in text


def test_a_saved_network_has_a_report(parts: Split, full_size: Split) -> None:
    evaluation = retrained.evaluation(parts, 1, val_is_held_out=False)
    config = Config(
        DenseConfig(35, 16, 8), FitConfig("episode", (LayerRates(0.1, 0.9, 0.0),) * 3, 8, 50)
    )
    seeds = [SeedResult(1, None, evaluation.metrics)]
    result = retrained.result(parts, {1: evaluation}, origin=None, seeds=seeds, config=config)
    predictions = evaluation.predictions.assign(seed=1)
    page = retrain_page(result, predictions, evaluation.confusions, None, full_size)
    assert page.title == "One-shot test of a saved network"
    assert "(1 fit)" in page.headline
    assert "also trained on the validation alphabets" in page.lead[0]
    for title in ("Training", "Verification"):
        assert section(page, title).figures[0].layout.annotations, "why there is no plot"
    facts = section(page, "What was run").facts
    assert "hidden 16" in facts["network"]
    assert "study" not in facts
    assert facts["command"] == "retrain_best.py --data-root=omniglot", "no folders"
    assert "First-layer filters" not in [section.title for section in page.sections]
    assert len(section(page, "Accuracy").table) == 3 + len(REPORTED_WAYS)


@pytest.mark.parametrize(
    ("p", "text"), [(0.5, "50.0%"), (0.0005, "0.1%"), (3e-7, "3e-7"), (1e-40, "<1e-30")]
)
def test_small_similarities_are_powers_of_ten(p: float, text: str) -> None:
    assert format_similarity(p) == text


@pytest.mark.parametrize("n_groups", [1, 2, 10, 40])
def test_the_legend_is_above_the_titles_of_the_subplots(n_groups: int) -> None:
    rows = [
        (f"test/group {i}", "test", n_way, 0.5, 0.4, 0.6)
        for i in range(n_groups)
        for n_way in (2, 5)
    ]
    columns = ["alphabet", "part", "n_way", "mean", "lowest", "highest"]
    layout = accuracy_plots.alphabet_plot(pd.DataFrame(rows, columns=columns)).layout
    plot_height = layout.height - layout.margin.t - layout.margin.b
    title_height = 25  # pixels, font size 16 and padding
    assert (layout.legend.y - 1) * plot_height > title_height
    assert layout.margin.t > (layout.legend.y - 1) * plot_height + title_height


def test_labels_of_long_names_are_short_and_different() -> None:
    names = ["a & b", "<b>", "x" * 300, "x" * 299 + "y", "x" * 200]
    labels = style.axis_labels(names)
    assert [labels[name] for name in names[:2]] == ["a &amp; b", "&lt;b&gt;"]
    assert len(set(labels.values())) == len(names)
    assert max(map(len, labels.values())) <= 45
