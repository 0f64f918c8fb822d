"""The image set ``icons``: the same icons as several desktop themes draw them, in colour.

A group is a context of the freedesktop icon naming specification (actions, devices, …), a class is
the name of an icon, and there is one image per theme. Artists drew the icons, so they are real
drawings, but not photographs. The themes are only partly independent: MATE's began as GNOME's,
Obsidian's as Faenza's, and Moka completes Faba. Copies are left out, redrawn variants are not.

Names that share a drawing in any theme are aliases (``gtk-open``, ``document-open``); only the
name that most themes have is kept.
"""

from collections import Counter, defaultdict
from collections.abc import Iterator
from importlib.metadata import version
from pathlib import Path

import numpy as np
from image_sets_debian import package_files, package_versions
from image_sets_folder import ClassImage, ImageSet, distinct, large_enough, pixels_digest
from PIL import Image

# Debian package and folder of its theme.
THEMES = {
    "adwaita-icon-theme": "Adwaita",
    "elementary-xfce-icon-theme": "elementary-xfce",
    "faba-icon-theme": "Faba",
    "faenza-icon-theme": "Faenza",
    "gnome-icon-theme": "gnome",
    "lxde-icon-theme": "nuoveXT2",
    "mate-icon-theme": "mate",
    "moka-icon-theme": "Moka",
    "obsidian-icon-theme": "Obsidian",
    "oxygen-icon-theme": "oxygen",
    "paper-icon-theme": "Paper",
}
CONTEXTS = (
    *("actions", "apps", "categories", "devices", "emblems"),
    *("emotes", "mimetypes", "places", "status"),
)
LOGOS = ("distributor-logo", "start-here")  # each theme shows another logo
SIZE, SIZE_FOLDERS = 48, ("48", "48x48")
MIN_IMAGES, MIN_CLASSES = 4, 10
MIN_CONTRAST = 64  # range of the grey levels, of 255; below, an icon shows nothing on white

Icons = dict[str, dict[str, Path]]  # name → theme → file


def icon_files(files: list[Path]) -> tuple[Icons, dict[str, str]]:
    """Return the files of all icons of 48 pixels, and the context of every name.

    A theme that has a name in several contexts counts with the first; the context of a name is the
    one that most themes chose.

    Args:
        files: files of the packages of the themes, sorted.
    """
    icons: Icons = defaultdict(dict)
    contexts: dict[str, Counter[str]] = defaultdict(Counter)
    for file in files:
        folders = file.parts[:-1]
        theme = next((name for name in THEMES.values() if name in folders), None)
        if theme and file.suffix == ".png" and {*SIZE_FOLDERS} & {*folders}:
            icons[file.stem].setdefault(theme, file)
            named = {"mimetypes" if folder == "mimes" else folder for folder in folders}
            contexts[file.stem].update({*CONTEXTS} & named)
    context = {name: min(n, key=lambda c: (-n[c], c)) for name, n in contexts.items() if n}
    return icons, context


def read_icon(file: Path) -> Image.Image | None:
    """Return an icon on white, or None if it is not square with 48 pixels or shows nothing."""
    image = Image.open(file).convert("RGBA")
    white = Image.new("RGBA", image.size, "white")
    flat = Image.alpha_composite(white, image).convert("RGB")
    grey = np.asarray(flat.convert("L"))
    return flat if flat.size == (SIZE, SIZE) and np.ptp(grey) > MIN_CONTRAST else None


def all_icons() -> Iterator[ClassImage]:
    """Yield the icons whose name at least four themes have, without aliases."""
    icons, context = icon_files(package_files([*THEMES]))
    n_themes = {name: len(icons[name]) for name in context if name not in LOGOS}
    names = [name for name, n in n_themes.items() if n >= MIN_IMAGES]
    seen: set[str] = set()
    for name in sorted(names, key=lambda name: (-len(icons[name]), name)):
        drawn = {theme: read_icon(file) for theme, file in sorted(icons[name].items())}
        images = {theme: image for theme, image in drawn.items() if image}
        digests = {pixels_digest(image) for image in images.values()}
        if not digests & seen:
            for theme, image in images.items():
                yield ClassImage(context[name], name, theme, image)
        seen |= digests


def icons() -> list[ClassImage]:
    """Return the icons of contexts with enough classes."""
    return large_enough(distinct(all_icons()), MIN_IMAGES, MIN_CLASSES)


def versions() -> dict[str, str]:
    """Return the versions of the themes and of Pillow."""
    return package_versions([*THEMES]) | {"pillow": version("pillow")}


ICONS = ImageSet("icons of eleven desktop themes, 48 pixels, colour", False, icons, versions)
