"""Arrays of images as data sets."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image

from data.arrays import dataset_from_arrays
from data.division import Division
from data.episodes import Dataset
from data.errors import InputError
from data.image_folder import ImageFolder, inspect_folder, parse_dataset_name, read_image_folder
from data.splits import split_dataset

N_GROUPS, N_CLASSES, N_IMAGES = 4, 3, 4


def images_of(shape: tuple[int, ...], seed: int = 0) -> Any:
    """Return one random uint8 image for each of 48 drawings."""
    n = N_GROUPS * N_CLASSES * N_IMAGES
    return np.random.default_rng(seed).integers(0, 256, (n, *shape), dtype=np.uint8)


GROUPS = np.repeat([*"abcd"], N_CLASSES * N_IMAGES)
LABELS = np.tile(np.repeat(["x", "y", "z"], N_IMAGES), N_GROUPS)


def read(images: Any, **changes: Any) -> Dataset:
    arguments: dict[str, Any] = {"labels": LABELS, "groups": GROUPS, "image_size": 12} | changes
    return dataset_from_arrays(images, **arguments)


@pytest.mark.parametrize(("shape", "colour"), [((15, 9), False), ((9, 15, 3), True)])
@pytest.mark.parametrize("light", [0, 200])
def test_arrays_give_the_same_data_as_files(
    shape: tuple[int, ...], colour: bool, light: int, tmp_path: Path
) -> None:
    images = (images_of(shape) // 5 + light).astype(np.uint8)
    for i, (image, group, label) in enumerate(zip(images, GROUPS, LABELS, strict=True)):
        path = tmp_path / "arrays" / group / label / f"{i:02}.png"
        path.parent.mkdir(parents=True, exist_ok=True)
        Image.fromarray(image).save(path)
    root = tmp_path / "arrays"
    folder = inspect_folder(root, None, colour)
    files, arrays = read_image_folder(root, folder, 12), read(images)
    assert arrays.drawings.name == files.drawings.name
    assert arrays.drawings.alphabets == files.drawings.alphabets
    for name in ("images_NHW", "alphabet_N", "character_N", "drawer_N"):
        assert torch.equal(getattr(arrays.drawings, name), getattr(files.drawings, name)), name
    assert torch.equal(arrays.official.query_RQ, files.official.query_RQ)
    assert split_dataset(arrays).train.n_characters == 2 * N_CLASSES


def test_equal_input_has_an_equal_digest() -> None:
    images = images_of((12, 12))
    digest = read(images).drawings.digest
    assert read(list(images), labels=[*LABELS], groups=[*GROUPS]).drawings.digest == digest
    assert read(images.astype(np.float32) / np.float32(255)).drawings.digest == digest
    assert read(images, image_size=20).drawings.digest == digest
    assert read(torch.from_numpy(images)).drawings.digest == digest
    assert read(images_of((12, 12), seed=1)).drawings.digest != digest
    assert read(images, labels=np.roll(LABELS, N_IMAGES)).drawings.digest != digest
    division = Division(("a", "b"), ("c",), ("d",))
    other = Division(("a",), ("b", "c"), ("d",))
    assert len({read(images, division=d).drawings.digest for d in (division, other)}) == 2


def test_without_groups_classes_are_divided() -> None:
    labels = np.repeat(np.arange(12), 4)
    dataset = read(images_of((12, 12)), labels=labels, groups=None, name="my digits")
    assert dataset.drawings.name == "my_digits+class"
    parts = split_dataset(dataset)
    assert [p.n_characters for p in (parts.train, parts.val, parts.test)] == [8, 2, 2]
    floats = read(images_of((12, 12)), labels=labels.astype(float), groups=None, name="my digits")
    assert floats.drawings.digest == dataset.drawings.digest


@pytest.mark.parametrize("name", ["omniglot", "a+class", "glyphs", ""])
def test_the_name_says_that_the_data_is_not_built_in(name: str) -> None:
    drawings = read(images_of((12, 12, 3)), name=name).drawings
    folder = parse_dataset_name(drawings.name)
    assert isinstance(folder, ImageFolder)
    assert folder.name == drawings.name
    assert folder.channels == 3
    assert not folder.by_class


def test_images_of_a_sequence_may_have_different_sizes() -> None:
    images = [image[: 5 + i % 7] for i, image in enumerate(images_of((12, 12)))]
    assert read(images).drawings.images_NHW.shape == (48, 12, 12)


def test_groups_are_divided_as_given() -> None:
    images, division = images_of((12, 12)), Division(("d",), ("c",), ("a",))
    dataset = read(images, division=division)
    assert dataset.drawings.alphabets == ("test/a", "train/d", "val/c")
    assert len(split_dataset(dataset, division=division).test) == 12
    with pytest.raises(InputError, match="groups is None"):
        read(images, groups=None, division=division)
    with pytest.raises(InputError, match="'e' does not"):
        read(images, division=Division(("e",), ("c",), ("a",)))


def test_an_image_in_two_parts_is_refused_with_its_numbers() -> None:
    images = images_of((12, 12))
    images[N_CLASSES * N_IMAGES :: N_CLASSES * N_IMAGES] = images[0]
    with pytest.raises(InputError, match=r"the first is images\[\d+\].*same as images\[\d+\]"):
        read(images)


GOOD = images_of((6, 6))
MIXED = [*GOOD[:-1], images_of((6, 6, 3))[0]]
NAN = np.where(np.arange(36).reshape(6, 6) == 3, np.nan, GOOD / 255)


@pytest.mark.parametrize(
    ("images", "changes", "message"),
    [
        (GOOD, {"labels": LABELS[:-1]}, "images and labels .* 48 and 47"),
        (GOOD, {"groups": GROUPS[:-2]}, "images and groups .* 48 and 46"),
        (GOOD, {"labels": [None, *LABELS[1:]]}, r"labels\[0\] is None"),
        (GOOD, {"labels": [*LABELS[:-1], ""]}, r"labels\[47\] is ''"),
        (GOOD, {"groups": [0.5, *GROUPS[1:]]}, r"groups\[0\] is 0\.5"),
        (GOOD[:0], {"labels": [], "groups": []}, "must not be empty"),
        (GOOD[:, None], {}, r"images\[0\] has the shape 1×6×6"),
        (GOOD[:, 0], {}, r"images\[0\] has the shape 6\."),
        (GOOD[:, :0], {}, "0×6"),
        (images_of((6, 6, 4)), {}, "6×6×4"),
        (MIXED, {}, r"images\[47\] has the shape 6×6×3"),
        (GOOD.astype(np.int64), {}, r"images\[0\] is int64"),
        (GOOD.astype(np.float32), {}, r"images\[0\] has values from"),
        (GOOD / 255 - 0.5, {}, r"images\[0\] has values from -"),
        (NAN, {}, "without NaN"),
        (GOOD, {"labels": np.arange(48)}, "at least two images"),
        (GOOD, {"labels": ["x"] * 48}, "at least two classes"),
    ],
)
def test_bad_input_is_refused_in_one_line(
    images: Any, changes: dict[str, Any], message: str
) -> None:
    with pytest.raises(InputError, match=message) as error:
        read(images, **changes)
    assert "\n" not in str(error.value)
