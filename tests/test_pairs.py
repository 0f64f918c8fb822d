import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from data.pairs import draw_pairs
from data.splits import Split


@settings(max_examples=25, deadline=None)
@given(n=st.integers(2, 500), seed=st.integers(0, 2**31))
def test_pairs_obey_their_laws(parts: Split, n: int, seed: int) -> None:
    d = parts.train
    pairs = draw_pairs(d, n, generator=torch.Generator().manual_seed(seed))
    assert len(pairs) == n
    assert (pairs.left_B != pairs.right_B).all(), "a drawing is paired with itself"
    same = d.character_N[pairs.left_B] == d.character_N[pairs.right_B]
    assert torch.equal(same, pairs.same_B), "a different pair shows one character"
    assert torch.equal(d.alphabet_N[pairs.left_B], d.alphabet_N[pairs.right_B])
    assert abs(int(same.sum()) * 2 - n) <= len(d.alphabets)
    per_alphabet = torch.bincount(d.alphabet_N[pairs.left_B], minlength=len(d.alphabets))
    assert per_alphabet.max() - per_alphabet.min() <= 1


def test_half_are_same_in_whole_rounds_and_every_drawing_is_reached(parts: Split) -> None:
    d = parts.train
    pairs = draw_pairs(d, 40_000, generator=torch.Generator().manual_seed(0))
    assert int(pairs.same_B.sum()) == 20_000
    for at in (pairs.left_B, pairs.right_B):  # the last character and the last drawer too
        assert torch.bincount(at, minlength=len(d)).min() > 0


def test_sameness_does_not_follow_the_alphabet_in_a_small_batch(parts: Split) -> None:
    d, same = parts.train, torch.zeros(4)
    for seed in range(200):
        pairs = draw_pairs(d, 6, generator=torch.Generator().manual_seed(seed))
        same += torch.bincount(d.alphabet_N[pairs.left_B][pairs.same_B], minlength=4)
    assert same.min() / same.max() > 0.7
