import io
import zipfile
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from data.archive import decode_drawing, find_containers, read_entries
from data.errors import InputError
from data.omniglot import read_omniglot


def png(size: int = 105, mode: str = "1", ink: tuple[int, int] = (3, 4)) -> bytes:
    image = Image.new(mode, (size, size), 255 if mode != "1" else 1)
    image.putpixel(ink, 0)
    out = io.BytesIO()
    image.save(out, "png")
    return out.getvalue()


def make_zip(path: Path, names: list[str]) -> Path:
    with zipfile.ZipFile(path, "w") as archive:
        for name in names:
            archive.writestr(name, png())
    return path


def test_ink_is_one_and_paper_is_zero() -> None:
    pixels = decode_drawing(png(ink=(3, 4)), "x.png")
    assert pixels.dtype == np.uint8
    assert pixels[4, 3] == 255
    assert pixels.sum() == 255


@pytest.mark.parametrize("mode", ["1", "L"])
def test_black_and_white_is_read_in_either_mode(mode: str) -> None:
    assert decode_drawing(png(mode=mode), "x.png").sum() == 255


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (png(size=28), r"105×105.*x.png is 28×28 of mode '1'"),
        (png(mode="RGB"), r"mode 'RGB'.*Unpack"),
        (b"not an image", "no readable image"),
        (png()[:60], "no readable image"),
    ],
)
def test_what_is_no_drawing_is_refused_by_name(content: bytes, message: str) -> None:
    with pytest.raises(InputError, match=message):
        decode_drawing(content, "x.png")


def test_a_zip_and_a_folder_give_the_same_files(tmp_path: Path) -> None:
    names = ["images_background/Greek/character01/0394_01.png", "images_background/notes.txt"]
    make_zip(tmp_path / "repacked-by-somebody.zip", names)
    with zipfile.ZipFile(tmp_path / "repacked-by-somebody.zip") as archive:
        archive.extractall(tmp_path)
    folder, zipped = find_containers(tmp_path)
    assert list(read_entries(folder)) == list(read_entries(zipped))
    assert [name for name, _ in read_entries(zipped)] == names[:1]


def test_a_torn_zip_is_named_with_its_repair(tmp_path: Path) -> None:
    path = make_zip(tmp_path / "images_background.zip", ["a/Greek/character01/0394_01.png"])
    path.write_bytes(path.read_bytes()[:-30])
    with pytest.raises(InputError, match=r"images_background\.zip is a torn.*get it again"):
        list(read_entries(path))


def test_a_damaged_member_is_named_with_its_repair(tmp_path: Path) -> None:
    path = make_zip(tmp_path / "images_background.zip", ["a/Greek/character01/0394_01.png"])
    content = bytearray(path.read_bytes())
    content[90] ^= 0xFF
    path.write_bytes(content)
    with pytest.raises(InputError, match="torn or unreadable zip"):
        list(read_entries(path))


def test_an_absurdly_large_member_is_refused(tmp_path: Path) -> None:
    with zipfile.ZipFile(tmp_path / "b.zip", "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("a/Greek/character01/0394_01.png", bytes(2 << 20))
    with pytest.raises(InputError, match="smaller than"):
        list(read_entries(tmp_path / "b.zip"))


def test_a_folder_without_omniglot_says_what_belongs_there(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"No drawing of Omniglot.*images_background"):
        read_omniglot(tmp_path)


def test_a_missing_alphabet_is_named(tmp_path: Path) -> None:
    make_zip(tmp_path / "images_background.zip", ["a/Greek/character01/0394_01.png"])
    with pytest.raises(InputError, match="Alphabet 'Alphabet_of_the_Magi' of images_background"):
        read_omniglot(tmp_path)
