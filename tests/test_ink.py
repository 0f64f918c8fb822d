"""From pictures of any kind to drawings."""

import io
import struct
import zlib
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pytest
import torch
import torch.nn.functional as F
from PIL import Image
from torch import Tensor

from data.episodes import Packed
from data.errors import InputError
from data.images import expand, image_files, read_brightness
from data.ink import INK_SHARE, PEN, Preparation, find_ink, pen_width, prepare

Array = npt.NDArray[np.float32]
PLAIN = Preparation()


def stroke(size: int = 105, pen: int = 3) -> Array:
    """A hook, black on white."""
    image = np.ones((size, size), dtype=np.float32)
    a, b, c = round(0.2 * size), round(0.5 * size), round(0.8 * size)
    image[a:c, a : a + pen] = 0
    image[c - pen : c, a:c] = 0
    image[b:c, c - pen : c] = 0
    return image


def overlap(a: Tensor, b: Tensor) -> float:
    """Ink of both as a share of ink of either."""
    return (((a > 127) & (b > 127)).sum() / ((a > 127) | (b > 127)).sum()).item()


def near(a: Tensor, b: Tensor) -> float:
    """The least share of one's ink that lies within a pixel of the other's."""
    wide_a, wide_b = (F.max_pool2d(x[None].float(), 3, 1, 1)[0] > 127 for x in (a, b))
    return min((wide_b[a > 127]).float().mean().item(), (wide_a[b > 127]).float().mean().item())


def photograph(image: Array, *, seed: int = 0) -> Array:
    """Grey paper with a shadow across it and noise, the drawing somewhere on it, in soft ink."""
    rng = np.random.default_rng(seed)
    large = np.kron(1 - image, np.ones((4, 4), dtype=np.float32))
    paper = np.full((700, 900), 0.75, dtype=np.float32)
    paper[150 : 150 + len(large), 300 : 300 + len(large)] -= 0.45 * large
    shadow = np.linspace(0.5, 1.0, 900, dtype=np.float32)
    noise = rng.normal(0, 0.03, paper.shape).astype(np.float32)
    return np.asarray((paper * shadow + noise).clip(0, 1))


def test_a_drawing_as_it_is_stays_what_it_is(packed_105: Packed) -> None:
    for image in packed_105.drawings.images_NHW[::200]:
        brightness = 1 - image.numpy().astype(np.float32) / 255
        found = prepare(brightness, Preparation(as_is=True), "x")
        assert (found != image).float().mean() < 0.001


def test_ink_is_found_be_it_dark_or_light() -> None:
    dark = prepare(stroke(), PLAIN, "x")
    light = prepare(1 - stroke(), PLAIN, "x")
    assert overlap(dark, light) > 0.98
    forced = prepare(1 - stroke(), Preparation(light_ink=True), "x")
    assert overlap(dark, forced) > 0.98
    wrong = prepare(stroke(), Preparation(light_ink=True, as_is=True), "x")
    assert overlap(prepare(stroke(), Preparation(as_is=True), "x"), wrong) < 0.3


def test_place_size_and_pen_do_not_matter() -> None:
    wanted = prepare(stroke(), PLAIN, "x")
    small = np.ones((200, 300), dtype=np.float32)
    small[20:125, 150:255] = stroke()
    assert overlap(prepare(small, PLAIN, "x"), wanted) > 0.8
    assert near(prepare(stroke(420, pen=30), PLAIN, "x"), wanted) > 0.9
    assert near(prepare(stroke(28, pen=1), PLAIN, "x"), wanted) > 0.9


def test_a_photograph_with_a_shadow_gives_the_drawing_on_it() -> None:
    assert overlap(prepare(photograph(stroke()), PLAIN, "x"), prepare(stroke(), PLAIN, "x")) > 0.75


def test_a_prepared_drawing_has_omniglots_size_and_pen() -> None:
    found = prepare(stroke(300, pen=20), PLAIN, "x")
    rows = (found > 0).any(1).nonzero()
    assert (rows.max() - rows.min() + 1).item() == pytest.approx(INK_SHARE * 105, abs=5)
    assert set(found.unique().tolist()) == {0, 255}
    large = np.kron(found.numpy() > 0, np.ones((4, 4), dtype=bool))
    assert pen_width(large) == pytest.approx(PEN, rel=0.25)


@pytest.mark.omniglot
def test_the_constants_are_those_of_omniglots_training_drawings(omniglot_105: Packed) -> None:
    from data.splits import split

    sides, pens = [], []
    for image in split(omniglot_105).train.images_NHW[::50].numpy() > 0:
        rows, columns = (np.flatnonzero(image.any(axis)) for axis in (1, 0))
        sides.append((max(np.ptp(rows), np.ptp(columns)) + 1) / 105)
        pens.append(pen_width(np.kron(image, np.ones((4, 4), dtype=bool))))
    assert np.median(sides) == pytest.approx(INK_SHARE, abs=0.02)
    assert np.median(pens) == pytest.approx(PEN, rel=0.05)


def test_greys_are_kept_on_demand() -> None:
    found = prepare(photograph(stroke()), Preparation(binarise=False), "x")
    assert len(found.unique()) > 10
    far = F.max_pool2d(prepare(stroke(), PLAIN, "x")[None].float(), 9, 1, 4)[0] == 0
    assert found[far].max() == 0, "no greys beyond black or white have come round"
    hard = prepare(stroke(40), Preparation(binarise=False), "x")
    assert hard[F.max_pool2d(hard[None].float(), 3, 1, 1)[0] < 128].max() < 128
    assert overlap(found, prepare(stroke(), PLAIN, "x")) > 0.4


def test_many_equal_blots_are_ink() -> None:
    dotted = np.ones((420, 420), dtype=np.float32)
    dotted[20:400:25, 20:400:25] = 0
    dotted[21:400:25, 20:400:25] = 0
    assert (prepare(dotted, PLAIN, "x") > 0).float().mean() > 0.02


def test_specks_are_no_ink() -> None:
    dusty = stroke(420, 12)
    dusty[5:7, 5:7] = 0
    assert overlap(prepare(dusty, PLAIN, "x"), prepare(stroke(420, 12), PLAIN, "x")) > 0.98


@pytest.mark.parametrize("value", [0.0, 0.5, 1.0])
def test_where_nothing_is_to_be_seen_there_is_no_drawing(value: float) -> None:
    rng = np.random.default_rng(0)
    blank = np.full((700, 900), value, dtype=np.float32)
    noisy = (blank + rng.normal(0, 0.02, blank.shape).astype(np.float32)).clip(0, 1)
    for image in (blank, noisy):
        with pytest.raises(InputError, match=r"No ink is to be seen on a\.png.*clearer"):
            prepare(image, PLAIN, "a.png")


def test_a_single_pixel_and_a_strip_are_no_bug() -> None:
    with pytest.raises(InputError, match="No ink"):
        prepare(np.ones((1, 1), dtype=np.float32), PLAIN, "x")
    strip = np.ones((1, 50), dtype=np.float32)
    strip[0, 20:25] = 0
    assert find_ink(strip, None).shape == strip.shape


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
    found = prepare(read_brightness(path), PLAIN, "a")
    assert overlap(found, prepare(stroke(), PLAIN, "x")) > 0.9


def test_a_white_card_with_a_transparent_margin_stays_dark_on_light(tmp_path: Path) -> None:
    card = Image.fromarray((stroke(300, 4) * 255).astype(np.uint8))
    image = Image.new("LA", (340, 340), (0, 0))
    image.paste(Image.merge("LA", (card, Image.new("L", card.size, 255))), (20, 20))
    image.save(tmp_path / "a.png")
    found = prepare(read_brightness(tmp_path / "a.png"), PLAIN, "a")
    assert near(found, prepare(stroke(300, 4), PLAIN, "x")) > 0.9


def test_a_blank_scan_of_many_greys_has_no_ink(tmp_path: Path) -> None:
    rng = np.random.default_rng(0)
    scan = rng.integers(60_000, 60_010, (200, 200)).astype(np.uint16)
    Image.fromarray(scan).save(tmp_path / "a.png")
    with pytest.raises(InputError, match="No ink"):
        prepare(read_brightness(tmp_path / "a.png"), PLAIN, "a")


def test_pixels_that_are_no_numbers_are_refused(tmp_path: Path) -> None:
    Image.fromarray(np.full((20, 20), np.nan, dtype=np.float32)).save(tmp_path / "a.tiff")
    with pytest.raises(InputError, match="not every pixel is a number"):
        read_brightness(tmp_path / "a.tiff")


def test_white_ink_on_nothing_is_seen(tmp_path: Path) -> None:
    clear = Image.fromarray(((1 - stroke()) * 255).astype(np.uint8))
    Image.merge("LA", (Image.new("L", clear.size, 255), clear)).save(tmp_path / "a.png")
    found = prepare(read_brightness(tmp_path / "a.png"), PLAIN, "a")
    assert overlap(found, prepare(stroke(), PLAIN, "x")) > 0.9


def test_a_photograph_taken_sideways_is_turned_upright(tmp_path: Path) -> None:
    image = as_mode(stroke(), "RGB")
    exif = Image.Exif()
    exif[0x0112] = 6  # turn by 90 degrees clockwise to show
    image.rotate(90, expand=True).save(tmp_path / "a.jpg", exif=exif)
    upright = prepare(read_brightness(tmp_path / "a.jpg"), PLAIN, "a")
    assert overlap(upright, prepare(stroke(), PLAIN, "x")) > 0.9


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


def test_a_folder_stands_for_its_images(tmp_path: Path) -> None:
    (tmp_path / "b").mkdir()
    (tmp_path / ".cache").mkdir()
    for name in ("b/1.png", "a.PNG", ".hidden.png", ".cache/1.png", "notes.txt", "paper.pdf"):
        (tmp_path / name).write_bytes(good_png())
    assert [p.name for p in image_files(tmp_path)] == ["a.PNG", "1.png"]
    assert expand([tmp_path / "a.PNG"]) == [tmp_path / "a.PNG"]
    (tmp_path / "empty").mkdir()
    with pytest.raises(InputError, match="No image lies under"):
        image_files(tmp_path / "empty")
    with pytest.raises(InputError, match="does not exist"):
        expand([tmp_path / "nowhere.png"])


def test_a_prepared_image_is_uint8_of_omniglots_size() -> None:
    found = prepare(photograph(stroke()), PLAIN, "x")
    assert found.dtype == torch.uint8
    assert found.shape == (105, 105)
