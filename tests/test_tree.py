"""Folders of images of one's own as data sets."""

import zipfile
from pathlib import Path

import pytest
import torch
from PIL import Image
from shapes import make

from data.episodes import dense_validation
from data.errors import InputError
from data.folder_split import assign_parts, part_in_name
from data.image_folder import ImageFolder, inspect_folder, parse_dataset_name, read_image_folder
from data.load import dataset_name, load_dataset
from data.splits import split_dataset


def test_groups_are_divided_where_there_are_enough(tmp_path: Path) -> None:
    root = make(tmp_path / "shapes", ["a", "b", "c", "d", "e"], n_classes=4, n_images=3)
    name = dataset_name("omniglot", root, None, False)
    assert name == "shapes"
    parts = split_dataset(read_image_folder(root, inspect_folder(root, None, False), 28))
    assert [len(p.alphabets) for p in (parts.train, parts.val, parts.test)] == [3, 1, 1]
    assert all(a.startswith("train/") for a in parts.train.alphabets)
    assert parts.train.n_characters == 12
    assert parts.train.images_NHW.shape == (36, 28, 28)
    assert parts.official.n_way == 4
    assert len(parts.official) >= 400
    assert dense_validation(parts.val).n_way == 4


def test_classes_are_divided_where_groups_are_few_or_absent(tmp_path: Path) -> None:
    root = make(tmp_path / "shapes", [""])
    name = dataset_name("omniglot", root, None, False)
    assert name == "shapes+class"
    parts = split_dataset(load_dataset(name, root, 28))
    assert [p.n_characters for p in (parts.train, parts.val, parts.test)] == [6, 2, 2]
    assert parts.train.alphabets == ("train",)
    again = split_dataset(load_dataset(name, root, 28))
    assert torch.equal(again.val.images_NHW, parts.val.images_NHW)
    large = load_dataset(name, root, 40)
    assert large.drawings.digest == parts.test.digest, "whatever the size"
    assert large.drawings.image_size == 40


def test_folders_that_say_their_part_are_believed(tmp_path: Path) -> None:
    root = make(tmp_path / "mine", ["train1", "train2", "validation_a", "test_a"], n_classes=3)
    parts = split_dataset(read_image_folder(root, inspect_folder(root, None, False), 28))
    assert parts.train.alphabets == ("train/train1", "train/train2")
    assert parts.val.alphabets == ("val/validation_a",)
    assert parts.test.alphabets == ("test/test_a",)


@pytest.mark.parametrize("called", [("train", "val", "test"), ("Training", "valid", "testing")])
def test_a_class_that_is_trained_on_is_not_tested(called: tuple[str, ...], tmp_path: Path) -> None:
    root = make(tmp_path / "mine", list(called), n_classes=3, n_images=2)
    with pytest.raises(InputError, match="Class 'corners03' is in more than one of train"):
        read_image_folder(root, inspect_folder(root, None, False), 28)
    other = make(tmp_path / "other", ["train", "test"], n_classes=3, n_images=2)
    with pytest.raises(InputError, match="must be there all three"):
        read_image_folder(other, inspect_folder(other, None, False), 28)


def test_names_that_only_begin_alike_say_nothing() -> None:
    assert [part_in_name(n) for n in ("train", "Test_2", "validation", "training.a")] == [
        "train",
        "test",
        "val",
        "train",
    ]
    assert [part_in_name(n) for n in ("trainers", "valley", "testudo", "")] == [None] * 4


def test_classes_may_have_different_numbers_of_images(tmp_path: Path) -> None:
    root = make(tmp_path / "shapes", [""], n_images=12)
    for file in sorted((root / "corners03").iterdir())[2:]:
        file.unlink()
    for c in range(4, 13):
        for i in range(c % 3):
            (root / f"corners{c:02}/{i + 1}.png").unlink()
    parts = split_dataset(read_image_folder(root, inspect_folder(root, None, False), 20))
    for drawings in (parts.val, parts.test):
        episodes = dense_validation(drawings)
        assert len(episodes) >= 4800
        right = episodes.support_RS.gather(1, episodes.target_RQ)
        assert (drawings.character_N[episodes.query_RQ] == drawings.character_N[right]).all()
        assert (episodes.query_RQ != right).all()
        used = torch.cat([episodes.query_RQ.flatten(), episodes.support_RS.flatten()]).unique()
        assert len(used) == len(drawings), "every image is asked about"


def test_a_zip_beside_the_classes_makes_it_no_omniglot(tmp_path: Path) -> None:
    root = make(tmp_path / "shapes", [""], n_images=2)
    with zipfile.ZipFile(root / "shapes.zip", "w") as archive:
        archive.writestr("readme.txt", "shapes")
    assert dataset_name("omniglot", root, None, True) == "shapes+class+colour"
    with pytest.raises(InputError, match="--data-root must be a folder"):
        dataset_name("omniglot", tmp_path / "nowhere", "class", False)


def test_the_split_hangs_on_the_names_alone() -> None:
    names = [f"n{i}" for i in range(20)]
    found = assign_parts(names, 1)
    assert found == assign_parts(names[::-1], 1)
    assert [list(found.values()).count(p) for p in ("train", "val", "test")] == [12, 4, 4]


def test_grey_images_are_ink_on_paper_and_colours_are_kept(tmp_path: Path) -> None:
    root = make(tmp_path / "shapes", [""], n_images=2)
    grey = read_image_folder(root, ImageFolder("shapes", True, False), 32).drawings.images_NHW
    assert grey.shape == (20, 32, 32)
    assert grey[:, 0, 0].max() == 0, "the white paper"
    assert grey[:, 16, 16].min() > 80
    colour = read_image_folder(root, ImageFolder("shapes", True, True), 32).drawings.images_NHW
    assert colour.shape == (20, 3, 32, 32)
    assert (colour[:, 0, 16, 16] > colour[:, 2, 16, 16]).all(), "red beats blue"


def test_the_name_says_how_a_tree_is_read() -> None:
    for tree in (ImageFolder("x", a, b) for a in (True, False) for b in (True, False)):
        assert parse_dataset_name(tree.name) == tree
    assert parse_dataset_name("omniglot") is None
    assert parse_dataset_name("glyphs") is None


def test_a_folder_called_omniglot_is_no_omniglot(tmp_path: Path) -> None:
    root = make(tmp_path / "omniglot", [""], n_images=2)
    assert inspect_folder(root, None, False).name == "omniglot-images+class"


@pytest.mark.parametrize(
    ("groups", "n_classes", "n_images", "split_by", "message"),
    [
        ([""], 10, 1, None, "two images or more"),
        ([""], 5, 2, None, "need 2 each, but there are 5"),
        (["a", "b"], 4, 2, "group", "need 1 each, but there are 2"),
        (["a", "b", "c"], 1, 2, None, "two classes or more"),
    ],
)
def test_too_few_are_refused(
    groups: list[str],
    n_classes: int,
    n_images: int,
    split_by: str | None,
    message: str,
    tmp_path: Path,
) -> None:
    root = make(tmp_path / "x", groups, n_classes, n_images)
    with pytest.raises(InputError, match=message):
        read_image_folder(root, inspect_folder(root, split_by, False), 28)


def test_what_is_no_tree_is_refused(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="No image lies under"):
        dataset_name("omniglot", tmp_path, None, False)
    Image.new("L", (9, 9)).save(tmp_path / "loose.png")
    with pytest.raises(InputError, match=r"loose\.png lies in .* itself"):
        dataset_name("omniglot", tmp_path, None, False)
    with pytest.raises(InputError, match="--split-by and --colour are for"):
        dataset_name("glyphs", None, "class", False)
    with pytest.raises(InputError, match="Data set 'x' is a folder of images"):
        load_dataset("x", None, 28)


def test_a_torn_image_is_named(tmp_path: Path) -> None:
    root = make(tmp_path / "x", [""], n_images=2)
    (root / "corners05/1.png").write_bytes(b"no image")
    with pytest.raises(InputError, match=r"corners05.1\.png is no image"):
        read_image_folder(root, inspect_folder(root, None, False), 28)
