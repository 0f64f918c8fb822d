import pandas as pd
import pytest
import torch

from data.splits import Split
from model.architecture import ModelConfig
from model.evaluate import one_shot_accuracy
from model.n_way import N_BLOCKS, n_way_accuracies, n_way_episodes, roc_curve
from model.siamese import SiameseNet
from model.test_metrics import REPORTED_WAYS, evaluate_network


def net() -> SiameseNet:
    generator = torch.Generator().manual_seed(0)
    return SiameseNet(ModelConfig(filters=(8, 8, 8, 8), units=16), generator=generator).eval()


def test_the_survey_is_the_accuracy_on_the_same_episodes(parts: Split) -> None:
    frame, _ = n_way_accuracies(net(), parts.test)
    for n_way in REPORTED_WAYS:
        rows = frame[frame["n_way"] == n_way]
        assert rows["alphabet"].tolist() == list(parts.test.alphabets)
        expected = one_shot_accuracy(net(), parts.test, n_way_episodes(parts.test, n_way))
        assert rows["accuracy"].mean() == pytest.approx(expected, abs=1e-9)
    assert sorted(frame["n_way"].unique()) == list(range(2, 21))


def test_confusions_count_every_20_way_episode_once(parts: Split) -> None:
    frame, confusions = n_way_accuracies(net(), parts.test)
    assert confusions["count"].sum() == len(parts.test.alphabets) * N_BLOCKS * 20
    right = confusions[confusions["character"] == confusions["answer"]]["count"].sum()
    expected = frame[frame["n_way"] == 20]["accuracy"].mean()
    assert right / confusions["count"].sum() == pytest.approx(expected, abs=0.005)
    assert confusions["character"].max() < parts.test.count_A.max()


def test_a_small_alphabet_leaves_out_what_it_cannot(parts: Split) -> None:
    few = parts.test.only()
    keep = few.character_N % 20 < 6
    small = type(few)(
        few.name,
        few.digest,
        few.alphabets,
        few.images_NHW[keep],
        few.alphabet_N[keep],
        few.character_N[keep].unique(return_inverse=True)[1],
        few.drawer_N[keep],
    )
    frame, confusions = n_way_accuracies(net(), small)
    widest = int(small.count_A.min())
    assert frame["n_way"].max() == widest
    assert confusions["count"].sum() == len(small.alphabets) * N_BLOCKS * widest


def test_roc_of_a_known_ranking() -> None:
    curve = roc_curve(torch.tensor([3.0, 2.0, 1.0, 0.0]), torch.tensor([True, False, True, False]))
    assert curve == {"false": [0, 0, 0.5, 0.5, 1], "true": [0, 0.5, 0.5, 1, 1]}
    tied = roc_curve(torch.zeros(100), torch.arange(100) < 50)
    assert tied == {"false": [0.0, 1.0], "true": [0.0, 1.0]}, "no threshold tells them apart"
    thin = roc_curve(torch.randn(5000), torch.rand(5000) < 0.5, n_points=50)
    assert len(thin["true"]) == 51
    assert thin["true"][-1] == thin["false"][-1] == 1


def test_the_chosen_threshold_lies_on_the_roc_curve(parts: Split) -> None:
    found = evaluate_network(net(), parts).figures["verification"]
    chosen = found["chosen"]
    assert found["test_accuracy"] == pytest.approx((chosen["true"] + 1 - chosen["false"]) / 2)
    below = [
        t
        for f, t in zip(found["roc"]["false"], found["roc"]["true"], strict=True)
        if f <= chosen["false"]
    ]
    above = [
        t
        for f, t in zip(found["roc"]["false"], found["roc"]["true"], strict=True)
        if f >= chosen["false"]
    ]
    assert max(below) - 1e-9 <= chosen["true"] <= max(above)


def test_alphabets_that_were_trained_on_are_left_out(parts: Split) -> None:
    score = evaluate_network(net(), parts, val_is_held_out=False)
    assert list(score.figures["by_alphabet"]) == ["test"]
    assert set(score.confusions["alphabet"]) == set(parts.test.alphabets)
    assert isinstance(score.confusions, pd.DataFrame)
