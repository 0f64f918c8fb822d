"""Images of many formats are read; files that are not images are refused."""

import io
import struct
import zlib
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image
from strokes import Array, near, overlap, stroke

from data.errors import InputError
from data.images import read_brightness, read_image, read_square_images
from data.preparation import Preparation, prepare_drawing

PLAIN = Preparation()


def as_mode(image: Array, mode: str) -> Image.Image:
    grey = Image.fromarray((image * 255).astype(np.uint8))
    if mode == "I;16":
        return Image.fromarray((image * 60000).astype(np.uint16))
    if mode in ("RGBA", "LA"):  # ink on a transparent background
        clear = Image.fromarray(((1 - image) * 255).astype(np.uint8))
        black = Image.new("L", clear.size, 0)
        return Image.merge("LA", (black, clear)).convert(mode)
    return grey.convert(mode)


@pytest.mark.parametrize(
    ("mode", "suffix"),
    [
        *((m, "png") for m in ("1", "L", "P", "RGB", "RGBA", "LA", "I;16")),
        *((("CMYK", "tiff"), ("F", "tiff"), ("RGB", "jpg"), ("P", "gif"), ("RGB", "webp"))),
        *((("RGB", "avif"), ("L", "jp2"), ("L", "sgi"), ("RGB", "jfif"))),
    ],
)
def test_every_image_format_gives_the_same_drawing(mode: str, suffix: str, tmp_path: Path) -> None:
    path = tmp_path / f"a.{suffix}"
    as_mode(stroke(), mode).save(path)
    drawing = prepare_drawing(read_brightness(path), PLAIN, "a")
    assert overlap(drawing, prepare_drawing(stroke(), PLAIN, "x")) > 0.9


def test_a_white_card_with_a_transparent_margin_stays_dark_on_light(tmp_path: Path) -> None:
    card = Image.fromarray((stroke(300, 4) * 255).astype(np.uint8))
    image = Image.new("LA", (340, 340), (0, 0))
    image.paste(Image.merge("LA", (card, Image.new("L", card.size, 255))), (20, 20))
    image.save(tmp_path / "a.png")
    drawing = prepare_drawing(read_brightness(tmp_path / "a.png"), PLAIN, "a")
    assert near(drawing, prepare_drawing(stroke(300, 4), PLAIN, "x")) > 0.9


def test_a_blank_scan_of_many_greys_has_no_ink(tmp_path: Path) -> None:
    rng = np.random.default_rng(0)
    scan = rng.integers(60_000, 60_010, (200, 200)).astype(np.uint16)
    Image.fromarray(scan).save(tmp_path / "a.png")
    with pytest.raises(InputError, match=r"a\.png"):
        prepare_drawing(read_brightness(tmp_path / "a.png"), PLAIN, "a.png")


def test_pixels_that_are_not_numbers_are_refused(tmp_path: Path) -> None:
    Image.fromarray(np.full((20, 20), np.nan, dtype=np.float32)).save(tmp_path / "a.tiff")
    with pytest.raises(InputError, match=r"a\.tiff.*not every pixel"):
        read_brightness(tmp_path / "a.tiff")


def test_white_ink_on_a_transparent_background_is_found(tmp_path: Path) -> None:
    clear = Image.fromarray(((1 - stroke()) * 255).astype(np.uint8))
    Image.merge("LA", (Image.new("L", clear.size, 255), clear)).save(tmp_path / "a.png")
    drawing = prepare_drawing(read_brightness(tmp_path / "a.png"), PLAIN, "a")
    assert overlap(drawing, prepare_drawing(stroke(), PLAIN, "x")) > 0.9


def test_a_photograph_taken_sideways_is_rotated_upright(tmp_path: Path) -> None:
    image = as_mode(stroke(), "RGB")
    exif = Image.Exif()
    exif[0x0112] = 6  # rotate by 90 degrees clockwise to display
    image.rotate(90, expand=True).save(tmp_path / "a.jpg", exif=exif)
    upright = prepare_drawing(read_brightness(tmp_path / "a.jpg"), PLAIN, "a")
    assert overlap(upright, prepare_drawing(stroke(), PLAIN, "x")) > 0.9


def empty_png(width: int, height: int) -> bytes:
    """Return a PNG whose header declares this size, without any pixels."""

    def chunk(name: bytes, data: bytes) -> bytes:
        body = name + data
        return struct.pack(">I", len(data)) + body + struct.pack(">I", zlib.crc32(body))

    head = chunk(b"IHDR", struct.pack(">IIBBBBB", width, height, 8, 0, 0, 0, 0))
    return b"\x89PNG\r\n\x1a\n" + head + chunk(b"IDAT", b"") + chunk(b"IEND", b"")


def valid_png() -> bytes:
    buffer = io.BytesIO()
    as_mode(stroke(), "L").save(buffer, "PNG")
    return buffer.getvalue()


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"", ""),
        (b"hello", ""),
        (valid_png()[:120], ""),
        (b"%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 9 9\n", ""),
        (empty_png(30_000, 30_000), "80,000,000 pixels"),
        (empty_png(12_000, 12_000), "80,000,000 pixels"),
        (empty_png(9_000, 9_000), "80,000,000 pixels"),
    ],
    ids=["empty", "text", "truncated", "postscript", "bomb", "small bomb", "large"],
)
def test_a_file_that_is_not_an_image_is_refused_by_name(
    content: bytes, message: str, tmp_path: Path
) -> None:
    (tmp_path / "a.png").write_bytes(content)
    with pytest.raises(InputError, match=r"a\.png") as error:
        read_brightness(tmp_path / "a.png")
    assert message in str(error.value)


def test_colours_are_read_on_white(tmp_path: Path) -> None:
    image = Image.new("RGBA", (2, 1), (255, 0, 51, 255))
    image.putpixel((1, 0), (0, 0, 0, 0))
    image.save(tmp_path / "a.png")
    colours, ranges = read_image(tmp_path / "a.png", colour=True)
    assert ranges == {}
    assert colours.dtype == np.float32
    assert colours.tolist() == [[[1, 0, pytest.approx(0.2)], [1, 1, 1]]]


def save_values(path: Path, white: float, dtype: str) -> Path:
    """Write a gradient from 0 to ``white``."""
    values = np.linspace(0, 1, 256, dtype=np.float64).reshape(16, 16) * white
    Image.fromarray(values.astype(dtype)).save(path)
    return path


@pytest.mark.parametrize(
    ("white", "dtype", "suffix"),
    [
        *((1023, "uint16", "png"), (4095, "uint16", "png"), (65535, "uint16", "png")),
        *((4095, "int32", "tiff"), (1.0, "float32", "tiff"), (0.25, "float32", "tiff")),
        *((255.0, "float32", "tiff"), (7.0, "float32", "tiff")),
    ],
)
@pytest.mark.parametrize("colour", [False, True])
def test_values_are_scaled_by_the_range_that_is_used(
    white: float, dtype: str, suffix: str, colour: bool, tmp_path: Path
) -> None:
    path = save_values(tmp_path / f"a.{suffix}", white, dtype)
    expected = np.linspace(0, 1, 256).reshape(16, 16)
    pixels, ranges = read_image(path, colour=colour)
    assert list(ranges.values()) == [(0, white)]
    for plane in pixels.transpose(2, 0, 1) if colour else [pixels]:
        np.testing.assert_allclose(plane, expected, atol=2e-3)


def test_negative_values_are_darker_than_zero(tmp_path: Path) -> None:
    values = np.array([[-1, 0, 1]], dtype=np.float32)
    Image.fromarray(values).save(tmp_path / "a.tiff")
    assert read_brightness(tmp_path / "a.tiff").tolist() == [[0, 0.5, 1]]


@pytest.mark.parametrize("colour", [False, True])
def test_all_images_of_a_set_have_one_range(
    colour: bool, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    whites = {"dark": 1000, "light": 4000, "lightest": 4095}
    paths = [save_values(tmp_path / f"{name}.png", w, "uint16") for name, w in whites.items()]
    paths.append(tmp_path / "bytes.png")
    Image.new("L", (16, 16), 100).save(paths[-1])
    opened: list[str] = []
    real_open = Image.open

    def count(path: Path, **options: Any) -> Image.Image:
        opened.append(path.stem)
        return real_open(path, **options)

    monkeypatch.setattr(Image, "open", count)
    images, _ = read_square_images(paths, 16, colour=colour)
    lightest = [int(image.max()) for image in images]
    assert lightest == [62, 249, 255, 100]
    assert opened == [*whites, "bytes", "dark"]  # only the dark one is read again
