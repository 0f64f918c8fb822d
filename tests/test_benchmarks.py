import json
from dataclasses import astuple, replace
from pathlib import Path
from typing import Any

import made_studies
import mnist_nearest
import numpy as np
import pandas as pd
import pytest
import scipy.stats
import torch
from ablation import ROWS as ABLATION
from ablation import equal_compute, one_rate
from ablation import table as ablation_table
from ensemble import joint_accuracy, mean_logits_accuracy
from held_out import HELD_OUT, division_without_held_out
from learnt import changes, lengths, values_of_the_good
from made_studies import SETTINGS
from mutations import Mutation, load_mutations
from plain_loop import PlainNet, PlainPairs, plain_epochs
from preparation import dark_on_light, photograph, prepared
from rows import ROWS, Job
from scaling import TERMS, line_through
from search_pays import merge, store
from search_pays_fits import with_images
from search_pays_studies import centres
from search_pays_table import N_EPOCHS, differences, gain_over, has_spread, markdown
from summary import results, table
from time_to_accuracy import first_time, levels

from data.episodes import Dataset, Episodes
from data.paths import PROJECT
from data.preparation import Preparation
from data.splits import split_dataset
from hpo.settings.base_config import base_config
from hpo.settings.sections import DEFAULT_TRIALS
from hpo.settings.study_settings import StudySettings
from model.architecture import ModelConfig
from model.config import (
    REFERENCE_COST,
    Config,
    LayerRates,
)
from model.losses import images_per_epoch
from model.siamese import SiameseNet

SMALL = ModelConfig(filters=(8, 8, 8, 8), units=16)


def test_the_plain_loop_trains_the_same_network_as_ours() -> None:
    theirs, ours = PlainNet(SMALL), SiameseNet(SMALL)
    ours.load_state_dict(theirs.state_dict())
    x1, x2 = torch.rand(2, 5, 1, 35, 35, generator=torch.Generator().manual_seed(0))
    torch.testing.assert_close(theirs(x1, x2), ours(x1, x2))


def test_the_plain_loop_sees_ink_as_one_and_learns_from_its_pairs(packed_105: Dataset) -> None:
    pairs = PlainPairs(split_dataset(packed_105).train, 35, 32)
    x1, x2, same = pairs[1]
    assert x1.shape == x2.shape == (1, 35, 35)
    assert x1.mean() < 0.5 < x1.max()
    assert same == 1.0
    assert pairs[0][2] == 0.0
    net = PlainNet(SMALL)
    before = net.fc1.weight.clone()
    assert next(plain_epochs(net, pairs)) > 0
    assert not torch.equal(net.fc1.weight, before)


@pytest.mark.parametrize("row", list(ROWS))
@pytest.mark.parametrize("size", [35, 105])
def test_every_row_trains_on_the_same_number_of_images(row: str, size: int) -> None:
    run_config = Job(row, size, (8, 8, 8, 8), None, "cpu")
    fit = run_config.config().fit
    assert images_per_epoch(fit) == run_config.n_images


def test_a_level_is_reached_when_the_curve_first_touches_it() -> None:
    curve = [
        {"seconds": 1.0, "validation": 0.4, "official": 0.6},
        {"seconds": 2.0, "validation": 0.5, "official": 0.9},
    ]
    assert [first_time(curve, level) for level in (0.5, 0.6, 0.61, 0.91)] == [1.0, 1.0, 2.0, None]
    table = levels([curve, curve[:1]], curve[:1]).set_index("official accuracy")
    assert table.loc["85%", "fits that reached it"] == "1 of 2"
    assert table.loc["85%", "plain loop, s"] == "not reached"
    assert table.loc["50%", "ours, mean s"] == "1.0"


def test_the_line_through_exact_costs_finds_them() -> None:
    rng = torch.Generator().manual_seed(0)
    x = torch.rand(12, len(TERMS), generator=rng, dtype=torch.float64)
    table = pd.DataFrame(x.numpy(), columns=list(TERMS))
    table["seconds"] = x.numpy() @ [1.0, 2.0, 0.5, 3.0, 0.1]
    found, error = line_through(table)
    assert found.tolist() == pytest.approx([1.0, 2.0, 0.5, 3.0, 0.1])
    assert error == pytest.approx(0, abs=1e-9)


def test_the_cost_model_is_what_was_measured() -> None:
    found = results("scaling")
    line = next(rows for title, rows in found.items() if title.startswith("Median error"))
    measured = {row["term"]: row["ns each"] for row in line}
    ours = dict(zip(TERMS, astuple(REFERENCE_COST), strict=True))
    assert measured == pytest.approx(ours, rel=0.1)


def test_the_page_on_speed_shows_the_committed_results() -> None:
    page = (Path(__file__).parent.parent / "docs/speed.md").read_text()
    assert "\n".join(table()) in page


def leaves(config: Config) -> dict[str, Any]:
    """A configuration's values by their paths, those of the layers' rates by name alone."""
    parts = config.to_dict()
    rates = parts["fit"].pop("rates")
    found = {f"{n}s": tuple(each[n] for each in rates) for n in rates[0]}
    return found | {f"{p}.{n}": v for p, values in parts.items() for n, v in values.items()}


CHANGED: dict[str, set[str]] = {
    "the winner": set(),
    "pairs in place of episodes, no turns, 12 drawers": {"fit.recipe", "fit.turns", "fit.n_pairs"},
    "one global rate, momentum and penalty": {"lrs", "momentums", "l2_penaltys"},
    "no momentum ramp": {"fit.ramp_epochs"},
    "no distortions": {"fit.distort"},
    "no turned alphabets": {"fit.turns"},
    "no averaged weights": {"fit.ema"},
    "twice the characters a step": {"fit.n_characters"},
    "the paper's initial weights": {"model.init"},
    "28 pixels": {"model.image_size", "model.kernels"},
    "52 pixels": {"model.image_size", "model.kernels"},
}


def test_an_ablation_shows_no_accuracy_of_a_fit_that_diverged() -> None:
    rows = ablation_table({"base": [0.5, 0.6], "changed": [0.4, None]}).set_index("")
    assert rows.loc["base", "mean"] == "55.0"
    assert rows.loc["changed"].tolist() == ["1 of 2 diverged", "–", "–"]


@pytest.mark.parametrize("name", ABLATION)
def test_an_ablation_changes_one_thing_and_costs_the_same(name: str) -> None:
    base = base_config(StudySettings())
    rates = tuple(LayerRates(0.01 * i, 0.1 * i, 1e-5 * i) for i in range(1, 7))
    base = replace(base, fit=replace(base.fit, rates=rates))
    config = equal_compute(ABLATION[name](base), base)
    before, after = leaves(base), leaves(config)
    changed = {n for n, v in after.items() if v != before[n]} - {"fit.steps_per_epoch"}
    assert changed == CHANGED[name]
    if config.fit.recipe == "episode":
        steps = config.fit.steps_per_epoch
        assert steps * config.cost == pytest.approx(50 * base.cost, rel=0.5 / steps + 1e-3)


def test_a_simulated_photograph_holds_its_drawing_half_of_them_light(packed_105: Dataset) -> None:
    some = packed_105.drawings.subset(packed_105.drawings.alphabets[:1])
    found = [photograph(some.images_NHW[i], i) for i in range(40)]
    assert np.array_equal(found[3], photograph(some.images_NHW[3], 3))
    light = sum(np.median(image) < 0.5 for image in found)
    assert 10 <= light <= 30
    shown = prepared(some.subset(drawers=range(1)), photograph, Preparation())
    plain = prepared(some.subset(drawers=range(1)), lambda x, _: dark_on_light(x), Preparation())
    ink, expected = shown.images_NHW > 127, plain.images_NHW > 127
    overlap = (ink & expected).sum((1, 2)) / (ink | expected).sum((1, 2))
    assert overlap.median() > 0.5


def test_one_rate_is_the_mean_of_the_layers() -> None:
    base = base_config(StudySettings())
    rates = tuple(LayerRates(lr, 0.2 * i, 0.0) for i, lr in enumerate([0.01, 0.1] * 3))
    shared = one_rate(replace(base, fit=replace(base.fit, rates=rates))).fit.rates
    assert len(set(shared)) == 1
    assert shared[0].lr == pytest.approx(10**-1.5)
    assert shared[0].momentum == pytest.approx(0.5)


def test_the_default_trains_for_as_many_images_as_the_winner() -> None:
    config = base_config(SETTINGS)
    longer = with_images(config, 5 * images_per_epoch(config.fit, 1000), n_characters=1000)
    assert longer.fit.max_epochs == 5
    fewer = with_images(config, 5 * images_per_epoch(config.fit, 10), n_characters=10)
    assert fewer.fit.max_epochs == 5


# What every entry of a study has, whatever a test is about.
SIZE: dict[str, Any] = {"n_trials": DEFAULT_TRIALS, "max_epochs": N_EPOCHS, "trial": 3}


def test_the_gain_of_a_winner_has_a_paired_interval() -> None:
    studies = [
        SIZE
        | {"set": "s", "winner": 0.80 + x, "default": 0.79 + 0.9 * x, "new_default": 0.8}
        | {"default_all_images": 0.9}
        for x in (0.0, 0.01, 0.02)
    ]
    gains = differences(studies).set_index("rival")
    expected = scipy.stats.ttest_rel([0.80, 0.81, 0.82], [0.79, 0.799, 0.808])
    assert gains.loc["default", "p"] == pytest.approx(expected.pvalue / 2)
    low, high = expected.confidence_interval()
    assert gains.loc["default", ["low", "high"]].tolist() == pytest.approx([low, high])
    assert gains.loc["default_all_images", "gain"] == pytest.approx(-0.09)
    assert gains.loc["default_all_images", "worst"] == pytest.approx(-0.10)


def test_the_tables_show_every_study_and_its_gain() -> None:
    study = SIZE | {"set": "s", "seed": 0, "winner": 0.8, "default": 0.79, "minutes": 12.0}
    lines = markdown([study, study | {"seed": 1, "winner": 0.82, "new_default": 0.81}])
    assert "| s | default of 0.5.0 | 2 | +2.00 | -10.71 to +14.71 | +1.00 | 0.1476 |" in lines
    assert "| s | default | 1 | +1.00 | – | +1.00 | – |" in lines
    assert "| s | 0 | 80.0% | 79.0% | – | 3 | 12.0 |" in lines


def test_a_default_that_wins_gains_nothing_over_itself() -> None:
    study = SIZE | {"set": "s", "seed": 0, "winner": 0.8, "is_default": True, "minutes": 12.0}
    fitted = study | {"seed": 1, "new_default": 0.79}
    other = fitted | {"seed": 2, "is_default": False}
    lines = markdown([study, fitted])
    assert "| s | default | 2 | +0.00 | – | +0.00 | – |" in lines
    assert gain_over("new_default", other) == pytest.approx(0.01)
    assert gain_over("default_all_images", other) is None


def test_studies_that_start_from_a_network_are_compared_by_themselves(tmp_path: Path) -> None:
    # Written without start_from.
    old = SIZE | {"set": "s", "seed": 0, "winner": 0.7, "default": 0.6}
    entries = [old | {"start_from": "pretrained"}, old | {"winner": 0.8, "start_from": ""}]
    content: dict[str, Any] = {"studies": [old]}
    store(tmp_path / "results.json", content, entries)
    assert len(content["studies"]) == 2
    gains = {row["studies of"]: row["gain"] for row in content["gains"]}
    assert gains == pytest.approx({"s": 0.2, "s, from pretrained": 0.1})


def test_an_interval_needs_three_studies_whose_default_did_not_win() -> None:
    assert has_spread(pd.Series([0.01, 0.02]))
    assert not has_spread(pd.Series([0.01]))
    assert not has_spread(pd.Series([0.01, 0.01])), "equal gains have no spread"
    assert not has_spread(pd.Series([0.0, 0.0, 0.0, -0.01, 0.02]))
    assert has_spread(pd.Series([0.0, 0.01, -0.01, 0.02]))


def test_a_study_keeps_the_rivals_and_the_machine_of_an_earlier_run(tmp_path: Path) -> None:
    old = SIZE | {"set": "s", "seed": 0, "winner": 0.7, "winner_fits": [0.7], "commit": "a"}
    content: dict[str, Any] = {"studies": [old | {"default": 0.6}]}
    store(tmp_path / "results.json", content, [old | {"new_default": 0.65, "commit": "b"}])
    assert content["studies"] == [old | {"default": 0.6, "new_default": 0.65}]
    other = old | {"winner_fits": [0.8], "commit": "b"}
    store(tmp_path / "results.json", content, [other])
    assert content["studies"] == [other], "another winner was refitted"


def test_merged_results_keep_how_each_process_was_run(tmp_path: Path) -> None:
    study = SIZE | {"set": "s", "seed": 0, "winner": 0.7, "default": 0.6}
    content: dict[str, Any] = {"studies": [study], "provenance": [{"commit": "a"}]}
    other = {"studies": [study | {"seed": 1, "winner": 0.8}], "provenance": [{"commit": "b"}]}
    merge(tmp_path / "results.json", content, other)
    merge(tmp_path / "results.json", content, other)
    written = json.loads((tmp_path / "results.json").read_text())
    assert [each["seed"] for each in written["studies"]] == [0, 1]
    assert written["provenance"] == [{"commit": "a"}, {"commit": "b"}]


def test_a_study_that_begins_at_the_centres_knows_no_default() -> None:
    [start] = centres().starting_points(35)
    assert start["lr"] == pytest.approx(0.03)  # of 0.003 to 0.3, on a logarithmic scale
    assert start["model.conv_norm"] == "none"
    assert not centres().spreads


def test_held_out_alphabets_choose_nothing(packed: Dataset) -> None:
    parts = split_dataset(packed)
    renamed = replace(parts.val, alphabets=(*HELD_OUT, "another"))
    division = division_without_held_out(replace(parts, val=renamed))
    assert (division.val, division.test) == (("another",), HELD_OUT)


def test_the_trials_of_a_length_stand_beside_the_default() -> None:
    study = made_studies.study()
    study.add_trials(
        [
            made_studies.trial("COMPLETE", [0.3, 0.6, 0.5]),
            made_studies.trial("PRUNED", [0.4], seed=1),
            made_studies.trial("PRUNED", [0.2], seed=2),
            made_studies.trial("COMPLETE", [0.4, 0.7, 0.8], seed=3),
            made_studies.trial("FAIL", [0.4, 0.7], seed=4),
        ]
    )
    assert lengths(study).to_numpy().tolist() == [
        [1, 4, "40.0%", "30.0%"],
        [3, 2, "80.0%", "50.0%"],
    ]
    assert changes(study)["trial"].tolist() == ["3", "1", "2"]


def test_the_values_of_the_best_trials_are_summarised() -> None:
    good = pd.DataFrame({"lr": [0.1, 0.2, 0.4], "norm": ["batch", "none", "batch"]})
    rows = values_of_the_good(good.assign(turns=[False, False, True]), ["lr", "norm", "turns"])
    assert rows["median"].tolist() == ["0.2", "batch", "False"]
    assert rows.loc[0, ["lowest", "highest"]].tolist() == ["0.1", "0.4"]


@pytest.mark.parametrize("mutation", load_mutations(), ids=lambda mutation: mutation.name)
def test_a_mutation_changes_a_line_that_exists(mutation: Mutation) -> None:
    text = (PROJECT / mutation.file).read_text(encoding="utf-8")
    assert mutation.applied_to(text) != text
    assert all((PROJECT / f"tests/test_{name}.py").exists() for name in mutation.tests)


def test_the_nearest_neighbour_of_mnist_is_found() -> None:
    generator = torch.Generator().manual_seed(0)
    digits = torch.arange(100) % 10
    episodes = mnist_nearest.sample_episodes(digits, 1000, generator)
    query, support, digit = episodes
    assert torch.equal(digits[query], digit)
    assert torch.equal(digits[support], torch.arange(10).expand(1000, 10))
    one_hot = torch.eye(10)[digits]
    noise = torch.rand(100, 10, generator=generator)
    for name, distance in mnist_nearest.DISTANCES.items():
        assert mnist_nearest.accuracy(one_hot, distance, episodes) == 1, name
        assert mnist_nearest.accuracy(noise, distance, episodes) < 0.5, name


def test_joint_answers_use_each_character_once() -> None:
    logits = torch.tensor([[[3.0, 2.0], [2.5, 0.0]]])  # both queries prefer the first character
    targets = torch.tensor([[1, 0]])
    episodes = Episodes(torch.zeros_like(targets), torch.zeros_like(targets), targets)
    assert mean_logits_accuracy([logits], episodes) == 0.5
    assert joint_accuracy([logits], episodes) == 1.0
    assert joint_accuracy([logits, logits.flip(2) * 3], episodes) == 0.0
