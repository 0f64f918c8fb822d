import zipfile
from pathlib import Path
from urllib.error import URLError

import pytest
import torch

from data import cache, files, load
from data.episodes import Dataset
from data.errors import InputError


def test_a_cache_round_trip_changes_nothing(packed: Dataset, tmp_path: Path) -> None:
    cache.save_packed(tmp_path / "x.npz", packed, "source")
    again = cache.load_packed(tmp_path / "x.npz", "source")
    assert again is not None
    assert again.drawings.digest == packed.drawings.digest
    assert again.drawings.alphabets == packed.drawings.alphabets
    for name in ("images_NHW", "alphabet_N", "character_N", "drawer_N"):
        assert torch.equal(getattr(again.drawings, name), getattr(packed.drawings, name))
    assert torch.equal(again.official.target_RQ, packed.official.target_RQ)


def test_a_cache_of_another_source_or_a_torn_one_is_made_anew(
    packed: Dataset, tmp_path: Path
) -> None:
    path = tmp_path / "x.npz"
    cache.save_packed(path, packed, "source")
    assert cache.load_packed(path, "another") is None
    path.write_bytes(path.read_bytes()[:10_000])
    assert cache.load_packed(path, "source") is None
    assert cache.load_packed(tmp_path / "absent.npz", "source") is None


def test_a_failed_write_leaves_the_old_file_and_no_other(tmp_path: Path) -> None:
    path = tmp_path / "x"
    path.write_text("old")

    def fail(temporary: Path) -> None:
        temporary.write_text("half")
        raise OSError(28, "No space left on device")

    with pytest.raises(InputError, match=r"cannot be written.*No space left.*Free space"):
        files.write_atomically(path, fail)
    assert path.read_text() == "old"
    assert list(tmp_path.iterdir()) == [path]


def test_area_resampling_is_the_mean_of_3_by_3(packed_105: Dataset) -> None:
    small = cache.resize_drawings(packed_105.drawings, 35).images_NHW
    blocks = packed_105.drawings.images_NHW[:50].float().unfold(1, 3, 3).unfold(2, 3, 3)
    torch.testing.assert_close(small[:50].float(), blocks.mean((-1, -2)), atol=0.51, rtol=0)


def test_a_data_root_that_does_not_exist_is_named(
    in_tmp: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with pytest.raises(InputError, match=r"--data-root must be a folder, but nowhere is none"):
        load.find_data_root(Path("nowhere"))
    monkeypatch.setenv("OMNIGLOT_ROOT", "elsewhere")
    with pytest.raises(InputError, match="OMNIGLOT_ROOT must be a folder, but elsewhere"):
        load.find_data_root(None)


def test_without_data_and_network_the_glyphs_are_used_with_one_warning(
    in_tmp: Path, monkeypatch: pytest.MonkeyPatch, packed_105: Dataset
) -> None:
    def offline(*args: object, **kwargs: object) -> None:
        raise URLError("no route to host")

    monkeypatch.setattr("torchvision.datasets.utils.download_url", offline)
    monkeypatch.setattr("data.glyphs.make_glyphs", lambda: packed_105)
    with pytest.warns(UserWarning, match=r"no route to host.*--data-root.*built-in glyphs"):
        packed = load.load_dataset("omniglot", image_size=35)
    assert packed.drawings.name == "glyphs"


def test_what_was_trained_on_omniglot_is_offered_nothing_else(
    in_tmp: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(root: Path) -> None:
        raise InputError("no network")

    monkeypatch.setattr(load, "download_omniglot", refuse)
    with pytest.raises(InputError, match="no network"):
        load.load_dataset("omniglot", or_glyphs=False)


def test_a_data_set_that_is_there_in_part_is_no_reason_to_use_another(
    in_tmp: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def offline(*args: object, **kwargs: object) -> None:
        raise URLError("no route to host")

    monkeypatch.setattr("torchvision.datasets.utils.download_url", offline)
    (in_tmp / "var").mkdir()
    with zipfile.ZipFile(in_tmp / "var" / "images_background.zip", "w") as archive:
        archive.writestr("images_background/notes.txt", "nothing")
    with pytest.raises(InputError, match="No drawing of Omniglot lies under var"):
        load.load_dataset("omniglot")


def test_only_what_is_missing_is_downloaded(in_tmp: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    fetched: list[str] = []

    def fetch(url: str, folder: str, md5: str) -> None:
        fetched.append(Path(url).name)
        (Path(folder) / Path(url).name).write_bytes(b"zip")

    monkeypatch.setattr("torchvision.datasets.utils.download_url", fetch)
    (in_tmp / "var" / "images_background").mkdir(parents=True)
    load.download_omniglot(in_tmp / "var")
    assert fetched == ["images_evaluation.zip", "all_runs.zip"]
    assert not load.missing_parts(in_tmp / "var")


def test_a_named_root_without_omniglot_is_an_error_not_a_fallback(in_tmp: Path) -> None:
    (in_tmp / "empty").mkdir()
    with pytest.raises(InputError, match="No drawing of Omniglot lies under empty"):
        load.load_dataset("omniglot", Path("empty"))
