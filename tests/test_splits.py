from dataclasses import replace

import pytest
import torch

from data.alphabets import OMNIGLOT, TEST, TRAIN, VAL
from data.episodes import Dataset
from data.errors import InputError
from data.splits import Split, alphabets_by_part, merge_train_and_val, split_dataset


def test_the_lists_of_alphabets_have_the_papers_sizes_and_are_disjoint() -> None:
    assert (len(TRAIN), len(VAL), len(TEST)) == (30, 10, 10)
    assert len({name for part in OMNIGLOT.values() for name in part}) == 50
    assert sum(TRAIN.values()) == 964
    assert sum(VAL.values()) + sum(TEST.values()) == 659
    assert min(*VAL.values(), *TEST.values()) >= 20


def test_the_parts_share_no_alphabet_and_no_drawing(parts: Split) -> None:
    names = [set(part.alphabets) for part in (parts.train, parts.val, parts.test)]
    assert len(set.union(*names)) == sum(map(len, names))
    pixels = [{i.numpy().tobytes() for i in p.images_NHW} for p in (parts.train, parts.test)]
    assert not pixels[0] & pixels[1]


def test_validation_has_the_papers_four_drawers(parts: Split) -> None:
    assert set(parts.val.drawer_N.tolist()) == {12, 13, 14, 15}


def test_official_episodes_show_the_same_drawings_in_the_test_part(
    packed: Dataset, parts: Split
) -> None:
    before = packed.drawings.images_NHW[packed.official.query_RQ]
    assert torch.equal(before, parts.test.images_NHW[parts.official.query_RQ])


def test_official_episodes_outside_the_test_alphabets_are_refused(packed: Dataset) -> None:
    wrong = replace(
        packed.official, query_RQ=packed.official.query_RQ * 0 + len(packed.drawings) // 2
    )
    with pytest.raises(InputError, match="all_runs"):
        split_dataset(Dataset(packed.drawings, wrong))


def test_a_data_set_without_a_part_is_refused(packed: Dataset) -> None:
    names = [name for name in packed.drawings.alphabets if not name.startswith("val")]
    with pytest.raises(InputError, match="'glyphs' has test01, test02, train01"):
        alphabets_by_part(packed.drawings.subset(names))


def test_omniglots_parts_are_the_lists(packed: Dataset) -> None:
    names = alphabets_by_part(replace(packed.drawings, name="omniglot"))
    assert names == {"train": [*TRAIN], "val": [*VAL], "test": [*TEST]}


def test_train_and_val_leave_the_test_alphabets_out(packed: Dataset, parts: Split) -> None:
    merged = merge_train_and_val(packed.drawings)
    assert {*merged.alphabets} == {*parts.train.alphabets, *parts.val.alphabets}


def test_only_validation_and_test_drawings_move_to_the_device(parts: Split) -> None:
    moved = parts.to(torch.device("meta"))
    devices = [part.images_NHW.device.type for part in (moved.train, moved.val, moved.test)]
    assert devices == ["cpu", "meta", "meta"]
