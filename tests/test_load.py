import json
import re
import sys
import zipfile
from pathlib import Path
from types import SimpleNamespace
from urllib.error import URLError

import numpy as np
import pytest
import torch

from data import cache, files, load
from data.archive import ARCHIVES, OMNIGLOT_URL, archive_url
from data.episodes import Dataset
from data.errors import InputError
from data.glyphs import make_glyphs

TENSORS = ("images_NHW", "alphabet_N", "character_N", "drawer_N")


@pytest.fixture(scope="module")
def few_glyphs() -> Dataset:
    """Glyphs of 105 pixels, so few that a cache of them is written quickly."""
    return make_glyphs(n_alphabets={"train": 1, "val": 1, "test": 1}, n_characters=2)


@pytest.fixture
def torchvision(monkeypatch: pytest.MonkeyPatch) -> SimpleNamespace:
    """A stand-in for torchvision, which takes seconds to import, without an internet connection."""

    def fail(*args: object, **kwargs: object) -> None:
        raise URLError("no route to host")

    md5s = {"images_background": "1", "images_evaluation": "2", "images_background_small1": "3"}
    omniglot = SimpleNamespace(zips_md5=md5s)
    utils = SimpleNamespace(download_url=fail)
    monkeypatch.setitem(sys.modules, "torchvision.datasets", SimpleNamespace(Omniglot=omniglot))
    monkeypatch.setitem(sys.modules, "torchvision.datasets.utils", utils)
    return utils


def test_a_cached_data_set_is_equal(few_glyphs: Dataset, tmp_path: Path) -> None:
    cache.write_cache(tmp_path / "x.npz", few_glyphs, "source")
    again = cache.read_cache(tmp_path / "x.npz", "source")
    assert again is not None
    assert again.drawings.digest == few_glyphs.drawings.digest
    assert again.drawings.alphabets == few_glyphs.drawings.alphabets
    for name in TENSORS:
        assert torch.equal(getattr(again.drawings, name), getattr(few_glyphs.drawings, name))
    assert torch.equal(again.official.target_RQ, few_glyphs.official.target_RQ)


def test_a_missing_truncated_or_outdated_cache_is_ignored(
    few_glyphs: Dataset, tmp_path: Path
) -> None:
    path = tmp_path / "x.npz"
    assert cache.read_cache(path, "source") is None
    cache.write_cache(path, few_glyphs, "source")
    assert cache.read_cache(path, "another") is None
    assert cache.read_cache(path) is not None
    path.write_bytes(path.read_bytes()[:10_000])
    assert cache.read_cache(path, "source") is None
    with path.open("wb") as file:
        np.savez(file, header=json.dumps({"format": cache.CACHE_FORMAT, "source": "source"}))
    assert cache.read_cache(path, "source") is None, "without tensors"


def test_the_cache_is_used_until_the_source_changes(
    in_tmp: Path, monkeypatch: pytest.MonkeyPatch, few_glyphs: Dataset
) -> None:
    reads: list[Path] = []

    def read(root: Path) -> Dataset:
        reads.append(root)
        return few_glyphs

    monkeypatch.setattr("data.omniglot.read_omniglot", read)
    (in_tmp / "images_background").mkdir()
    (in_tmp / "images_background/a.png").write_bytes(b"1")
    first, again = (load.load_dataset("omniglot", in_tmp, 21) for _ in range(2))
    assert torch.equal(first.drawings.images_NHW, again.drawings.images_NHW)
    load.load_dataset("omniglot", in_tmp, 35)  # resized from the cached 105 pixels
    assert reads == [in_tmp]
    (in_tmp / "images_background/a.png").write_bytes(b"another size")
    load.load_dataset("omniglot", in_tmp, 21)
    assert reads == [in_tmp] * 2


def test_a_failed_write_leaves_the_old_file_and_no_other(tmp_path: Path) -> None:
    path = tmp_path / "x"
    path.write_text("old")

    def fail(temporary: Path) -> None:
        temporary.write_text("half")
        raise OSError(28, "No space left on device")

    with pytest.raises(InputError, match=r"x cannot be written.*No space left"):
        files.write_atomically(path, fail)
    assert path.read_text() == "old"
    assert list(tmp_path.iterdir()) == [path]


def test_a_folder_is_not_overwritten_by_a_file(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=re.escape(str(tmp_path))):
        files.write_atomically(tmp_path, lambda path: path.write_text("x"))
    assert tmp_path.is_dir()


def test_a_folder_that_cannot_be_created_is_refused_by_name(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("x")
    with pytest.raises(InputError, match="file/folder"):
        files.make_folder(tmp_path / "file/folder")
    files.make_folder(tmp_path / "a/b")
    assert (tmp_path / "a/b").is_dir()


def test_area_resampling_is_the_mean_of_3_by_3() -> None:
    images = torch.randint(0, 256, (4, 105, 105), generator=torch.Generator().manual_seed(0))
    resized = cache.resize_images(images.to(torch.uint8), 35)
    means = images.float().unfold(1, 3, 3).unfold(2, 3, 3).mean((-1, -2))
    torch.testing.assert_close(resized.float(), means, atol=0.51, rtol=0)
    colours = images.to(torch.uint8).view(1, 4, 105, 105)[:, :3]
    np.testing.assert_array_equal(cache.resize_images(colours, 35)[0], resized[:3])


def test_a_missing_data_root_is_refused_by_its_option(
    in_tmp: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with pytest.raises(InputError, match=r"--data-root .*nowhere"):
        load.find_data_root(Path("nowhere"))
    monkeypatch.setenv("OMNIGLOT_ROOT", "elsewhere")
    with pytest.raises(InputError, match=r"OMNIGLOT_ROOT .*elsewhere"):
        load.find_data_root(None)


@pytest.mark.usefixtures("torchvision")
def test_without_data_and_network_the_glyphs_are_loaded_with_one_warning(
    in_tmp: Path, monkeypatch: pytest.MonkeyPatch, few_glyphs: Dataset
) -> None:
    monkeypatch.setattr("data.glyphs.make_glyphs", lambda: few_glyphs)
    with pytest.warns(
        UserWarning, match=r"no route to host.*--data-root.*built-in glyphs"
    ) as record:
        dataset = load.load_dataset("omniglot", image_size=35)
    assert len(record) == 1
    assert dataset.drawings.name == "glyphs"
    assert dataset.drawings.image_size == 35


@pytest.mark.usefixtures("torchvision")
def test_the_glyphs_do_not_replace_omniglot_where_they_are_not_allowed(in_tmp: Path) -> None:
    with pytest.raises(InputError, match="--data-root"):
        load.load_dataset("omniglot", or_glyphs=False)


@pytest.mark.usefixtures("torchvision")
def test_the_glyphs_do_not_replace_an_incomplete_omniglot(in_tmp: Path) -> None:
    (in_tmp / "var").mkdir()
    with zipfile.ZipFile(in_tmp / "var" / "images_background.zip", "w") as archive:
        archive.writestr("images_background/notes.txt", "nothing")
    with pytest.raises(InputError, match=r"could not be downloaded .* under var"):
        load.load_dataset("omniglot")


def test_only_missing_archives_are_downloaded(in_tmp: Path, torchvision: SimpleNamespace) -> None:
    downloads: list[tuple[str, str]] = []

    def download(url: str, folder: str, md5: str) -> None:
        downloads.append((url, md5))
        (Path(folder) / Path(url).name).write_bytes(b"zip")

    torchvision.download_url = download
    (in_tmp / "var" / "images_background").mkdir(parents=True)
    load.download_omniglot(in_tmp / "var")
    assert downloads == [
        (archive_url("images_evaluation"), "2"),
        (archive_url("all_runs"), load.ALL_RUNS_MD5),
    ]
    assert not load.missing_archives(in_tmp / "var")


@pytest.mark.slow  # imports torchvision
def test_torchvision_has_the_address_and_md5_of_the_archives() -> None:
    from torchvision.datasets import Omniglot

    assert {*ARCHIVES} - {"all_runs"} <= Omniglot.zips_md5.keys()
    assert Omniglot.download_url_prefix == OMNIGLOT_URL


def test_a_given_data_root_without_omniglot_is_refused(in_tmp: Path) -> None:
    (in_tmp / "empty").mkdir()
    with pytest.raises(InputError, match=r"empty .*--data-root"):
        load.load_dataset("omniglot", Path("empty"))
