"""Folders of a user's own images as data sets."""

import shutil
import zipfile
from pathlib import Path
from unicodedata import normalize

import pytest
import torch
from PIL import Image
from shapes import write_image_folder

from data.episodes import Dataset, dense_validation
from data.errors import InputError
from data.folder_split import part_from_name, split_by_hash
from data.image_folder import ImageFolder, inspect_folder, parse_dataset_name, read_image_folder
from data.labels import alphabet_label, character_label, data_caveat, episodes_label
from data.load import image_folder_name, load_dataset, resolve_dataset_name
from data.splits import split_dataset


def read(root: Path, split_by: str | None = None, image_size: int = 28) -> Dataset:
    return read_image_folder(root, inspect_folder(root, split_by, False), image_size)


def test_groups_are_split_if_there_are_enough(tmp_path: Path) -> None:
    root = write_image_folder(tmp_path / "shapes", [*"abcde"], n_classes=4, n_images=3)
    assert resolve_dataset_name("omniglot", root, None, False) == "shapes"
    parts = split_dataset(read(root))
    assert [len(p.alphabets) for p in (parts.train, parts.val, parts.test)] == [3, 1, 1]
    assert all(name.startswith("train/") for name in parts.train.alphabets)
    assert parts.train.n_characters == 12
    assert parts.train.images_NHW.shape == (36, 28, 28)
    assert parts.official.n_way == 4
    assert len(parts.official) == parts.official.n_distinct == 24, "4 classes of 3 images"
    assert dense_validation(parts.val).n_way == 4


def test_classes_are_split_if_groups_are_few_or_absent(in_tmp: Path) -> None:
    root = write_image_folder(in_tmp / "shapes", [""], n_images=3)
    name = resolve_dataset_name("omniglot", root, None, False)
    assert name == "shapes+class"
    parts = split_dataset(load_dataset(name, root, 28))
    assert [p.n_characters for p in (parts.train, parts.val, parts.test)] == [6, 2, 2]
    assert parts.train.alphabets == ("train",)


def test_a_cached_folder_is_equal_and_its_digest_does_not_depend_on_the_size(
    in_tmp: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    root = write_image_folder(in_tmp / "shapes", [""], n_images=2)
    first, large = (load_dataset("shapes+class", root, size).drawings for size in (28, 40))
    assert large.digest == first.digest
    assert large.image_size == 40
    monkeypatch.setattr("data.load.read_image_folder", lambda *_: pytest.fail("not from the cache"))
    again = load_dataset("shapes+class", root, 28).drawings
    assert torch.equal(again.images_NHW, first.images_NHW)


def test_groups_named_after_parts_are_assigned_to_them(tmp_path: Path) -> None:
    groups = ["train1", "train2", "validation_a", "test_a"]
    parts = split_dataset(read(write_image_folder(tmp_path / "mine", groups, n_classes=3)))
    assert parts.train.alphabets == ("train/train1", "train/train2")
    assert parts.val.alphabets == ("val/validation_a",)
    assert parts.test.alphabets == ("test/test_a",)


@pytest.mark.parametrize("groups", [("train", "val", "test"), ("Training", "valid", "testing")])
def test_a_class_in_two_parts_is_refused(groups: tuple[str, ...], tmp_path: Path) -> None:
    root = write_image_folder(tmp_path / "mine", [*groups], n_classes=3, n_images=2)
    with pytest.raises(InputError, match="'corners03' is in more than one"):
        read(root)


def test_an_incomplete_set_of_part_names_is_refused(tmp_path: Path) -> None:
    root = write_image_folder(tmp_path / "mine", ["train", "test"], n_classes=3, n_images=2)
    with pytest.raises(InputError, match=r"are test, train\..*--split-by class"):
        read(root)


def test_only_names_of_parts_say_a_part() -> None:
    names = {"train": "train", "Test_2": "test", "validation": "val", "training.a": "train"}
    others = dict.fromkeys(("trainers", "valley", "testudo", ""))
    assert {name: part_from_name(name) for name in (names | others)} == names | others


def test_classes_may_have_different_numbers_of_images(tmp_path: Path) -> None:
    root = write_image_folder(tmp_path / "shapes", [""], n_images=12)
    for file in sorted((root / "corners03").iterdir())[2:]:
        file.unlink()
    for c in range(4, 13):
        for i in range(c % 3):
            (root / f"corners{c:02}/{i + 1}.png").unlink()
    parts = split_dataset(read(root, image_size=20))
    for drawings in (parts.val, parts.test):
        episodes = dense_validation(drawings)
        assert len(episodes) == episodes.n_distinct > 1000
        correct = episodes.support_RS.gather(1, episodes.target_RQ)
        assert (drawings.character_N[episodes.query_RQ] == drawings.character_N[correct]).all()
        assert (episodes.query_RQ != correct).all()
        used = torch.cat([episodes.query_RQ.flatten(), episodes.support_RS.flatten()]).unique()
        assert len(used) == len(drawings)


def test_another_zip_in_the_folder_does_not_make_it_omniglot(tmp_path: Path) -> None:
    root = write_image_folder(tmp_path / "shapes", [""], n_images=2)
    with zipfile.ZipFile(root / "shapes.zip", "w") as archive:
        archive.writestr("readme.txt", "shapes")
    assert resolve_dataset_name("omniglot", root, None, True) == "shapes+class+colour"
    assert image_folder_name(root) == "shapes"


def test_a_folder_of_omniglot_is_not_an_image_folder(tmp_path: Path) -> None:
    (tmp_path / "images_background").mkdir()
    assert resolve_dataset_name("omniglot", tmp_path, None, False) == "omniglot"
    assert image_folder_name(tmp_path) is None
    assert image_folder_name(None) is None


def test_the_split_depends_only_on_the_set_of_names() -> None:
    names = [f"n{i}" for i in range(20)]
    parts = split_by_hash(names, 1)
    assert parts == split_by_hash(names[::-1], 1)
    assert [list(parts.values()).count(p) for p in ("train", "val", "test")] == [12, 4, 4]


def test_grey_images_are_ink_on_paper_and_colours_are_kept(tmp_path: Path) -> None:
    root = write_image_folder(tmp_path / "shapes", [""], n_images=2)
    grey = read_image_folder(root, ImageFolder("shapes", True, False), 32).drawings.images_NHW
    assert grey.shape == (20, 32, 32)
    assert grey[:, 0, 0].max() == 0  # white paper
    assert grey[:, 16, 16].min() > 80
    colour = read_image_folder(root, ImageFolder("shapes", True, True), 32).drawings.images_NHW
    assert colour.shape == (20, 3, 32, 32)
    assert (colour[:, 0, 16, 16] > colour[:, 2, 16, 16]).all()  # more red than blue


def test_the_name_of_a_data_set_holds_how_it_is_read() -> None:
    for folder in (ImageFolder("x", a, b) for a in (True, False) for b in (True, False)):
        assert parse_dataset_name(folder.name) == folder
        assert folder.channels == (3 if folder.colour else 1)
    assert [parse_dataset_name(name) for name in ("omniglot", "glyphs", "mnist")] == [None] * 3


@pytest.mark.parametrize(
    ("data", "label", "caveat"),
    [("omniglot", "official", ""), ("glyphs", "glyph", "glyphs"), ("a+class", "test", "'a+class'")],
)
def test_results_are_labelled_by_their_data(data: str, label: str, caveat: str) -> None:
    assert episodes_label(data) == label
    assert caveat in data_caveat(data)
    assert bool(data_caveat(data)) == bool(caveat)
    words = ("group", "class") if label == "test" else ("alphabet", "character")
    assert (alphabet_label(data), character_label(data)) == words


def test_an_image_folder_may_be_called_omniglot(tmp_path: Path) -> None:
    root = write_image_folder(tmp_path / "omniglot", [""], n_images=2)
    assert inspect_folder(root, None, False).name == "omniglot-images+class"


@pytest.mark.parametrize(
    ("groups", "n_classes", "n_images", "split_by", "message"),
    [
        ([""], 10, 1, None, "at least two images"),
        ([""], 5, 2, None, r"at least 2, .* only 5 .*--split-by"),
        (["a", "b"], 4, 2, "group", r"at least 1, .* only 2 .*--split-by"),
        (["a", "b", "c"], 1, 2, None, r"at least two classes.*--split-by"),
    ],
)
def test_too_few_groups_classes_or_images_are_refused(
    groups: list[str],
    n_classes: int,
    n_images: int,
    split_by: str | None,
    message: str,
    tmp_path: Path,
) -> None:
    root = write_image_folder(tmp_path / "x", groups, n_classes, n_images)
    with pytest.raises(InputError, match=message):
        read(root, split_by)


def test_a_folder_without_classes_is_refused(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="must contain images"):
        resolve_dataset_name("omniglot", tmp_path, None, False)
    Image.new("L", (9, 9)).save(tmp_path / "loose.png")
    with pytest.raises(InputError, match=r"loose\.png"):
        resolve_dataset_name("omniglot", tmp_path, None, False)


@pytest.mark.parametrize("groups", [[""], ["g1", "g2", "g3"]])
def test_a_folder_that_holds_images_and_folders_is_refused(
    groups: list[str], tmp_path: Path
) -> None:
    root = write_image_folder(tmp_path / "x", groups, n_classes=3, n_images=2)
    mixed = root / groups[-1] / "corners04"
    (mixed / "old").mkdir()
    shutil.copy(mixed / "0.jpg", mixed / "old")
    with pytest.raises(InputError, match=r"corners04 contains 0\.jpg and old/"):
        inspect_folder(root, "class", False)
    (mixed / "old/0.jpg").unlink()
    assert inspect_folder(root, "class", False).by_class
    (mixed / "old/notes.txt").write_text("a folder without images")
    assert inspect_folder(root, "class", False).by_class


def test_composed_and_decomposed_names_are_the_same_data(tmp_path: Path) -> None:
    sets = []
    for form in ("NFC", "NFD"):
        root = write_image_folder(tmp_path / form / normalize(form, "Wörter"), [""], n_images=2)
        for i, folder in enumerate(sorted(root.iterdir())):
            (folder / "1.png").rename(folder / normalize(form, "é1.png"))
            folder.rename(root / normalize(form, f"{'ñáåö'[i % 4]}{i}"))
        sets.append(read(root).drawings)
    nfc, nfd = sets
    assert nfc.name == nfd.name == "Wörter+class"
    assert nfc.digest == nfd.digest
    assert torch.equal(nfc.images_NHW, nfd.images_NHW)


def test_options_of_an_image_folder_need_one(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"--split-by.*--colour .*--data-root"):
        resolve_dataset_name("glyphs", None, "class", False)
    with pytest.raises(InputError, match="--data-root"):
        resolve_dataset_name("omniglot", tmp_path / "nowhere", "class", False)
    with pytest.raises(InputError, match=r"'x' is a folder of images.*--study-name"):
        load_dataset("x", None, 28)


def test_a_corrupt_image_is_refused_by_name(tmp_path: Path) -> None:
    root = write_image_folder(tmp_path / "x", [""], n_images=2)
    (root / "corners05/1.png").write_bytes(b"no image")
    with pytest.raises(InputError, match=r"corners05.1\.png"):
        read(root)
