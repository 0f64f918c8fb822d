import io

import numpy as np
import pytest
import torch
from PIL import Image

from data.pictures import GAP, INK, PAPER, RULE, curve_png, drawing_png, stretch_contrast, tile


def opened(data: bytes) -> np.ndarray:
    with Image.open(io.BytesIO(data)) as image:
        return np.asarray(image.convert("L"))


def test_ink_is_black_on_white_paper() -> None:
    ink_HW = torch.zeros(3, 4, dtype=torch.uint8)
    ink_HW[1, 2] = 255
    pixels = opened(drawing_png(ink_HW))
    assert pixels[1, 2] == INK
    assert (pixels == PAPER).sum() == 11


def test_greys_survive_and_two_colours_are_stored_as_such() -> None:
    grey = torch.tensor([[0.0, 0.5, 1.0]])
    assert opened(drawing_png(grey)).tolist() == [[255, 127, 0]]
    plain = torch.zeros(105, 105, dtype=torch.uint8)
    plain[40:60] = 255
    assert len(drawing_png(plain)) < 200


def test_tiles_stand_in_rows_on_grey() -> None:
    images = torch.ones(5, 2, 3)
    sheet = np.asarray(tile(images, n_columns=3, zoom=2))
    assert sheet.shape == (2 * (4 + GAP) + GAP, 3 * (6 + GAP) + GAP)
    assert (sheet == INK).sum() == 5 * 4 * 6
    assert sheet[0, 0] == RULE


def test_a_filter_is_stretched_from_its_least_to_its_greatest_weight() -> None:
    filters = torch.tensor([[[-2.0, 0.0], [2.0, 1.0]], [[5.0, 5.0], [5.0, 5.0]]])
    shown = stretch_contrast(filters)
    assert shown[0].tolist() == [[0.0, 0.5], [1.0, 0.75]]
    assert shown[1].abs().max() == 0


@pytest.mark.parametrize("values", [[], [0.5], [0.0, 1.0], [0.3] * 300])
def test_a_curve_of_any_length_is_drawn(values: list[float]) -> None:
    pixels = opened(curve_png(values, "validation accuracy"))
    assert pixels.shape == (270, 480)


def test_a_curve_ends_where_its_last_value_lies() -> None:
    def height(last: float) -> int:
        with Image.open(io.BytesIO(curve_png([0.0, last], ""))) as image:
            blue = np.asarray(image.convert("RGB"))[:, -14].astype(int)
        return int(np.argmax(blue[:, 2] - blue[:, 0]))

    assert height(1.0) < height(0.5) < height(0.1)
