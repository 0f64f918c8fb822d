"""What kinds of image can be read, and what is no image."""

import io
import struct
import zlib
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from strokes import Array, near, overlap, stroke

from data.errors import InputError
from data.images import expand_folders, image_files, read_brightness
from data.preparation import Preparation, prepare_drawing

PLAIN = Preparation()


def as_mode(image: Array, mode: str) -> Image.Image:
    grey = Image.fromarray((image * 255).astype(np.uint8))
    if mode == "I;16":
        return Image.fromarray((image * 60000).astype(np.uint16))
    if mode in ("RGBA", "LA"):  # ink on nothing
        clear = Image.fromarray(((1 - image) * 255).astype(np.uint8))
        black = Image.new("L", clear.size, 0)
        return Image.merge("LA", (black, clear)).convert(mode)
    return grey.convert(mode)


@pytest.mark.parametrize(
    ("mode", "suffix"),
    [
        *((m, "png") for m in ("1", "L", "P", "RGB", "RGBA", "LA", "I;16")),
        *((("CMYK", "tiff"), ("F", "tiff"), ("RGB", "jpg"), ("P", "gif"), ("RGB", "webp"))),
    ],
)
def test_every_kind_of_image_gives_the_same_drawing(mode: str, suffix: str, tmp_path: Path) -> None:
    path = tmp_path / f"a.{suffix}"
    as_mode(stroke(), mode).save(path)
    found = prepare_drawing(read_brightness(path), PLAIN, "a")
    assert overlap(found, prepare_drawing(stroke(), PLAIN, "x")) > 0.9


def test_a_white_card_with_a_transparent_margin_stays_dark_on_light(tmp_path: Path) -> None:
    card = Image.fromarray((stroke(300, 4) * 255).astype(np.uint8))
    image = Image.new("LA", (340, 340), (0, 0))
    image.paste(Image.merge("LA", (card, Image.new("L", card.size, 255))), (20, 20))
    image.save(tmp_path / "a.png")
    found = prepare_drawing(read_brightness(tmp_path / "a.png"), PLAIN, "a")
    assert near(found, prepare_drawing(stroke(300, 4), PLAIN, "x")) > 0.9


def test_a_blank_scan_of_many_greys_has_no_ink(tmp_path: Path) -> None:
    rng = np.random.default_rng(0)
    scan = rng.integers(60_000, 60_010, (200, 200)).astype(np.uint16)
    Image.fromarray(scan).save(tmp_path / "a.png")
    with pytest.raises(InputError, match="No ink"):
        prepare_drawing(read_brightness(tmp_path / "a.png"), PLAIN, "a")


def test_pixels_that_are_no_numbers_are_refused(tmp_path: Path) -> None:
    Image.fromarray(np.full((20, 20), np.nan, dtype=np.float32)).save(tmp_path / "a.tiff")
    with pytest.raises(InputError, match="not every pixel is a number"):
        read_brightness(tmp_path / "a.tiff")


def test_white_ink_on_nothing_is_seen(tmp_path: Path) -> None:
    clear = Image.fromarray(((1 - stroke()) * 255).astype(np.uint8))
    Image.merge("LA", (Image.new("L", clear.size, 255), clear)).save(tmp_path / "a.png")
    found = prepare_drawing(read_brightness(tmp_path / "a.png"), PLAIN, "a")
    assert overlap(found, prepare_drawing(stroke(), PLAIN, "x")) > 0.9


def test_a_photograph_taken_sideways_is_turned_upright(tmp_path: Path) -> None:
    image = as_mode(stroke(), "RGB")
    exif = Image.Exif()
    exif[0x0112] = 6  # turn by 90 degrees clockwise to show
    image.rotate(90, expand=True).save(tmp_path / "a.jpg", exif=exif)
    upright = prepare_drawing(read_brightness(tmp_path / "a.jpg"), PLAIN, "a")
    assert overlap(upright, prepare_drawing(stroke(), PLAIN, "x")) > 0.9


def png_of(width: int, height: int) -> bytes:
    """A PNG that says it has so many pixels and holds none."""

    def chunk(name: bytes, data: bytes) -> bytes:
        body = name + data
        return struct.pack(">I", len(data)) + body + struct.pack(">I", zlib.crc32(body))

    head = chunk(b"IHDR", struct.pack(">IIBBBBB", width, height, 8, 0, 0, 0, 0))
    return b"\x89PNG\r\n\x1a\n" + head + chunk(b"IDAT", b"") + chunk(b"IEND", b"")


def good_png() -> bytes:
    buffer = io.BytesIO()
    as_mode(stroke(), "L").save(buffer, "PNG")
    return buffer.getvalue()


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"", "no image that can be read"),
        (b"hello", "no image that can be read"),
        (good_png()[:120], "no image that can be read"),
        (b"%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 9 9\n", "no image that can be read"),
        (png_of(30_000, 30_000), "at most 80,000,000 pixels"),
        (png_of(12_000, 12_000), "at most 80,000,000 pixels"),
        (png_of(9_000, 9_000), "at most 80,000,000 pixels"),
    ],
    ids=["empty", "text", "torn", "postscript", "bomb", "small bomb", "large"],
)
def test_what_is_no_image_is_named(content: bytes, message: str, tmp_path: Path) -> None:
    (tmp_path / "a.png").write_bytes(content)
    with pytest.raises(InputError, match=message) as error:
        read_brightness(tmp_path / "a.png")
    assert "a.png" in str(error.value)


def test_links_are_followed_and_lead_not_in_circles(tmp_path: Path) -> None:
    (tmp_path / "elsewhere").mkdir()
    (tmp_path / "elsewhere/1.png").write_bytes(good_png())
    (tmp_path / "data/a").mkdir(parents=True)
    (tmp_path / "data/b").symlink_to(tmp_path / "elsewhere")
    (tmp_path / "data/a/back").symlink_to(tmp_path / "data")
    assert image_files(tmp_path / "data") == [tmp_path / "data/b/1.png"]
    (tmp_path / "elsewhere/round").symlink_to(tmp_path / "data")
    assert image_files(tmp_path / "data") == [tmp_path / "data/b/1.png"]


def test_a_folder_stands_for_its_images(tmp_path: Path) -> None:
    (tmp_path / "b").mkdir()
    (tmp_path / ".cache").mkdir()
    for name in ("b/1.png", "a.PNG", ".hidden.png", ".cache/1.png", "notes.txt", "paper.pdf"):
        (tmp_path / name).write_bytes(good_png())
    assert [p.name for p in image_files(tmp_path)] == ["a.PNG", "1.png"]
    assert expand_folders([tmp_path / "a.PNG"]) == [tmp_path / "a.PNG"]
    (tmp_path / "empty").mkdir()
    with pytest.raises(InputError, match="No image lies under"):
        image_files(tmp_path / "empty")
    with pytest.raises(InputError, match="does not exist"):
        expand_folders([tmp_path / "nowhere.png"])
