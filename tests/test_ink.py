"""From pictures of any kind to drawings."""

import numpy as np
import numpy.typing as npt
import pytest
import torch
import torch.nn.functional as F
from strokes import near, overlap, photograph, stroke

from data.episodes import Dataset
from data.errors import InputError
from data.preparation import INK_SHARE, PEN, Preparation, find_ink, pen_width, prepare_drawing

Array = npt.NDArray[np.float32]
PLAIN = Preparation()


def test_a_drawing_as_it_is_stays_what_it_is(packed_105: Dataset) -> None:
    for image in packed_105.drawings.images_NHW[::200]:
        brightness = 1 - image.numpy().astype(np.float32) / 255
        found = prepare_drawing(brightness, Preparation(preprocess=False), "x")
        assert (found != image).float().mean() < 0.001


def test_ink_is_found_be_it_dark_or_light() -> None:
    dark = prepare_drawing(stroke(), PLAIN, "x")
    light = prepare_drawing(1 - stroke(), PLAIN, "x")
    assert overlap(dark, light) > 0.98
    forced = prepare_drawing(1 - stroke(), Preparation(light_ink=True), "x")
    assert overlap(dark, forced) > 0.98
    wrong = prepare_drawing(stroke(), Preparation(light_ink=True, preprocess=False), "x")
    assert overlap(prepare_drawing(stroke(), Preparation(preprocess=False), "x"), wrong) < 0.3


def test_place_size_and_pen_do_not_matter() -> None:
    wanted = prepare_drawing(stroke(), PLAIN, "x")
    small = np.ones((200, 300), dtype=np.float32)
    small[20:125, 150:255] = stroke()
    assert overlap(prepare_drawing(small, PLAIN, "x"), wanted) > 0.8
    assert near(prepare_drawing(stroke(420, pen=30), PLAIN, "x"), wanted) > 0.9
    assert near(prepare_drawing(stroke(28, pen=1), PLAIN, "x"), wanted) > 0.9


def test_a_photograph_with_a_shadow_gives_the_drawing_on_it() -> None:
    assert (
        overlap(
            prepare_drawing(photograph(stroke()), PLAIN, "x"), prepare_drawing(stroke(), PLAIN, "x")
        )
        > 0.75
    )


def test_a_prepared_drawing_has_omniglots_size_and_pen() -> None:
    found = prepare_drawing(stroke(300, pen=20), PLAIN, "x")
    rows = (found > 0).any(1).nonzero()
    assert (rows.max() - rows.min() + 1).item() == pytest.approx(INK_SHARE * 105, abs=5)
    assert set(found.unique().tolist()) == {0, 255}
    large = np.kron(found.numpy() > 0, np.ones((4, 4), dtype=bool))
    assert pen_width(large) == pytest.approx(PEN, rel=0.25)


@pytest.mark.omniglot
def test_the_constants_are_those_of_omniglots_training_drawings(omniglot_105: Dataset) -> None:
    from data.splits import split_dataset

    sides, pens = [], []
    for image in split_dataset(omniglot_105).train.images_NHW[::50].numpy() > 0:
        rows, columns = (np.flatnonzero(image.any(axis)) for axis in (1, 0))
        sides.append((max(np.ptp(rows), np.ptp(columns)) + 1) / 105)
        pens.append(pen_width(np.kron(image, np.ones((4, 4), dtype=bool))))
    assert np.median(sides) == pytest.approx(INK_SHARE, abs=0.02)
    assert np.median(pens) == pytest.approx(PEN, rel=0.05)


def test_greys_are_kept_on_demand() -> None:
    found = prepare_drawing(photograph(stroke()), Preparation(binarize=False), "x")
    assert len(found.unique()) > 10
    far = F.max_pool2d(prepare_drawing(stroke(), PLAIN, "x")[None].float(), 9, 1, 4)[0] == 0
    assert found[far].max() == 0, "no greys beyond black or white have come round"
    hard = prepare_drawing(stroke(40), Preparation(binarize=False), "x")
    assert hard[F.max_pool2d(hard[None].float(), 3, 1, 1)[0] < 128].max() < 128
    assert overlap(found, prepare_drawing(stroke(), PLAIN, "x")) > 0.4


def test_many_equal_blots_are_ink() -> None:
    dotted = np.ones((420, 420), dtype=np.float32)
    dotted[20:400:25, 20:400:25] = 0
    dotted[21:400:25, 20:400:25] = 0
    assert (prepare_drawing(dotted, PLAIN, "x") > 0).float().mean() > 0.02


def test_specks_are_no_ink() -> None:
    dusty = stroke(420, 12)
    dusty[5:7, 5:7] = 0
    assert (
        overlap(prepare_drawing(dusty, PLAIN, "x"), prepare_drawing(stroke(420, 12), PLAIN, "x"))
        > 0.98
    )


@pytest.mark.parametrize("value", [0.0, 0.5, 1.0])
def test_where_nothing_is_to_be_seen_there_is_no_drawing(value: float) -> None:
    rng = np.random.default_rng(0)
    blank = np.full((700, 900), value, dtype=np.float32)
    noisy = (blank + rng.normal(0, 0.02, blank.shape).astype(np.float32)).clip(0, 1)
    for image in (blank, noisy):
        with pytest.raises(InputError, match=r"No ink is to be seen on a\.png.*clearer"):
            prepare_drawing(image, PLAIN, "a.png")


def test_a_single_pixel_and_a_strip_are_no_bug() -> None:
    with pytest.raises(InputError, match="No ink"):
        prepare_drawing(np.ones((1, 1), dtype=np.float32), PLAIN, "x")
    strip = np.ones((1, 50), dtype=np.float32)
    strip[0, 20:25] = 0
    assert find_ink(strip, None).shape == strip.shape


def test_a_prepared_image_is_uint8_of_omniglots_size() -> None:
    found = prepare_drawing(photograph(stroke()), PLAIN, "x")
    assert found.dtype == torch.uint8
    assert found.shape == (105, 105)
