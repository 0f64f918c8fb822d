import torch

from data.episodes import Dataset


def test_drawings_are_sorted_and_counted(packed: Dataset) -> None:
    d = packed.drawings
    assert len(d) == 8 * 20 * 20
    assert d.count_A.tolist() == [20] * 8
    assert d.count_C.tolist() == [20] * 160
    assert torch.equal(d.character_N[d.first_C], torch.arange(160))
    assert torch.equal(d.alphabet_N[d.first_C[d.first_A]], torch.arange(8))


def test_only_keeps_the_named_alphabets_and_drawers_and_renumbers(packed: Dataset) -> None:
    d = packed.drawings
    part = d.only([d.alphabets[3], d.alphabets[1]], drawers=(2, 19))
    assert part.alphabets == (d.alphabets[1], d.alphabets[3])
    assert len(part) == 2 * 20 * 2
    assert set(part.drawer_N.tolist()) == {2, 19}
    assert part.n_characters == 40
    at = d.positions([d.alphabets[1], d.alphabets[3]], (2, 19))
    assert torch.equal(part.images_NHW, d.images_NHW[at])
