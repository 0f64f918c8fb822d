"""Baselines without a convolutional network, and MNIST: the paper's figures where it has them."""

import os
from dataclasses import replace
from pathlib import Path

import pytest
import torch

from data.episodes import Dataset
from data.errors import InputError
from data.mnist import IMAGES, LABELS, find_folder, load_mnist, mnist_episodes
from data.splits import Split, split_dataset
from hpo.paper.tables import SCALES, episode_recipe, paper_recipe
from model.architecture import DenseConfig
from model.config import Config
from model.evaluate import averaged_logits, correctness, episode_logits
from model.hausdorff import hausdorff_scores, ink_points, modified_hausdorff
from model.siamese import DenseNet, SiameseNet, build_net
from model.test_metrics import scorer_accuracy


def test_the_modified_hausdorff_distance_of_a_known_case() -> None:
    line = torch.tensor([[0.0, 0.0], [0.0, 1.0], [0.0, 2.0]])
    point = torch.tensor([[0.0, 0.0]])
    # From the point to the line 0; from the line to the point (0 + 1 + 2) / 3.
    expected = torch.tensor([1.0, 0.0])
    torch.testing.assert_close(modified_hausdorff(point, [line, point]), expected)


def test_a_shifted_drawing_is_as_near_as_the_drawing_itself() -> None:
    image = torch.zeros(20, 20, dtype=torch.uint8)
    image[3:9, 4] = 255
    points = ink_points(image)
    moved = ink_points(image.roll((5, 6), dims=(0, 1)))
    torch.testing.assert_close(modified_hausdorff(points, [moved]), torch.zeros(1))


@pytest.mark.omniglot
def test_lakes_demonstration_errs_on_155_of_400_episodes(omniglot_105: Dataset) -> None:
    parts = split_dataset(omniglot_105)
    errors = 400 * (1 - scorer_accuracy(hausdorff_scores, parts.test, parts.official))
    assert errors == pytest.approx(155), "38.75 %, which he and the paper round to 38.8"


def test_the_net_without_convolutions_has_two_layers_before_its_head() -> None:
    net = build_net(DenseConfig(35, 64, 32), generator=torch.Generator().manual_seed(0))
    assert isinstance(net, DenseNet)
    assert [name for name, _ in net.named_children()] == ["fc1", "fc2", "head"]
    n_weights = 35 * 35 * 64 + 64 + 64 * 32 + 32 + 32 + 1
    assert sum(p.numel() for p in net.parameters()) == n_weights
    h = net.embed(torch.rand(5, 1, 35, 35))
    assert h.shape == (5, 32)
    assert ((h > 0) & (h < 1)).all()


def test_a_configuration_of_either_kind_survives_json() -> None:
    for dense in (False, True):
        config = episode_recipe(SCALES["smoke"], dense=dense)
        assert Config.from_dict(config.to_dict()) == config
        assert isinstance(build_net(config.model), DenseNet if dense else SiameseNet)


def test_a_rate_is_needed_for_each_layer() -> None:
    config = episode_recipe(SCALES["smoke"], dense=True)
    with pytest.raises(InputError, match=r"one rate per layer.*the value is 2"):
        replace(config, fit=replace(config.fit, rates=config.fit.rates[:2]))


def test_table_1_trains_on_the_papers_pairs_and_sees_as_many_of_them() -> None:
    scale = SCALES["reduced"]
    for n_pairs in scale.pairs:
        fit = paper_recipe(scale, n_pairs, distort=True).fit
        assert fit.n_pairs * fit.max_epochs == pytest.approx(scale.visits, rel=0.11)
    full = paper_recipe(SCALES["full"], 150_000, distort=True)
    assert (full.fit.max_epochs, full.fit.patience, full.model.image_size) == (200, 20, 105)
    assert full.conv.filters == (64, 128, 128, 256)


def test_averaging_over_copies_of_no_distortion_changes_nothing(
    parts: Split, monkeypatch: pytest.MonkeyPatch
) -> None:
    net = build_net(episode_recipe(SCALES["smoke"]).model, generator=torch.Generator())
    plain = episode_logits(net, parts.test, parts.official)
    distorted = averaged_logits(net, parts.test, parts.official, n_copies=2)
    assert not torch.allclose(distorted, plain, atol=1e-4)
    monkeypatch.setattr("model.evaluate.distort", lambda x, _: x)
    same = averaged_logits(net, parts.test, parts.official, n_copies=2)
    torch.testing.assert_close(same, plain, atol=1e-4, rtol=1e-4)


@pytest.fixture(scope="module")
def digits_root(tmp_path_factory: pytest.TempPathFactory) -> Path:
    if "MNIST_ROOT" not in os.environ:  # lest a test download it
        pytest.skip("set MNIST_ROOT to test on the real MNIST")
    return find_folder()


def test_mnist_is_ink_on_paper_sorted_by_digit(digits_root: Path) -> None:
    digits = load_mnist(35, digits_root)
    assert digits.images_NHW.shape == (10_000, 35, 35)
    assert digits.count_C.tolist() == [980, 1135, 1032, 1010, 982, 892, 958, 1028, 974, 1009]
    corners = digits.images_NHW[:, :3, :3].float().mean()
    assert corners < 1 < digits.images_NHW.float().mean()


def test_the_400_mnist_episodes_are_fixed_and_ask_every_digit_once(digits_root: Path) -> None:
    digits = load_mnist(35, digits_root)
    first, again = mnist_episodes(digits), mnist_episodes(digits)
    assert len(first) == 400
    assert torch.equal(first.query_RQ, again.query_RQ)
    everyone = torch.arange(10).expand(40, 10)
    assert torch.equal(digits.character_N[first.query_RQ].sort(1).values, everyone)
    assert torch.equal(digits.character_N[first.support_RS].sort(1).values, everyone)
    right = first.support_RS.gather(1, first.target_RQ)
    assert torch.equal(digits.character_N[first.query_RQ], digits.character_N[right])
    assert not (first.query_RQ == right).any(), "no drawing is asked among itself"
    oracle = torch.nn.functional.one_hot(first.target_RQ, 10).float()
    assert correctness(oracle, first.target_RQ).mean() == 1


def test_torn_or_missing_mnist_is_named(tmp_path: Path, digits_root: Path) -> None:
    with pytest.raises(InputError, match=r"must lie under .*MNIST_ROOT"):
        load_mnist(35, tmp_path)
    for name, *_ in (IMAGES, LABELS):
        (tmp_path / name).write_bytes((digits_root / name).read_bytes()[:1000])
    with pytest.raises(InputError, match=r"ubyte\.gz is torn or not MNIST's. Delete it"):
        load_mnist(35, tmp_path)
