import io
import zipfile
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from data.archive import contains_omniglot, decode_drawing, find_archives, read_archive
from data.errors import InputError

DRAWING = "images_background/Greek/character01/0394_01.png"


def png(size: int = 105, mode: str = "1", ink: tuple[int, int] = (3, 4)) -> bytes:
    image = Image.new(mode, (size, size), 255 if mode != "1" else 1)
    image.putpixel(ink, 0)
    buffer = io.BytesIO()
    image.save(buffer, "png")
    return buffer.getvalue()


def write_zip(path: Path, names: list[str]) -> Path:
    with zipfile.ZipFile(path, "w") as archive:
        for name in names:
            archive.writestr(name, png())
    return path


@pytest.mark.parametrize("mode", ["1", "L"])
def test_ink_is_255_and_paper_is_0(mode: str) -> None:
    pixels = decode_drawing(png(mode=mode, ink=(3, 4)), "x.png")
    assert pixels.dtype == np.uint8
    assert pixels[4, 3] == 255
    assert pixels.sum() == 255


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (png(size=28), r"x\.png is 28×28"),
        (png(mode="RGB"), r"x\.png .*'RGB'"),
        (b"not an image", r"x\.png"),
        (png()[:60], r"x\.png"),
    ],
    ids=["wrong size", "colours", "text", "truncated"],
)
def test_a_file_that_is_not_a_drawing_is_refused_by_name(content: bytes, message: str) -> None:
    with pytest.raises(InputError, match=message):
        decode_drawing(content, "x.png")


def test_a_zip_and_a_folder_give_the_same_files(tmp_path: Path) -> None:
    write_zip(tmp_path / "repacked.zip", [DRAWING, "images_background/notes.txt"])
    with zipfile.ZipFile(tmp_path / "repacked.zip") as archive:
        archive.extractall(tmp_path)
    folder, zipped = find_archives(tmp_path)
    assert list(read_archive(folder)) == list(read_archive(zipped)) == [(DRAWING, png())]


def test_omniglot_is_recognised_by_its_content_or_name(tmp_path: Path) -> None:
    assert not contains_omniglot(tmp_path)
    write_zip(tmp_path / "holiday.zip", ["beach.png"])
    (tmp_path / "corrupt.zip").write_bytes(b"not a zip")
    assert not contains_omniglot(tmp_path)
    write_zip(tmp_path / "repacked.zip", [DRAWING])
    assert contains_omniglot(tmp_path)
    (tmp_path / "repacked.zip").unlink()
    (tmp_path / "images_background.zip").write_bytes(b"truncated")
    assert contains_omniglot(tmp_path)


@pytest.mark.parametrize("corruption", ["truncated", "flipped bits"])
def test_a_corrupt_zip_is_refused_by_name(corruption: str, tmp_path: Path) -> None:
    path = write_zip(tmp_path / "images_background.zip", ["a/Greek/character01/0394_01.png"])
    content = bytearray(path.read_bytes())
    if corruption == "truncated":
        del content[-30:]
    else:
        content[90] ^= 0xFF
    path.write_bytes(content)
    with pytest.raises(InputError, match=r"images_background\.zip"):
        list(read_archive(path))


def test_an_extremely_large_file_in_a_zip_is_refused(tmp_path: Path) -> None:
    with zipfile.ZipFile(tmp_path / "b.zip", "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("a/Greek/character01/0394_01.png", bytes(2 << 20))
    with pytest.raises(InputError, match=r"0394_01\.png in .*b\.zip has 2097152"):
        list(read_archive(tmp_path / "b.zip"))
