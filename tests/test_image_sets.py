"""The image sets of the benchmarks, with small stand-ins for packages that may be missing."""

import json
import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import Any

import image_sets_debian
import image_sets_digits
import image_sets_fonts
import image_sets_icons
import image_sets_sprites
import numpy as np
import pytest
import torch
from image_sets import COMMITTED, SETS, comparison
from image_sets_debian import package_versions
from image_sets_folder import ClassImage, ImageSet, distinct, large_enough, write_set
from image_sets_fonts import Design, draw_all, draw_glyph
from image_sets_icons import icon_files
from image_sets_photos import regions_of
from PIL import Image, ImageDraw, ImageFont

from data.drawings import Drawings
from data.errors import InputError
from data.image_folder import inspect_folder, read_image_folder
from data.splits import split_dataset


def noise(seed: int, size: int = 32) -> Image.Image:
    pixels = np.random.default_rng(seed).integers(0, 256, (size, size, 3), dtype=np.uint8)
    return Image.fromarray(pixels)


def made(groups: str = "abc", n_classes: int = 3, n_images: int = 4) -> list[ClassImage]:
    places = [(g, c, i) for g in groups for c in range(n_classes) for i in range(n_images)]
    return [ClassImage(g, f"c{c}", f"i{i}", noise(n)) for n, (g, c, i) in enumerate(places)]


def image_set(images: list[ClassImage]) -> ImageSet:
    return ImageSet("noise", False, lambda: images, lambda: {"numpy": "0"})


def test_a_set_is_a_folder_that_studies_read(tmp_path: Path) -> None:
    summary = write_set(tmp_path, "noise", image_set(made()))
    assert (summary.groups, summary.classes, summary.images) == (3, 9, 36)
    folder = inspect_folder(tmp_path / "noise", None, colour=True)
    assert not folder.by_class
    parts = split_dataset(read_image_folder(tmp_path / "noise", folder, 28))
    assert [part.n_characters for part in (parts.train, parts.val, parts.test)] == [3, 3, 3]


def test_a_set_is_deterministic_and_its_digest_depends_on_names_and_pixels(tmp_path: Path) -> None:
    images = made()
    first, again = (write_set(tmp_path / name, "noise", image_set(images)) for name in "ab")
    assert first == again
    files = [sorted((tmp_path / name).rglob("*.png")) for name in "ab"]
    assert [f.read_bytes() for f in files[0]] == [f.read_bytes() for f in files[1]]
    for i, changed in enumerate(
        (images[0]._replace(label="c9"), images[0]._replace(image=noise(99)))
    ):
        other = write_set(tmp_path / str(i), "noise", image_set([changed, *images[1:]]))
        assert other.digest != first.digest


def test_a_set_is_not_mixed_with_other_files(tmp_path: Path) -> None:
    write_set(tmp_path, "noise", image_set(made()))
    with pytest.raises(InputError, match=r"new or empty.*noise.*Delete it"):
        write_set(tmp_path, "noise", image_set(made()))


def test_copies_and_small_classes_and_groups_are_left_out() -> None:
    images = made("ab", 2, 3)
    assert [*distinct([*images, images[0]._replace(group="z")])] == images
    assert large_enough(images[1:], 3, 1) == images[3:]
    assert large_enough(images[1:], 3, 2) == images[6:]


def stand_in_digits(*_: object) -> Drawings:
    generator = torch.Generator().manual_seed(0)
    return Drawings(
        name="mnist",
        digest="0",
        alphabets=("digits",),
        images_NHW=torch.randint(256, (600, 28, 28), generator=generator, dtype=torch.uint8),
        alphabet_N=torch.zeros(600, dtype=torch.int64),
        character_N=torch.arange(10).repeat_interleave(60),
        drawer_N=torch.arange(60).repeat(10),
    )


def test_digits_are_divided_by_class(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(image_sets_digits, "load_mnist", stand_in_digits)
    summary = write_set(tmp_path, "digits", SETS["digits"])
    assert (summary.groups, summary.classes, summary.images) == (1, 10, 400)
    folder = inspect_folder(tmp_path / "digits", None, colour=False)
    assert folder.by_class
    parts = split_dataset(read_image_folder(tmp_path / "digits", folder, 28))
    assert [part.n_characters for part in (parts.train, parts.val, parts.test)] == [6, 2, 2]


class StandInFont:
    """Draws ``x`` and ``y`` with its number, a box for most other characters, nothing for ``e``."""

    def __init__(self, number: int) -> None:
        self.number = number

    def getmask(self, character: str) -> Any:
        image = Image.new("L", (40, 40))
        draw = ImageDraw.Draw(image)
        if character in "xy":
            draw.line((0, 0, 20, 9 + self.number), fill=255, width=3 + (character == "y"))
        elif character != "e":
            draw.rectangle((0, 0, 9 + (character in "vw"), 20), fill=255)
        return image.im


def stand_in_fonts(monkeypatch: pytest.MonkeyPatch, n: int) -> list[Design]:
    monkeypatch.setattr(image_sets_fonts, "open_font", lambda file: StandInFont(int(file.stem)))
    image_sets_fonts.missing_glyphs.cache_clear()
    return [Design(f"font{i}", f"Font {i}", Path(f"{i}.ttf")) for i in range(n)]


def test_a_character_has_one_image_per_design(monkeypatch: pytest.MonkeyPatch) -> None:
    designs = stand_in_fonts(monkeypatch, 3)
    images = [*draw_all([*designs, designs[0]._replace(file=Path("7.ttf"))], {"s": "xye"})]
    assert [(each.label, each.origin) for each in images] == [
        (label, f"font{i}") for label in ("u0078", "u0079") for i in range(3)
    ]
    assert {each.image.size for each in images} == {(64, 64)}


def test_glyphs_that_a_font_lacks_are_left_out(monkeypatch: pytest.MonkeyPatch) -> None:
    [design] = stand_in_fonts(monkeypatch, 1)
    assert draw_glyph(design.file, "a") is None, "as U+FFFF"
    assert draw_glyph(design.file, "e") is None, "empty"
    assert draw_glyph(design.file, "v") is not None
    assert [each.label for each in draw_all([design], {"s": "vxw"})] == ["u0078"], "v equals w"


def test_a_real_font_fills_the_middle_of_the_image(monkeypatch: pytest.MonkeyPatch) -> None:
    font = ImageFont.load_default(192)
    monkeypatch.setattr(image_sets_fonts, "open_font", lambda _: font)
    image_sets_fonts.missing_glyphs.cache_clear()
    image = draw_glyph(Path("default"), "A")
    assert image is not None
    left, top, right, bottom = Image.eval(image, lambda level: 255 - level).getbbox() or [0] * 4
    assert max(right - left, bottom - top) == 48
    assert abs(left + right - 64) <= 1
    assert abs(top + bottom - 64) <= 1


def write_icon(folder: Path, name: str, seed: int) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    noise(seed, 48).save(folder / f"{name}.png")


def test_an_icon_has_one_image_per_theme_and_aliases_are_left_out(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for i, theme in enumerate(("Adwaita/48x48/actions", "Faenza/actions/48", "gnome/48x48/places")):
        write_icon(tmp_path / theme, "open", i)
        write_icon(tmp_path / theme, "alias", i)
        write_icon(tmp_path / theme, "save", 10 + i)
    write_icon(tmp_path / "mate/48x48/actions", "open", 3)
    write_icon(tmp_path / "mate/22x22/actions", "save", 13)
    files = sorted(tmp_path.rglob("*.png"))
    icons, context = icon_files(files)
    assert sorted(icons["open"]) == ["Adwaita", "Faenza", "gnome", "mate"]
    assert context["open"] == "actions"
    monkeypatch.setattr(image_sets_icons, "package_files", lambda _: files)
    monkeypatch.setattr(image_sets_icons, "MIN_IMAGES", 3)
    monkeypatch.setattr(image_sets_icons, "MIN_CLASSES", 1)
    images = image_sets_icons.icons()
    assert [each.label for each in images] == ["open"] * 4 + ["save"] * 3


def test_sprites_are_poses_of_a_unit_of_a_people(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = tmp_path / image_sets_sprites.UNITS / "drakes"
    names = ["burner", *(f"burner-fire-{i}" for i in range(20)), "burner-die-1", "other-pose-1"]
    for seed, name in enumerate(names):
        file = folder / f"{name}.png"
        file.parent.mkdir(parents=True, exist_ok=True)
        noise(seed, 72).save(file)
    noise(99, 60).save(folder / "burner-small.png")
    files = sorted(tmp_path.rglob("*.png"))
    monkeypatch.setattr(image_sets_sprites, "package_files", lambda _: files)
    monkeypatch.setattr(image_sets_sprites, "MIN_CLASSES", 1)
    images = image_sets_sprites.sprites()
    assert {(each.group, each.label) for each in images} == {("drakes", "burner")}
    assert len(images) == image_sets_sprites.MAX_IMAGES
    origins = [each.origin for each in images]
    assert {"burner", "burner-die-1", "burner-small"} & {*origins} == {"burner"}


def test_a_region_is_nine_tiles_that_do_not_overlap() -> None:
    photograph = noise(0, 200)
    photograph.paste("white", (96, 0, 192, 40))
    regions = dict(regions_of(photograph))
    assert [*regions] == ["row00-column00", "row01-column00", "row01-column01"]
    tiles = np.stack([np.asarray(tile) for tile in regions["row01-column00"]])
    rows = [np.concatenate([*tiles[3 * i : 3 * i + 3]], axis=1) for i in range(3)]
    assert np.array_equal(np.concatenate(rows), np.asarray(photograph)[96:192, :96])


def missing_photos(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("importlib.util.find_spec", lambda _: None)


def missing_dpkg(monkeypatch: pytest.MonkeyPatch) -> None:
    def run(words: list[str], **_: object) -> None:
        raise FileNotFoundError(words[0])

    monkeypatch.setattr(subprocess, "run", run)


def missing_packages(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(image_sets_debian, "_dpkg_query", lambda *_: "rc \tculmus\t1\n")


@pytest.mark.parametrize(
    ("name", "remove", "repair"),
    [
        ("photos", missing_photos, "uv sync --group sets"),
        ("fonts", missing_dpkg, "--set"),
        ("fonts", missing_packages, "apt-get install .* culmus"),
        ("icons", missing_packages, "apt-get install .* gnome-icon-theme"),
    ],
)
def test_a_missing_source_is_one_line(
    name: str,
    remove: Callable[[pytest.MonkeyPatch], None],
    repair: str,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    remove(monkeypatch)
    with pytest.raises(InputError, match=repair) as error:
        write_set(tmp_path, name, SETS[name])
    assert "\n" not in str(error.value)
    assert not (tmp_path / name).exists()


def test_versions_are_those_of_the_packages(monkeypatch: pytest.MonkeyPatch) -> None:
    def run(words: list[str], **_: object) -> subprocess.CompletedProcess[str]:
        return subprocess.CompletedProcess(words, 0, "ii \ta\t1.0-2\nii \tb\t3\n", "")

    monkeypatch.setattr(subprocess, "run", run)
    assert package_versions(["a"]) == {"a": "1.0-2"}


def test_the_committed_results_describe_every_set(tmp_path: Path) -> None:
    rows = json.loads(COMMITTED.read_text())
    assert [row["name"] for row in rows] == [*SETS]
    for row in rows:
        assert row["real"] == SETS[row["name"]].real
        assert row["source"] == SETS[row["name"]].source
        assert (
            f"| {row['groups']} | {row['classes']} | {row['images']:,} |"
            in (COMMITTED.parents[2] / "docs/image-sets.md").read_text()
        )
    summary = write_set(tmp_path, "noise", image_set(made()))
    versions: dict[str, object] = {"made_from": {"numpy": "1"}}
    same, other = (versions | {"digest": digest} for digest in (summary.digest, ""))
    assert comparison(summary, same) == "as committed"
    assert "NOT as committed" in comparison(summary, other)
    assert "numpy" in comparison(summary, other)
