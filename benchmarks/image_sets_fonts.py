"""The image set ``fonts``: characters of 17 scripts as the fonts of Debian packages draw them.

A group is a script, a class is a character, and there is one image per design of a font, at most
20 designs. Fonts with the same first two words in their names (``Noto Sans``, ``Noto Sans Thai``)
count as one design and only regular weights are used, so the images of a class come from
different designers, with few exceptions (fonts that began as copies of another).

Characters are left out that look like one of another group: Greek ``Α``, Cyrillic ``Г``, the small
letters that are smaller capital letters. Otherwise train and test would have classes in common. A
glyph is left out if the font does not have it, if it is empty, if the font draws the same for
another character of the script (a box, as a rule), or if it equals an earlier image.
"""

import hashlib
from collections.abc import Iterator
from functools import cache
from importlib.metadata import version
from pathlib import Path
from typing import NamedTuple

from image_sets_debian import package_files, package_versions
from image_sets_folder import ClassImage, ImageSet, large_enough, pixels_digest
from image_sets_scripts import FONT_PACKAGES, SCRIPTS
from PIL import Image, ImageFont, ImageOps, features

SIZE, INK_SIZE = 64, 48  # pixels of an image, and of the longer side of its ink
DRAWN_SIZE = 192  # pixels per em at which a glyph is drawn before it is made smaller
MAX_FONTS, MIN_FONTS, MIN_CLASSES = 20, 4, 10
REGULAR = ("regular", "book", "roman", "normal", "medium", "")
UNUSABLE = ("Keyboard", "Initials", "DedaEna Block")  # letters in a frame or between lines
NOT_CHARACTERS = ("\uffff", "\U0010fffe")  # every font draws its sign for a missing glyph


class Design(NamedTuple):
    """A font file; ``name`` is the same for fonts of one design."""

    name: str
    family: str
    file: Path


@cache
def open_font(file: Path) -> ImageFont.FreeTypeFont:
    """Return a font at the size at which glyphs are drawn."""
    return ImageFont.truetype(file, DRAWN_SIZE, layout_engine=ImageFont.Layout.BASIC)


def regular_fonts(files: list[Path]) -> list[Design]:
    """Return the fonts of regular weight, in a fixed order that prefers no name.

    Args:
        files: files of packages; those that are not fonts are ignored.
    """
    designs = []
    for file in files:
        if file.suffix.lower() in (".ttf", ".otf", ".ttc"):
            family, style = open_font(file).getname()
            usable = family and not any(words in family for words in UNUSABLE)
            if family and usable and (style or "").lower() in REGULAR:
                name = "-".join(family.split()[:2])
                designs.append(Design("".join(c for c in name if c.isalnum()), family, file))
    return sorted(designs, key=_order)


def _order(design: Design) -> tuple[bytes, int, str]:
    name = hashlib.sha256(design.name.encode()).digest()
    return name, len(design.family), str(design.file)  # Noto Sans before Noto Sans Mono


@cache
def missing_glyphs(file: Path) -> set[str]:
    """Return digests of what a font draws in place of a glyph that it does not have."""
    images = (draw_ink(file, character) for character in NOT_CHARACTERS)
    return {pixels_digest(image) for image in images if image}


def draw_ink(file: Path, character: str) -> Image.Image | None:
    """Return a character in black on white, cropped to its ink; None if it has no ink."""
    font = open_font(file)
    mask = font.getmask(character)
    if not mask.getbbox():
        return None
    ink = Image.frombytes("L", mask.size, bytes(mask)).crop(mask.getbbox())
    return ImageOps.invert(ink)


def draw_glyph(file: Path, character: str) -> Image.Image | None:
    """Return the image of a character, 64×64 uint8; None if the font does not have it."""
    ink = draw_ink(file, character)
    if ink is None or pixels_digest(ink) in missing_glyphs(file):
        return None
    ink = ImageOps.contain(ink, (INK_SIZE, INK_SIZE), Image.Resampling.BOX)
    image = Image.new("L", (SIZE, SIZE), 255)
    image.paste(ink, ((SIZE - ink.width) // 2, (SIZE - ink.height) // 2))
    return image


def draw_all(fonts: list[Design], scripts: dict[str, str]) -> Iterator[ClassImage]:
    """Yield every character of every script, by one font of each design.

    Args:
        fonts: fonts, the preferred ones first.
        scripts: characters by script.
    """
    seen: set[str] = set()
    for script, characters in scripts.items():
        images: dict[str, ClassImage] = {}  # by digest
        boxes: set[str] = set()  # digests of what a font draws for several characters
        for character in characters:
            used: set[str] = set()
            for font in fonts:
                if font.name in used or len(used) == MAX_FONTS:
                    continue
                image = draw_glyph(font.file, character)
                if image is None:
                    continue
                digest = pixels_digest(image)
                if digest not in seen:
                    seen.add(digest)
                    used.add(font.name)
                    label = f"u{ord(character):04x}"
                    images[digest] = ClassImage(script, label, font.name, image)
                elif digest in images and images[digest].origin == font.name:
                    boxes.add(digest)
        yield from (each for digest, each in images.items() if digest not in boxes)


def fonts() -> list[ClassImage]:
    """Return the characters that enough fonts have, of scripts with enough of them."""
    designs = regular_fonts(package_files(FONT_PACKAGES))
    return large_enough(draw_all(designs, SCRIPTS), MIN_FONTS, MIN_CLASSES)


def versions() -> dict[str, str]:
    """Return the versions of the fonts, of Pillow and of its FreeType."""
    freetype = features.version("freetype2") or "unknown"
    return package_versions(FONT_PACKAGES) | {"pillow": version("pillow"), "freetype": freetype}


FONTS = ImageSet("characters of 17 scripts in up to 20 fonts, 64 pixels", False, fonts, versions)
