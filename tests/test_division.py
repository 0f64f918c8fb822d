"""A user's own division of groups into train, validation and test."""

from dataclasses import replace
from pathlib import Path

import pytest
import torch
from shapes import write_image_folder

from data.alphabets import OMNIGLOT
from data.contents import data_summary
from data.division import Division, resolve_division, unused_groups
from data.episodes import Dataset
from data.errors import InputError
from data.fixed_episodes import MIN_TEST_EPISODES
from data.image_folder import folder_groups, inspect_folder, read_image_folder
from data.load import cache_path, load_dataset
from data.pictures import write_preview
from data.splits import Split, alphabets_by_part, merge_train_and_val, split_dataset

# The glyphs of the tests are train01 … train04, val01, val02, test01 and test02.
OTHER = Division(train=("test01", "train01"), val=("train02",), test=("val02", "train03"))


@pytest.fixture
def root(tmp_path: Path) -> Path:
    """Six groups of four classes of three images."""
    return write_image_folder(tmp_path / "shapes", [*"abcdef"], n_classes=4, n_images=3)


def read(root: Path, division: Division | None) -> Dataset:
    return read_image_folder(root, inspect_folder(root, None, False), 20, division)


def names_of(split: Split) -> list[tuple[str, ...]]:
    return [part.alphabets for part in (split.train, split.val, split.test)]


def test_the_glyphs_are_divided_as_given(packed: Dataset) -> None:
    split = split_dataset(packed, division=OTHER)
    assert names_of(split) == [("test01", "train01"), ("train02",), ("train03", "val02")]
    assert set(split.val.drawer_N.tolist()) == {12, 13, 14, 15}
    assert split.held_out is not None
    assert set(split.held_out.drawer_N.tolist()) == {16, 17, 18, 19}
    assert set(merge_train_and_val(packed.drawings, OTHER).alphabets) == {
        *("test01", "train01", "train02")
    }
    assert unused_groups(OTHER, packed.drawings.alphabets) == ["test02", "train04", "val01"]


def test_without_a_division_nothing_changes(packed: Dataset, parts: Split) -> None:
    part_of = alphabets_by_part(packed.drawings)
    default = Division(*(tuple(part_of[part]) for part in ("train", "val", "test")))
    split = split_dataset(packed, division=default)
    assert names_of(split) == names_of(parts)
    assert torch.equal(split.official.support_RS, parts.official.support_RS)
    assert unused_groups(default, packed.drawings.alphabets) == []
    assert unused_groups(None, packed.drawings.alphabets) == []


def test_official_episodes_are_replaced_if_test_lacks_their_alphabets(packed: Dataset) -> None:
    split = split_dataset(packed, division=OTHER)
    assert len(split.official) == split.official.n_distinct == MIN_TEST_EPISODES
    alphabets = split.test.alphabet_N[split.official.query_RQ]
    assert sorted(alphabets.unique().tolist()) == [0, 1]
    again = split_dataset(packed, division=OTHER)
    assert torch.equal(again.official.query_RQ, split.official.query_RQ)


def test_official_episodes_stay_if_test_has_more_alphabets(packed: Dataset) -> None:
    division = Division(("train01",), ("train02",), ("test02", "val01", "test01"))
    split = split_dataset(packed, division=division)
    before = packed.drawings.images_NHW[packed.official.support_RS]
    assert torch.equal(split.test.images_NHW[split.official.support_RS], before)


def test_omniglots_alphabets_may_be_spelled_with_spaces(packed: Dataset) -> None:
    alphabets = tuple(name for part in OMNIGLOT.values() for name in part)
    omniglot = replace(packed.drawings, name="omniglot", alphabets=alphabets)
    division = Division(("Alphabet of the Magi",), ("Korean",), ("Old Church Slavonic_(Cyrillic)",))
    assert alphabets_by_part(omniglot, division) == {
        "train": ["Alphabet_of_the_Magi"],
        "val": ["Korean"],
        "test": ["Old_Church_Slavonic_(Cyrillic)"],
    }


def test_an_exact_name_wins_over_one_that_differs_in_spaces() -> None:
    names = ["a b", "a_b", "c", "d"]
    division = Division(("a b",), ("c",), ("d",))
    assert resolve_division(division, names) == division
    with pytest.raises(InputError, match="'a b'"):
        resolve_division(division, ["x_y", "c", "d"])


@pytest.mark.parametrize(
    ("parts", "message"),
    [
        ((("a",), ("b",), ()), "test has none"),
        ((("a",), ("b",), ("c", "a")), "'a' is in train and test"),
        ((("a", "a"), ("b",), ("c",)), "'a' is in train and train"),
    ],
)
def test_empty_parts_and_repeated_groups_are_refused(
    parts: tuple[tuple[str, ...], ...], message: str
) -> None:
    with pytest.raises(InputError, match=message):
        Division(*parts)


def test_two_spellings_of_one_group_are_refused() -> None:
    with pytest.raises(InputError, match="'a_b' is in train and val"):
        resolve_division(Division(("a b",), ("a_b",), ("c",)), ["a_b", "c"])


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("Train1", "'Train1' does not.*'train01'"),
        ("L01", "mean 'val01'"),
        ("zz", "'zz' does not.*Choose from 'test01'"),
    ],
)
def test_a_name_that_does_not_exist_is_refused_with_similar_ones(
    name: str, message: str, packed: Dataset
) -> None:
    with pytest.raises(InputError, match=message) as error:
        split_dataset(packed, division=Division((name,), ("val01",), ("test01",)))
    assert "\n" not in str(error.value)


def test_the_digest_depends_on_the_parts_and_not_on_the_order() -> None:
    one = Division(("a", "b"), ("c",), ("d",))
    assert Division(("b", "a"), ("c",), ("d",)).digest == one.digest
    assert Division(("a", "c"), ("b",), ("d",)).digest != one.digest
    assert Division(["a", "b"], ["c"], ["d"]) == one  # type: ignore[arg-type]


def test_groups_of_a_folder_are_assigned_as_given(root: Path, tmp_path: Path) -> None:
    division = Division(("f", "a"), ("b",), ("c", "d"))
    dataset = read(root, division)
    split = split_dataset(dataset, division=division)
    assert names_of(split) == [("train/a", "train/f"), ("val/b",), ("test/c", "test/d")]
    assert len(dataset.drawings) == 5 * 12
    assert unused_groups(division, folder_groups(root)) == ["e"]
    assert names_of(split_dataset(dataset)) == names_of(split)
    text = data_summary(dataset.drawings, root, division)
    assert "5 groups, 20 classes" in text
    assert "1 group in no part: e" in text
    write_preview(tmp_path / "preview.png", dataset.drawings, division)
    assert (tmp_path / "preview.png").exists()


FEW = "a trial that is better there may be worse on other images"


@pytest.mark.parametrize(
    ("val", "few"),
    [
        (("b",), None),  # one group of four classes, which are compared
        (("b", "e"), "only 2 groups"),
        (("b", "c", "e"), None),
    ],
)
def test_validation_with_too_few_groups_is_named(
    root: Path, val: tuple[str, ...], few: str | None
) -> None:
    division = Division(("f", "a"), val, ("d",))
    text = data_summary(read(root, division).drawings, root, division)
    assert (FEW in text) == (few is not None)
    assert few is None or f"validation has {few}: {FEW}" in text


def test_validation_with_too_few_classes_is_named(tmp_path: Path) -> None:
    root = write_image_folder(tmp_path / "shapes", ["a"], n_classes=10, n_images=2)
    dataset = read(root, None)
    assert f"validation has only 2 classes: {FEW}" in data_summary(dataset.drawings, root)


def test_the_names_of_parts_do_not_matter_in_a_division(tmp_path: Path) -> None:
    root = write_image_folder(tmp_path / "x", ["train", "test", "other"], n_classes=3, n_images=2)
    split = split_dataset(read(root, Division(("test",), ("train",), ("other",))))
    assert names_of(split) == [("train/test",), ("val/train",), ("test/other",)]


def test_divisions_have_different_digests_and_cache_files(in_tmp: Path, root: Path) -> None:
    one, other = Division(("a",), ("b",), ("c",)), Division(("c",), ("b",), ("a",))
    digests = {read(root, division).drawings.digest for division in (None, one, other)}
    assert len(digests) == 3
    paths = {cache_path("shapes", 20, division) for division in (None, one, other)}
    assert len(paths) == 3
    for division in (one, other, one):
        drawings = load_dataset("shapes", root, 20, division=division).drawings
        assert drawings.digest == read(root, division).drawings.digest
    assert cache_path("shapes", 20, one).exists()
    assert cache_path("omniglot", 20, one) == cache_path("omniglot", 20)


def test_a_division_needs_groups(tmp_path: Path) -> None:
    root = write_image_folder(tmp_path / "shapes", [*"abc"], n_classes=6, n_images=2)
    division = Division(("a",), ("b",), ("c",))
    by_class = inspect_folder(root, "class", False)
    with pytest.raises(InputError, match="--split-by class"):
        read_image_folder(root, by_class, 20, division)
    with pytest.raises(InputError, match="--split-by class"):
        split_dataset(read_image_folder(root, by_class, 20), division=division)


def test_a_folder_must_be_loaded_with_the_division_of_its_split(root: Path) -> None:
    division, other = Division(("a",), ("b",), ("c",)), Division(("b",), ("a",), ("c",))
    dataset = read(root, division)
    with pytest.raises(InputError, match="same division"):
        split_dataset(dataset, division=other)
    with pytest.raises(InputError, match="'g' does not"):
        read(root, Division(("g",), ("b",), ("c",)))


def test_unused_groups_may_be_too_small(root: Path) -> None:
    for file in [*(root / "f").rglob("*.png")]:
        file.unlink()
    division = Division(("a",), ("b",), ("c",))
    assert len(read(root, division).drawings) == 36
    with pytest.raises(InputError, match="at least two images"):
        read(root, Division(("f",), ("b",), ("c",)))
