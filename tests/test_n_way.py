"""N-way accuracies by alphabet, and confusions."""

import pandas as pd
import pytest
import torch

from data.drawings import Drawings
from data.splits import Split
from model.architecture import ModelConfig
from model.evaluate import one_shot_accuracy
from model.n_way import N_BLOCKS, n_way_accuracies, n_way_episodes
from model.siamese import SiameseNet


@pytest.fixture(scope="module")
def net() -> SiameseNet:
    config = ModelConfig(image_size=20, filters=(8, 8, 8, 8), kernels=(4, 3, 2, 1), units=16)
    return SiameseNet(config, generator=torch.Generator().manual_seed(0)).eval()


@pytest.fixture(scope="module")
def frames(net: SiameseNet, parts_20: Split) -> tuple[pd.DataFrame, pd.DataFrame]:
    return n_way_accuracies(net, parts_20.test)


def test_the_accuracies_are_those_of_the_episodes(
    net: SiameseNet, frames: tuple[pd.DataFrame, pd.DataFrame], parts_20: Split
) -> None:
    accuracies, _ = frames
    for n_way in (2, 20):
        rows = accuracies[accuracies["n_way"] == n_way]
        assert rows["alphabet"].tolist() == list(parts_20.test.alphabets)
        expected = one_shot_accuracy(net, parts_20.test, n_way_episodes(parts_20.test, n_way))
        assert rows["accuracy"].mean() == pytest.approx(expected, abs=1e-9)
    assert sorted(accuracies["n_way"].unique()) == list(range(2, 21))


def test_confusions_count_every_20_way_episode_once(
    frames: tuple[pd.DataFrame, pd.DataFrame], parts_20: Split
) -> None:
    accuracies, confusions = frames
    assert confusions["count"].sum() == len(n_way_episodes(parts_20.test, 20))
    n_correct = confusions[confusions["character"] == confusions["answer"]]["count"].sum()
    expected = accuracies[accuracies["n_way"] == 20]["accuracy"].mean()
    assert n_correct / confusions["count"].sum() == pytest.approx(expected, abs=0.005)
    assert confusions["character"].max() < parts_20.test.count_A.max()


def test_the_smallest_alphabet_limits_the_ways(net: SiameseNet, parts_20: Split) -> None:
    test = parts_20.test
    keep = test.character_N % 20 < 6
    small = Drawings(
        test.name,
        test.digest,
        test.alphabets,
        test.images_NHW[keep],
        test.alphabet_N[keep],
        test.character_N[keep].unique(return_inverse=True)[1],
        test.drawer_N[keep],
    )
    accuracies, confusions = n_way_accuracies(net, small)
    smallest = int(small.count_A.min())
    assert accuracies["n_way"].max() == smallest
    n_episodes = n_way_episodes(small, smallest).n_distinct
    assert confusions["count"].sum() == n_episodes < len(small.alphabets) * N_BLOCKS * smallest
