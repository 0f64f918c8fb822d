import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from data.pairs import sample_pairs
from data.splits import Split


@settings(max_examples=25, deadline=None)
@given(n=st.integers(2, 500), seed=st.integers(0, 2**31))
def test_pairs_follow_their_rules(parts: Split, n: int, seed: int) -> None:
    d = parts.train
    pairs = sample_pairs(d, n, generator=torch.Generator().manual_seed(seed))
    assert len(pairs) == n
    assert (pairs.left_B != pairs.right_B).all()
    same = d.character_N[pairs.left_B] == d.character_N[pairs.right_B]
    assert torch.equal(same, pairs.same_B)
    assert torch.equal(d.alphabet_N[pairs.left_B], d.alphabet_N[pairs.right_B])
    assert abs(int(same.sum()) * 2 - n) <= len(d.alphabets)
    per_alphabet = torch.bincount(d.alphabet_N[pairs.left_B], minlength=len(d.alphabets))
    assert per_alphabet.max() - per_alphabet.min() <= 1


def test_complete_rounds_are_half_same_and_every_drawing_is_sampled(parts: Split) -> None:
    d = parts.train
    pairs = sample_pairs(d, 40_000, generator=torch.Generator().manual_seed(0))
    assert int(pairs.same_B.sum()) == 20_000
    for position in (pairs.left_B, pairs.right_B):  # even the last drawing of the last character
        assert torch.bincount(position, minlength=len(d)).min() > 0


def test_same_does_not_depend_on_the_alphabet_in_a_small_batch(parts: Split) -> None:
    d, n_same = parts.train, torch.zeros(4)
    for seed in range(200):
        pairs = sample_pairs(d, 6, generator=torch.Generator().manual_seed(seed))
        n_same += torch.bincount(d.alphabet_N[pairs.left_B][pairs.same_B], minlength=4)
    assert n_same.min() / n_same.max() > 0.7


def test_a_slice_of_pairs_keeps_their_order(parts: Split) -> None:
    pairs = sample_pairs(parts.train, 10, generator=torch.Generator().manual_seed(0))
    assert torch.equal(pairs[2:5].left_B, pairs.left_B[2:5])
    assert torch.equal(pairs[torch.tensor([7, 1])].same_B, pairs.same_B[[7, 1]])
