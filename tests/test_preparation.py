"""Images of any kind become drawings like Omniglot's."""

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from strokes import near, overlap, photograph, stroke
from torch import Tensor

from data.episodes import Dataset
from data.errors import InputError
from data.preparation import (
    INK_FRACTION,
    PEN_WIDTH,
    Preparation,
    find_ink,
    pen_width,
    prepare_drawing,
)
from data.splits import split_dataset

DEFAULT = Preparation()


@pytest.fixture(scope="module")
def prepared_stroke() -> Tensor:
    return prepare_drawing(stroke(), DEFAULT, "x")


@pytest.fixture(scope="module")
def prepared_photograph() -> Tensor:
    return prepare_drawing(photograph(stroke()), DEFAULT, "x")


def test_a_drawing_stays_as_it_is_without_preprocessing(packed_105: Dataset) -> None:
    for image in packed_105.drawings.images_NHW[::400]:
        brightness = 1 - image.numpy().astype(np.float32) / 255
        drawing = prepare_drawing(brightness, Preparation(preprocess=False), "x")
        assert (drawing != image).float().mean() < 0.001


def test_dark_and_light_ink_are_found(prepared_stroke: Tensor) -> None:
    light = prepare_drawing(1 - stroke(), DEFAULT, "x")
    assert overlap(prepared_stroke, light) > 0.98
    forced = prepare_drawing(1 - stroke(), Preparation(light_ink=True), "x")
    assert overlap(prepared_stroke, forced) > 0.98
    wrong = prepare_drawing(stroke(), Preparation(light_ink=True, preprocess=False), "x")
    right = prepare_drawing(stroke(), Preparation(preprocess=False), "x")
    assert overlap(right, wrong) < 0.3


def test_place_size_and_pen_do_not_matter(prepared_stroke: Tensor) -> None:
    shifted = np.ones((200, 300), dtype=np.float32)
    shifted[20:125, 150:255] = stroke()
    assert overlap(prepare_drawing(shifted, DEFAULT, "x"), prepared_stroke) > 0.8
    assert near(prepare_drawing(stroke(420, pen=30), DEFAULT, "x"), prepared_stroke) > 0.9
    assert near(prepare_drawing(stroke(28, pen=1), DEFAULT, "x"), prepared_stroke) > 0.9


def test_a_photograph_with_a_shadow_gives_the_drawing_on_it(
    prepared_photograph: Tensor, prepared_stroke: Tensor
) -> None:
    assert overlap(prepared_photograph, prepared_stroke) > 0.75


def test_a_prepared_drawing_has_omniglots_size_pen_and_type() -> None:
    drawing = prepare_drawing(stroke(300, pen=20), DEFAULT, "x")
    assert drawing.dtype == torch.uint8
    assert drawing.shape == (105, 105)
    assert set(drawing.unique().tolist()) == {0, 255}
    rows = (drawing > 0).any(1).nonzero()
    assert (rows.max() - rows.min() + 1).item() == pytest.approx(INK_FRACTION * 105, abs=5)
    large = np.kron(drawing.numpy() > 0, np.ones((4, 4), dtype=bool))
    assert pen_width(large) == pytest.approx(PEN_WIDTH, rel=0.25)


@pytest.mark.omniglot
@pytest.mark.slow
def test_the_constants_are_the_medians_of_omniglots_training_drawings(
    omniglot_105: Dataset,
) -> None:
    sides, pens = [], []
    for image in split_dataset(omniglot_105).train.images_NHW[::50].numpy() > 0:
        rows, columns = (np.flatnonzero(image.any(axis)) for axis in (1, 0))
        sides.append((max(np.ptp(rows), np.ptp(columns)) + 1) / 105)
        pens.append(pen_width(np.kron(image, np.ones((4, 4), dtype=bool))))
    assert np.median(sides) == pytest.approx(INK_FRACTION, abs=0.02)
    assert np.median(pens) == pytest.approx(PEN_WIDTH, rel=0.05)


def test_grey_levels_are_kept_without_binarisation(prepared_stroke: Tensor) -> None:
    grey = prepare_drawing(photograph(stroke()), Preparation(binarize=False), "x")
    assert len(grey.unique()) > 10
    far_from_ink = F.max_pool2d(prepared_stroke[None].float(), 9, 1, 4)[0] == 0
    assert grey[far_from_ink].max() == 0  # no value has overflowed
    hard = prepare_drawing(stroke(40), Preparation(binarize=False), "x")
    assert hard[F.max_pool2d(hard[None].float(), 3, 1, 1)[0] < 128].max() < 128
    assert overlap(grey, prepared_stroke) > 0.4


def test_many_equal_blots_are_ink() -> None:
    dotted = np.ones((420, 420), dtype=np.float32)
    dotted[20:400:25, 20:400:25] = 0
    dotted[21:400:25, 20:400:25] = 0
    assert (prepare_drawing(dotted, DEFAULT, "x") > 0).float().mean() > 0.02


def test_specks_are_not_ink() -> None:
    dusty = stroke(420, 12)
    dusty[5:7, 5:7] = 0
    clean = prepare_drawing(stroke(420, 12), DEFAULT, "x")
    assert overlap(prepare_drawing(dusty, DEFAULT, "x"), clean) > 0.98


@pytest.mark.parametrize("value", [0.0, 0.5, 1.0])
@pytest.mark.parametrize("noise", [0.0, 0.02])
def test_a_blank_image_is_refused_by_name(value: float, noise: float) -> None:
    image = value + np.random.default_rng(0).normal(0, noise, (400, 500))
    with pytest.raises(InputError, match=r"a\.png"):
        prepare_drawing(image.clip(0, 1).astype(np.float32), DEFAULT, "a.png")


def test_a_single_pixel_and_a_strip_are_handled() -> None:
    with pytest.raises(InputError, match=r"a\.png"):
        prepare_drawing(np.ones((1, 1), dtype=np.float32), DEFAULT, "a.png")
    strip = np.ones((1, 50), dtype=np.float32)
    strip[0, 20:25] = 0
    assert find_ink(strip, None).shape == strip.shape
