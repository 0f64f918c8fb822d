"""Which classes a network has seen, and which classes of two data sets are the same."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from shapes import write_image_folder

from data.arrays import dataset_from_arrays
from data.image_folder import inspect_folder, read_image_folder
from data.seen_classes import (
    SeenData,
    class_paths,
    recurring_classes,
    seen_data,
    shared_classes,
    training_metadata,
)
from data.splits import Split, split_dataset


@pytest.mark.parametrize(
    ("data", "paths"),
    [
        ("signs", ["a/cat", "cat", "cat", "train_2/cat"]),
        ("signs+class", ["cat", "cat", "cat", "cat"]),
        ("signs+class+colour", ["cat", "cat", "cat", "cat"]),
        ("class", ["a/cat", "cat", "cat", "train_2/cat"]),
    ],
)
def test_a_group_counts_unless_it_is_a_part_or_classes_are_divided(
    data: str, paths: list[str]
) -> None:
    assert class_paths(["a/cat", "/cat", "training/cat", "train_2/cat"], data) == paths


@pytest.mark.parametrize(
    ("seen", "path", "kind"),
    [
        ("a/cat", "a/cat", "shared"),
        ("cat", "a/cat", "shared"),
        ("a/cat", "cat", "shared"),
        ("images/a/cat", "a/cat", "shared"),
        ("a/cat", "images/a/cat", "shared"),
        ("a/cat", "b/cat", "recurring"),
        ("a/cat", "a/dog", "other"),
        ("a/cat", "a/wildcat", "other"),
        ("a/cat", "cat/dog", "other"),
    ],
)
def test_two_classes_are_the_same_if_one_path_ends_with_the_other(
    seen: str, path: str, kind: str
) -> None:
    assert bool(shared_classes([path], [seen])) == (kind == "shared")
    if kind != "shared":
        assert bool(recurring_classes([path], [seen])) == (kind == "recurring")


def test_the_drawings_of_a_part_have_the_names_of_its_classes(parts: Split) -> None:
    for part in (parts.train, parts.val, parts.test):
        assert len(part.classes) == part.n_characters
        groups = [name.partition("/")[0] for name in part.classes]
        assert groups == [part.alphabets[a] for a in part.alphabet_N[part.first_C].tolist()]
    assert parts.val.classes[:2] == ("val01/character01", "val01/character02")


@pytest.mark.parametrize(
    ("groups", "name"), [(["a", "b", "c"], "a/corners03"), (["a", "b"], "/corners03")]
)
def test_the_classes_of_a_folder_are_those_of_its_split(
    groups: list[str], name: str, tmp_path: Path
) -> None:
    root = write_image_folder(tmp_path / "shapes", groups, n_classes=6, n_images=2)
    dataset = read_image_folder(root, inspect_folder(root, None, False), 20)
    assert name in dataset.drawings.classes
    parts = split_dataset(dataset)
    names = [n for part in (parts.train, parts.val, parts.test) for n in part.classes]
    assert sorted(names) == sorted(dataset.drawings.classes)


def test_the_classes_of_arrays_are_their_labels() -> None:
    images = np.random.default_rng(0).random((24, 16, 16))
    drawings = dataset_from_arrays(images, np.arange(24) // 2, image_size=16).drawings
    assert set(drawings.classes) == {f"/{label}" for label in range(12)}


def test_a_network_has_seen_what_the_networks_before_it_have_seen(parts: Split) -> None:
    first = training_metadata(parts.train) | {"train_on": "train", "task": {"n_way": 5}}
    second = training_metadata(parts.val, seen_data(first)) | {"train_on": "train+val"}
    third = training_metadata(parts.test, seen_data(second))
    newest, *before = seen_data(third)
    assert newest.classes == parts.test.classes
    assert [seen.classes for seen in before] == [parts.val.classes, parts.train.classes]
    assert [seen.train_on for seen in before] == ["train+val", "train"]
    assert before[1].task == {"n_way": 5}
    assert SeenData.from_metadata({"data": "x"}).to_metadata() == {"data": "x", "task": {}}


@pytest.mark.parametrize(
    "wrong", [{"classes": [1]}, {"classes": 3}, {"task": "x"}, {"started_from": [{"data": 1}]}]
)
def test_values_of_another_type_are_an_error(wrong: dict[str, Any]) -> None:
    with pytest.raises(TypeError):
        seen_data(wrong)
