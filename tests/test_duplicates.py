"""Leaks in an image folder: one image in two parts, and classes of one name in several groups."""

import shutil
from pathlib import Path

import pytest
from PIL import Image
from shapes import write_image_folder
from test_flags import parser_of

from data.contents import data_summary
from data.duplicates import first_copies, merge_equal_names, recurring_names
from data.errors import InputError
from data.image_folder import inspect_folder, parse_dataset_name, read_image_folder
from data.splits import Split, split_dataset
from hpo.cli.study import study_config


def read(root: Path, split_by: str | None = None, *, distinct: bool = False) -> Split:
    folder = inspect_folder(root, split_by, False, distinct)
    return split_dataset(read_image_folder(root, folder, 20))


@pytest.fixture
def root(tmp_path: Path) -> Path:
    """Ten classes of three images."""
    return write_image_folder(tmp_path / "shapes", [""], n_images=3)


@pytest.mark.parametrize("suffix", [".png", ".bmp"])
def test_an_image_in_two_parts_is_an_error_that_names_both_files(root: Path, suffix: str) -> None:
    for target in ("corners04", "corners05", "corners06", "corners07", "corners08", "corners09"):
        copy = root / target / f"copy{suffix}"
        Image.open(root / "corners03" / "1.png").save(copy)
    with pytest.raises(InputError, match=r"copy.*corners03/1\.png.*--drop-dup"):
        read(root)
    split = read(root, distinct=True)
    n_images = [len(part) for part in (split.train, split.val, split.test)]
    assert sum(n_images) == 30, "one copy is kept"


def test_copies_in_one_class_are_dropped_only_on_request(root: Path) -> None:
    shutil.copy(root / "corners03" / "1.png", root / "corners03" / "copy.png")
    for distinct, expected in ((False, 31), (True, 30)):
        split = read(root, distinct=distinct)
        assert sum(len(part) for part in (split.train, split.val, split.test)) == expected


def test_a_class_of_copies_is_told(root: Path) -> None:
    shutil.copytree(root / "corners12", root / "corners00")
    with pytest.raises(InputError, match=r"at least two images.*has 0"):
        read(root, distinct=True)


def test_images_of_equal_pixels_but_another_shape_are_different(root: Path) -> None:
    for name, size in (("corners03", (4, 2)), ("corners10", (2, 4))):
        Image.new("L", size, 255).save(root / name / "blank.png")
    read(root)


def test_by_class_equal_names_are_one_class_in_one_part(tmp_path: Path) -> None:
    root = write_image_folder(tmp_path / "animals", ["alice", "bob"], n_classes=6, n_images=2)
    split = read(root)
    assert [p.n_characters for p in (split.train, split.val, split.test)] == [2, 2, 2]
    assert split.train.count_C.tolist() == [4, 4], "images of both groups"


def test_folders_called_train_and_test_may_not_share_a_class(tmp_path: Path) -> None:
    root = write_image_folder(tmp_path / "animals", ["train", "val", "test"], 6, 2)
    with pytest.raises(InputError, match="'corners03' is in more than one"):
        read(root)
    split = read(root, "class")
    assert [p.n_characters for p in (split.train, split.val, split.test)] == [2, 2, 2]
    assert split.test.count_C.tolist() == [6, 6]


def test_names_that_recur_in_several_groups_are_found() -> None:
    classes = [("a", "cat"), ("b", "cat"), ("a", "dog"), ("c", "x/cat"), ("b", "x/cat")]
    assert recurring_names(classes) == ["cat", "x/cat"]
    files = {Path(f"{group}/{name}"): (group, name) for group, name in classes}
    assert [*merge_equal_names(files).values()] == [
        *([("", "cat")] * 2),
        ("a", "dog"),
        *([("", "x/cat")] * 2),
    ]


def test_the_first_of_several_copies_is_kept() -> None:
    assert first_copies([b"a", b"b", b"a", b"c", b"b"]) == [0, 1, 3]


def test_the_option_is_part_of_the_name_of_the_data_set() -> None:
    folder = parse_dataset_name("shapes+class+distinct")
    assert folder is not None
    assert folder.distinct
    assert folder.name == "shapes+class+distinct"


def summary(root: Path, split_by: str | None = None, *, distinct: bool = False) -> str:
    folder = inspect_folder(root, split_by, False, distinct)
    return data_summary(read_image_folder(root, folder, 20).drawings, root)


def test_the_first_line_says_which_names_recur_in_several_groups(tmp_path: Path) -> None:
    root = write_image_folder(tmp_path / "shapes", ["alice", "bob", "carol"], 6, 2)
    text = summary(root)
    assert "6 class names recur in several groups, for example corners03" in text
    assert "different classes, unless --same-name-is-same-class" in text
    assert "each is one class" in summary(root, "class")
    for name in ("bob", "carol"):
        for folder in [*(root / name).iterdir()]:
            folder.rename(folder.with_name(f"{name} {folder.name}"))
    assert "recur" not in summary(root)


def test_the_first_line_counts_copies(root: Path) -> None:
    shutil.copy(root / "corners03" / "1.png", root / "corners03" / "copy.png")
    assert "1 copy of images not dropped (--drop-duplicates)" in summary(root)
    assert "1 copy of images dropped" in summary(root, distinct=True)


def test_the_two_flags_of_the_division_exclude_each_other() -> None:
    parser = parser_of("run_study")
    args = parser.parse_args(["--same-name-is-same-class"])
    assert study_config(args).split_by == "class"
    args = parser.parse_args(["--same-name-is-same-class", "--split-by", "group"])
    with pytest.raises(InputError, match="--split-by group"):
        study_config(args)
