import torch

from data import glyphs
from data.episodes import Dataset
from data.splits import Split
from model.architecture import ModelConfig
from model.evaluate import correctness, nearest_neighbour_scores, one_shot_accuracy
from model.siamese import SiameseNet


def test_a_seed_determines_every_pixel() -> None:
    few = {"train": 1, "val": 1, "test": 1}
    first, again, other = (
        glyphs.make_glyphs(seed=seed, n_alphabets=few, n_characters=3).drawings
        for seed in (1, 1, 2)
    )
    assert torch.equal(first.images_NHW, again.images_NHW)
    assert first.digest == again.digest != other.digest


def test_glyphs_look_like_drawings(packed_105: Dataset) -> None:
    images = packed_105.drawings.images_NHW
    assert images.shape[1:] == (105, 105)
    assert set(images[::8].unique().tolist()) == {0, 255}
    ink = (images[::8] > 0).float().mean((1, 2))
    assert ink.min() > 0.005
    assert ink.max() < 0.25


def test_pixels_and_an_untrained_network_have_a_low_accuracy(parts: Split) -> None:
    scores = nearest_neighbour_scores(parts.test, parts.official)
    nearest = correctness(scores, parts.official.target_RQ).mean().item()
    net = SiameseNet(ModelConfig(units=512), generator=torch.Generator().manual_seed(0))
    untrained = one_shot_accuracy(net, parts.test, parts.official)
    assert 0.05 < nearest < 0.4
    assert 0.05 < untrained < nearest + 0.15
