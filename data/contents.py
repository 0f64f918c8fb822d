"""What a data set contains and how it is divided, as one line of text."""

from pathlib import Path

import torch

from data.division import Division, unused_groups
from data.drawings import Drawings
from data.duplicates import count_copies, recurring_names
from data.image_files import MAX_NAMES, FolderScan, scan_folder
from data.image_folder import ImageFolder, classes_of_files, folder_groups, parse_dataset_name
from data.labels import alphabet_label, character_label
from data.splits import alphabets_by_part
from data.text import make_printable

MIN_VALIDATION = 3  # groups or classes; with fewer, a study can hardly choose
SAME_NAME = "--same-name-is-same-class"


def data_summary(
    drawings: Drawings, data_root: Path | None, division: Division | None = None
) -> str:
    """Return one line with the contents of a data set, its split, and what is left out.

    Args:
        drawings: all drawings of the data set.
        data_root: folder of the images of an image folder.
        division: a user's own division; None for that of the data set.
    """
    folder = parse_dataset_name(drawings.name)
    scan = scan_folder(data_root) if folder and data_root else None
    notes = [
        f"{drawings.name}: {_contents(drawings, _n_groups(drawings, folder, scan, data_root))}",
        f"{_split_rule(folder)}{'; '.join(_part_contents(drawings, folder, division))}",
        *_few_notes(drawings, folder, division),
        *_unused_notes(drawings, folder, data_root, division),
        *(
            _leak_notes(drawings, folder, _used_images(scan, data_root, division), data_root)
            if folder and scan and data_root
            else []
        ),
        *(scan.notes() if scan else []),
    ]
    return make_printable(" · ".join(notes))


def _n_groups(
    drawings: Drawings, folder: ImageFolder | None, scan: FolderScan | None, root: Path | None
) -> int:
    """Return the number of groups or alphabets; classes without a group have none."""
    if scan is None or root is None or not (folder and folder.by_class):
        return len(drawings.alphabets)
    classes = classes_of_files(root, scan.images).values()
    return len({group for group, _ in classes if group})


def _few_notes(
    drawings: Drawings, folder: ImageFolder | None, division: Division | None
) -> list[str]:
    """Return a caveat if validation has too few groups (or classes, if it has one group)."""
    names = alphabets_by_part(drawings, division)["val"]
    is_by_class = len(names) == 1 or (folder is not None and folder.by_class)
    n = len(drawings.character_N[drawings.positions(names)].unique()) if is_by_class else len(names)
    if n >= MIN_VALIDATION:
        return []
    label = (character_label if is_by_class else alphabet_label)(drawings.name)
    few = f"only one {label}" if n == 1 else f"only {n} {_plural(label)}"
    return [f"validation has {few}: a trial that is better there may be worse on other images"]


def _unused_notes(
    drawings: Drawings, folder: ImageFolder | None, root: Path | None, division: Division | None
) -> list[str]:
    """Return how many groups are in no part of a division, and the names of some."""
    if division is None or (folder and root is None):
        return []
    names = unused_groups(division, folder_groups(root) if folder and root else drawings.alphabets)
    if not names:
        return []
    label = alphabet_label(drawings.name)
    shown = ", ".join(names[:MAX_NAMES]) + (" …" if len(names) > MAX_NAMES else "")
    return [f"{len(names):,} {label if len(names) == 1 else _plural(label)} in no part: {shown}"]


def _used_images(scan: FolderScan, root: Path, division: Division | None) -> list[Path]:
    """Return the images of a folder without those of groups in no part."""
    if division is None:
        return scan.images
    classes = classes_of_files(root, scan.images)
    unused = set(unused_groups(division, (group for group, _ in classes.values())))
    return [file for file, (group, _) in classes.items() if group not in unused]


def _leak_notes(
    drawings: Drawings, folder: ImageFolder, images: list[Path], root: Path
) -> list[str]:
    """Return which classes have the same name, and how many images occur several times."""
    notes = []
    names = recurring_names(sorted(set(classes_of_files(root, images).values())))
    if names:
        count = "1 class name recurs" if len(names) == 1 else f"{len(names):,} class names recur"
        notes.append(
            f"{count} in several groups, for example {names[0]}: "
            + ("each is one class" if folder.by_class else f"different classes, unless {SAME_NAME}")
        )
    n_copies = len(images) - len(drawings) if folder.distinct else count_copies(drawings)
    if n_copies:
        action = "dropped" if folder.distinct else "not dropped (--drop-duplicates)"
        notes.append(f"{n_copies:,} {'copy' if n_copies == 1 else 'copies'} of images {action}")
    return notes


def _split_rule(folder: ImageFolder | None) -> str:
    if folder is None:
        return ""
    return "split by class: " if folder.by_class else "split by group: "


def _part_contents(
    drawings: Drawings, folder: ImageFolder | None, division: Division | None
) -> list[str]:
    """Return name and contents of each part; parts divided by class have no groups."""
    texts = []
    for part, names in alphabets_by_part(drawings, division).items():
        n_groups = 0 if folder and folder.by_class else len(names)
        texts.append(f"{part} {_contents(drawings, n_groups, names)}")
    return texts


def _contents(drawings: Drawings, n_groups: int, alphabets: list[str] | None = None) -> str:
    """Return the numbers of groups, classes and images as text.

    Args:
        drawings: all drawings of the data set.
        n_groups: number of groups or alphabets; 0 is left out.
        alphabets: alphabets to count; None for all.
    """
    character_M = drawings.character_N[drawings.positions(alphabets)]
    image_label = "image" if parse_dataset_name(drawings.name) else "drawing"
    counts = [
        (n_groups, alphabet_label(drawings.name)),
        (len(torch.unique(character_M)), character_label(drawings.name)),
        (len(character_M), image_label),
    ]
    return ", ".join(f"{n:,} {label if n == 1 else _plural(label)}" for n, label in counts if n)


def _plural(label: str) -> str:
    return label + ("es" if label.endswith("s") else "s")
