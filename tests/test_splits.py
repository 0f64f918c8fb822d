from dataclasses import replace

import pytest
import torch

from data.alphabets import OMNIGLOT, TEST, TRAIN, VAL
from data.episodes import Dataset
from data.errors import InputError
from data.splits import Split, merge_train_and_val, split_dataset


def test_the_literal_lists_have_the_papers_sizes_and_share_nothing() -> None:
    assert (len(TRAIN), len(VAL), len(TEST)) == (30, 10, 10)
    assert len({name for part in OMNIGLOT.values() for name in part}) == 50
    assert sum(TRAIN.values()) == 964
    assert sum(VAL.values()) + sum(TEST.values()) == 659
    assert min(*VAL.values(), *TEST.values()) >= 20


def test_the_splits_share_no_alphabet_and_no_drawing(parts: Split) -> None:
    names = [set(part.alphabets) for part in (parts.train, parts.val, parts.test)]
    assert not names[0] & names[1]
    assert not names[0] & names[2]
    assert not names[1] & names[2]
    pixels = [{i.numpy().tobytes() for i in p.images_NHW} for p in (parts.train, parts.test)]
    assert not pixels[0] & pixels[1]


def test_validation_has_the_papers_four_drawers(parts: Split) -> None:
    assert set(parts.val.drawer_N.tolist()) == {12, 13, 14, 15}


def test_official_episodes_survive_the_renumbering(packed: Dataset, parts: Split) -> None:
    before = packed.drawings.images_NHW[packed.official.query_RQ]
    assert torch.equal(before, parts.test.images_NHW[parts.official.query_RQ])


def test_official_episodes_outside_the_test_alphabets_are_refused(packed: Dataset) -> None:
    wrong = replace(
        packed.official, query_RQ=packed.official.query_RQ * 0 + len(packed.drawings) // 2
    )
    with pytest.raises(InputError, match="test alphabets alone"):
        split_dataset(Dataset(packed.drawings, wrong))


def test_train_and_val_leaves_the_test_alphabets_out(packed: Dataset, parts: Split) -> None:
    assert set(merge_train_and_val(packed.drawings).alphabets) == {
        *parts.train.alphabets,
        *parts.val.alphabets,
    }
