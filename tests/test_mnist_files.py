"""The files of MNIST's test set; the tests write small ones."""

import gzip
import hashlib
import sys
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest

from data import mnist
from data.errors import InputError

N_IMAGES = 60


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """60 digits in the order 9, 8, …, 0; the pixels of a digit have ten times its value."""
    labels = np.tile(np.arange(10, dtype=np.uint8)[::-1], 6)
    pixels = (10 * labels).repeat(28 * 28)
    (tmp_path / "raw").mkdir()
    for constant, header, values in (("IMAGES_FILE", 16, pixels), ("LABELS_FILE", 8, labels)):
        content = gzip.compress(bytes(header) + values.tobytes())
        name = getattr(mnist, constant)[0]
        (tmp_path / "raw" / name).write_bytes(content)
        md5 = hashlib.md5(content, usedforsecurity=False).hexdigest()
        monkeypatch.setattr(mnist, constant, (name, header, md5))
    monkeypatch.setattr(mnist, "N_IMAGES", N_IMAGES)
    return tmp_path


def test_digits_are_sorted_and_resized(folder: Path) -> None:
    digits = mnist.load_mnist(35, folder)
    assert digits.images_NHW.shape == (N_IMAGES, 35, 35)
    assert digits.images_NHW[:, 17, 17].tolist() == [10 * d for d in range(10) for _ in range(6)]
    assert digits.count_C.tolist() == [6] * 10
    assert digits.drawer_N.tolist() == [*range(6)] * 10
    episodes = mnist.mnist_episodes(digits)
    assert len(episodes) == episodes.n_distinct == 240, "of six images per digit"


def test_a_truncated_file_is_refused_by_name(folder: Path) -> None:
    path = folder / "raw" / mnist.LABELS_FILE[0]
    path.write_bytes(path.read_bytes()[:-1])
    with pytest.raises(InputError, match=mnist.LABELS_FILE[0]):
        mnist.load_mnist(35, folder)


@pytest.mark.parametrize("is_online", [True, False])
def test_missing_files_are_downloaded_to_var(
    is_online: bool, in_tmp: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    roots: list[str] = []

    def download(root: str, *, train: bool, download: bool) -> None:
        roots.append(root)
        if not is_online:
            raise RuntimeError("no network")

    monkeypatch.delenv("MNIST_ROOT", raising=False)
    monkeypatch.setitem(sys.modules, "torchvision.datasets", SimpleNamespace(MNIST=download))
    if is_online:
        assert mnist.find_mnist_folder() == Path("var/MNIST/raw")
    else:
        with pytest.raises(InputError, match="MNIST_ROOT"):
            mnist.find_mnist_folder()
    assert roots == ["var"]
