import io

import numpy as np
import pytest
import torch
from PIL import Image

from data.pictures import (
    GAP,
    GRID,
    INK,
    PAPER,
    curve_png,
    drawing_png,
    stretch_contrast,
    tile_images,
)


def decode(png: bytes, mode: str = "L") -> np.ndarray:
    with Image.open(io.BytesIO(png)) as image:
        return np.asarray(image.convert(mode))


def test_ink_is_black_on_white_paper() -> None:
    ink_HW = torch.zeros(3, 4, dtype=torch.uint8)
    ink_HW[1, 2] = 255
    pixels = decode(drawing_png(ink_HW))
    assert pixels[1, 2] == INK
    assert (pixels == PAPER).sum() == 11


def test_greys_are_kept_and_binary_drawings_are_small() -> None:
    grey = torch.tensor([[0.0, 0.5, 1.0]])
    assert decode(drawing_png(grey)).tolist() == [[255, 127, 0]]
    binary = torch.zeros(105, 105, dtype=torch.uint8)
    binary[40:60] = 255
    assert len(drawing_png(binary)) < 200


def test_colours_are_kept() -> None:
    colours = torch.tensor([200, 100, 50], dtype=torch.uint8).view(3, 1, 1)
    assert decode(drawing_png(colours), "RGB").tolist() == [[[200, 100, 50]]]


def test_tiles_are_in_rows_on_grey() -> None:
    sheet = np.asarray(tile_images(torch.ones(5, 2, 3), n_columns=3, zoom=2))
    assert sheet.shape == (2 * (4 + GAP) + GAP, 3 * (6 + GAP) + GAP)
    assert (sheet == INK).sum() == 5 * 4 * 6
    assert sheet[0, 0] == GRID


def test_a_filter_is_stretched_from_its_lowest_to_its_highest_weight() -> None:
    filters = torch.tensor([[[-2.0, 0.0], [2.0, 1.0]], [[5.0, 5.0], [5.0, 5.0]]])
    stretched = stretch_contrast(filters)
    assert stretched[0].tolist() == [[0.0, 0.5], [1.0, 0.75]]
    assert stretched[1].abs().max() == 0


@pytest.mark.parametrize("values", [[], [0.5], [0.0, 1.0], [0.3] * 300])
def test_a_curve_of_any_length_is_drawn(values: list[float]) -> None:
    assert decode(curve_png(values, "validation accuracy")).shape == (270, 480)


def test_a_curve_ends_at_its_last_value() -> None:
    def height(last: float) -> int:
        column = decode(curve_png([0.0, last], ""), "RGB")[:, -14].astype(int)
        return int(np.argmax(column[:, 2] - column[:, 0]))

    assert height(1.0) < height(0.5) < height(0.1)
