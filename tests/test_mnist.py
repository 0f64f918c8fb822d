"""MNIST and the episodes of the paper's Table 3."""

import os
from pathlib import Path

import pytest
import torch

from data.drawings import Drawings
from data.errors import InputError
from data.mnist import IMAGES_FILE, LABELS_FILE, find_mnist_folder, load_mnist, mnist_episodes
from model.evaluate import correctness


@pytest.fixture(scope="module")
def digits_root() -> Path:
    if "MNIST_ROOT" not in os.environ:  # without it, the test would download MNIST
        pytest.skip("set MNIST_ROOT to test on the real MNIST")
    return find_mnist_folder()


@pytest.fixture(scope="module")
def digits(digits_root: Path) -> Drawings:
    return load_mnist(35, digits_root)


def test_mnist_is_ink_on_paper_sorted_by_digit(digits: Drawings) -> None:
    assert digits.images_NHW.shape == (10_000, 35, 35)
    assert digits.count_C.tolist() == [980, 1135, 1032, 1010, 982, 892, 958, 1028, 974, 1009]
    corners = digits.images_NHW[:, :3, :3].float().mean()
    assert corners < 1 < digits.images_NHW.float().mean()


def test_the_400_mnist_episodes_are_fixed_and_contain_every_digit_once(digits: Drawings) -> None:
    episodes, again = mnist_episodes(digits), mnist_episodes(digits)
    assert len(episodes) == 400
    assert torch.equal(episodes.query_RQ, again.query_RQ)
    all_digits = torch.arange(10).expand(40, 10)
    assert torch.equal(digits.character_N[episodes.query_RQ].sort(1).values, all_digits)
    assert torch.equal(digits.character_N[episodes.support_RS].sort(1).values, all_digits)
    correct = episodes.support_RS.gather(1, episodes.target_RQ)
    assert torch.equal(digits.character_N[episodes.query_RQ], digits.character_N[correct])
    assert not (episodes.query_RQ == correct).any(), "a query is not in its support set"
    oracle = torch.nn.functional.one_hot(episodes.target_RQ, 10).float()
    assert correctness(oracle, episodes.target_RQ).mean() == 1


def test_missing_or_truncated_mnist_is_an_input_error(tmp_path: Path, digits_root: Path) -> None:
    with pytest.raises(InputError, match="MNIST_ROOT"):
        load_mnist(35, tmp_path)
    for name, *_ in (IMAGES_FILE, LABELS_FILE):
        (tmp_path / name).write_bytes((digits_root / name).read_bytes()[:1000])
    with pytest.raises(InputError, match=r"ubyte\.gz.*Delete it"):
        load_mnist(35, tmp_path)
