"""The images of a folder are found by their content; what is left out is counted."""

import os
import shutil
import sys
from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace

import pytest
from PIL import Image

from data import image_files
from data.errors import InputError
from data.image_files import expand_folders, find_images, image_formats, scan_folder
from data.images import read_brightness, read_image
from model.image_inputs import support_classes

HEIC_HEAD = b"\0\0\0\x18ftypheic\0\0\0\0mif1heic"


def write_image(path: Path, file_format: str = "PNG") -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.new("L", (16, 16), 200).save(path, file_format)
    return path


@pytest.mark.parametrize(
    ("name", "file_format"),
    [
        *(("a.jfif", "JPEG"), ("a.avif", "AVIF"), ("a.jp2", "JPEG2000"), ("a.heic", "PNG")),
        *(("a", "PNG"), ("a.ico", "ICO"), ("a.png.bak", "PNG"), ("a.TIFF", "TIFF")),
    ],
)
def test_an_image_is_recognised_by_its_content(name: str, file_format: str, tmp_path: Path) -> None:
    path = write_image(tmp_path / name, file_format)
    assert find_images(tmp_path) == [path]
    assert read_brightness(path).shape == (16, 16)


def test_what_is_left_out_is_counted_by_kind(tmp_path: Path) -> None:
    write_image(tmp_path / "a/1.png")
    write_image(tmp_path / "a/.2.png")
    for name in ("notes.txt", "more.TXT", "figure.eps", "LICENSE"):
        (tmp_path / "a" / name).write_text("%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 9 9\n")
    (tmp_path / "b/c").mkdir(parents=True)
    (tmp_path / "b/c/photo.heic").write_bytes(HEIC_HEAD)
    (tmp_path / "a/back").symlink_to(tmp_path)
    os.mkfifo(tmp_path / "a/pipe.png")
    scan = scan_folder(tmp_path)
    assert scan.images == [tmp_path / "a/1.png"]
    assert scan.left_out == {
        **{"hidden": 1, ".txt": 2, ".eps": 1, "without suffix": 1},
        **{image_files.HEIC: 1, "cyclic link": 1, "device": 1},
    }
    assert scan.empty == [Path("b")]
    assert scan.notes()[0].startswith("left out: 2 .txt, 1 .eps")
    assert scan.notes()[1].endswith(": b")
    assert not scan.is_complete


def test_images_with_an_unusual_suffix_are_counted(tmp_path: Path) -> None:
    for name in ("a/1.png", "a/2.jfif", "a/3.JFIF", "a/4"):
        write_image(tmp_path / name)
    scan = scan_folder(tmp_path)
    assert scan.notes() == ["recognised by content: 2 .jfif, 1 without suffix"]
    assert scan.is_complete


def test_only_some_folders_without_an_image_are_named(tmp_path: Path) -> None:
    write_image(tmp_path / "a/1.png")
    for i in range(9):
        (tmp_path / f"b{i}").mkdir()
    [note] = scan_folder(tmp_path).notes()
    assert note.endswith(": b0, b1, b2, b3, b4 and 4 more")


def test_folders_to_compare_warn_of_what_is_left_out(tmp_path: Path) -> None:
    path = write_image(tmp_path / "a/1.png")
    (tmp_path / "a/.DS_Store").touch()
    assert expand_folders([tmp_path]) == [path]
    (tmp_path / "a/notes.txt").touch()
    with pytest.warns(UserWarning, match=r"left out: 1 \.txt, 1 hidden"):
        assert expand_folders([tmp_path]) == [path]
    with pytest.warns(UserWarning, match=r"left out: 1 \.txt, 1 hidden"):
        assert support_classes([tmp_path]) == {"a": [path]}
    assert find_images(tmp_path) == [path]


@pytest.mark.parametrize("name", ["@eaDir", "#recycle", "@Recycle", "$RECYCLE.BIN", "lost+found"])
def test_folders_of_file_servers_are_left_out(name: str, tmp_path: Path) -> None:
    path = write_image(tmp_path / "a/1.png")
    write_image(tmp_path / "a" / name / "1.png/thumbnail.jpg", "JPEG")
    assert find_images(tmp_path) == [path]
    scan = scan_folder(tmp_path)
    assert scan.left_out == {f"{name} (system folder)": 1}
    assert scan.is_complete


@pytest.mark.parametrize("name", ["a/2.png", "c", "a/a"])
def test_dead_links_are_refused_with_the_first_and_their_number(name: str, tmp_path: Path) -> None:
    write_image(tmp_path / "a/1.png")
    (tmp_path / "z").symlink_to(tmp_path / "nowhere")
    (tmp_path / name).symlink_to(tmp_path / name if name == "a/a" else tmp_path / "nowhere")
    with pytest.raises(InputError, match=rf"2 under .*{name}\..*Restore"):
        find_images(tmp_path)
    with pytest.raises(InputError, match=rf"2 under .*{name}\..*Restore"):
        expand_folders([tmp_path])


def test_a_file_is_opened_only_once_to_recognise_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = write_image(tmp_path / "a/1.jfif", "JPEG")
    write_image(tmp_path / "a/2.png")
    assert len(find_images(tmp_path)) == 2
    monkeypatch.setattr(Image, "open", lambda *_, **__: pytest.fail("opened again"))
    assert len(find_images(tmp_path)) == 2
    monkeypatch.undo()
    path.write_text("no longer an image")
    assert find_images(tmp_path) == [tmp_path / "a/2.png"]


@pytest.fixture
def pillow_heif(monkeypatch: pytest.MonkeyPatch) -> Iterator[list[str]]:
    """A stand-in for pillow-heif; the list tells whether it was registered."""
    calls: list[str] = []
    module = SimpleNamespace(register_heif_opener=lambda: calls.append("registered"))
    monkeypatch.setitem(sys.modules, "pillow_heif", module)
    monkeypatch.setattr("importlib.util.find_spec", lambda name: name)
    image_formats.cache_clear()
    yield calls
    image_formats.cache_clear()


def test_heic_is_read_if_pillow_heif_is_installed(pillow_heif: list[str]) -> None:
    assert image_formats()[-1] == "HEIF"
    assert image_formats()[:-1] == image_files.IMAGE_FORMATS
    assert pillow_heif == ["registered"]


def test_a_real_heic_is_read(tmp_path: Path) -> None:
    pytest.importorskip("pillow_heif")
    assert "HEIF" in image_formats()
    path = write_image(tmp_path / "a.heic", "HEIF")
    assert find_images(tmp_path) == [path]
    assert read_brightness(path).shape == (16, 16)


def test_a_heic_that_cannot_be_decoded_says_what_to_install(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(image_files, "image_formats", lambda: image_files.IMAGE_FORMATS)
    (tmp_path / "a.jpg").write_bytes(HEIC_HEAD)
    with pytest.raises(InputError, match=r"a\.jpg .*pillow-heif"):
        read_brightness(tmp_path / "a.jpg")
    shutil.move(tmp_path / "a.jpg", tmp_path / "a.heic")
    with pytest.raises(InputError, match=r"has none \(left out: 1 HEIC"):
        find_images(tmp_path)


def test_links_are_followed_except_cyclic_ones(tmp_path: Path) -> None:
    (tmp_path / "elsewhere").mkdir()
    write_image(tmp_path / "elsewhere/1.png")
    (tmp_path / "data/a").mkdir(parents=True)
    (tmp_path / "data/b").symlink_to(tmp_path / "elsewhere")
    (tmp_path / "data/a/back").symlink_to(tmp_path / "data")
    assert find_images(tmp_path / "data") == [tmp_path / "data/b/1.png"]
    (tmp_path / "elsewhere/cycle").symlink_to(tmp_path / "data")
    assert find_images(tmp_path / "data") == [tmp_path / "data/b/1.png"]


def test_a_folder_is_replaced_by_its_images(tmp_path: Path) -> None:
    (tmp_path / "b").mkdir()
    (tmp_path / ".cache").mkdir()
    for name in ("b/1.png", "a.PNG", ".hidden.png", ".cache/1.png"):
        write_image(tmp_path / name)
    assert [p.name for p in find_images(tmp_path)] == ["a.PNG", "1.png"]
    assert expand_folders([tmp_path / "a.PNG"]) == [tmp_path / "a.PNG"]
    (tmp_path / "empty").mkdir()
    with pytest.raises(InputError, match="empty must contain images"):
        find_images(tmp_path / "empty")
    with pytest.raises(InputError, match=r"nowhere\.png does not exist"):
        expand_folders([tmp_path / "nowhere.png"])


@pytest.mark.parametrize(
    ("error", "repair"),
    [(PermissionError(13, "Permission denied"), "permissions"), (MemoryError(), "Free memory")],
)
def test_the_repair_of_an_image_that_cannot_be_read_fits_the_cause(
    error: Exception, repair: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(*_: object, **__: object) -> None:
        raise error

    monkeypatch.setattr(Image, "open", refuse)
    with pytest.raises(InputError, match=repair) as raised:
        read_image(tmp_path / "a.png")
    assert "Remove it" not in str(raised.value)


def test_a_device_and_an_unreadable_folder_are_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    os.mkfifo(tmp_path / "pipe.png")
    with pytest.raises(InputError, match=r"pipe\.png is neither"):
        expand_folders([tmp_path / "pipe.png"])

    def refuse(path: str) -> None:
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr(os, "scandir", refuse)  # the tests may run as root
    with pytest.raises(InputError, match="permissions"):
        find_images(tmp_path)
