import torch

from data.episodes import Dataset


def test_drawings_are_sorted_and_counted(packed: Dataset) -> None:
    d = packed.drawings
    assert len(d) == 8 * 20 * 20
    assert d.count_A.tolist() == [20] * 8
    assert d.count_C.tolist() == [20] * 160
    assert torch.equal(d.character_N[d.first_C], torch.arange(160))
    assert torch.equal(d.alphabet_N[d.first_C[d.first_A]], torch.arange(8))


def test_a_subset_holds_only_its_alphabets_and_drawers_numbered_from_0(packed: Dataset) -> None:
    d = packed.drawings
    subset = d.subset([d.alphabets[3], d.alphabets[1]], drawers=(2, 19))
    assert subset.alphabets == (d.alphabets[1], d.alphabets[3])
    assert len(subset) == 2 * 20 * 2
    assert set(subset.drawer_N.tolist()) == {2, 19}
    assert subset.n_characters == 40
    position = d.positions([d.alphabets[1], d.alphabets[3]], (2, 19))
    assert torch.equal(subset.images_NHW, d.images_NHW[position])


def test_drawings_move_to_a_device(packed: Dataset) -> None:
    on_device = packed.drawings.to(torch.device("meta"))
    tensors = (
        on_device.images_NHW,
        on_device.alphabet_N,
        on_device.character_N,
        on_device.drawer_N,
    )
    assert {tensor.device.type for tensor in tensors} == {"meta"}
