"""Omniglot as one array, checked for completeness, and Lake's 20 official runs.

Tensor suffixes: R blocks, Q queries, S support.
"""

import hashlib
from collections import Counter
from pathlib import Path

import numpy as np
import torch

from data.alphabets import OMNIGLOT
from data.archive import (
    DRAWING_PATH,
    REPOSITORY,
    RUN_PATH,
    Bitmap,
    archive_folder,
    archive_url,
    decode_drawing,
    find_archives,
    read_archive,
)
from data.drawings import N_DRAWERS, Drawings
from data.episodes import N_WAY, Dataset, Episodes
from data.errors import InputError

N_LAKE_RUNS = 20

DrawingKey = tuple[str, str, int]  # alphabet, character, drawer from 0


def read_omniglot(root: Path) -> Dataset:
    """Return all 32,460 drawings at 105×105 and the official 400 episodes found under ``root``.

    Raises:
        InputError: a file is missing or corrupt, or is not Omniglot's.
    """
    bitmaps, run_files = read_drawings_and_runs(root)
    if not bitmaps:
        raise InputError(
            f"{root} must contain Omniglot, but has no drawing of it. Put images_background, "
            f"images_evaluation and all_runs from {REPOSITORY} into {archive_folder(root)}, as "
            "zips or folders, or choose another --data-root."
        )
    require_all_drawings(bitmaps, root)
    if not run_files:
        raise InputError(
            f"{root} must contain Lake's official runs, but has none. Download "
            f"{archive_url('all_runs')} into {archive_folder(root)}."
        )
    drawings = stack_drawings(bitmaps)
    return Dataset(drawings, official_episodes(run_files, drawings))


def read_drawings_and_runs(root: Path) -> tuple[dict[DrawingKey, Bitmap], dict[str, bytes]]:
    """Return every decoded drawing under ``root`` and the files of the official runs by name."""
    counts = {name: n for part in OMNIGLOT.values() for name, n in part.items()}
    bitmaps: dict[DrawingKey, Bitmap] = {}
    run_files: dict[str, bytes] = {}
    for archive in find_archives(root):
        for name, content in read_archive(archive):
            if match := RUN_PATH.search(name):
                run_files[match[1]] = content
            elif (match := DRAWING_PATH.search(name)) and match[1] in counts:
                key = (match[1], match[2], int(match[3]) - 1)
                if key not in bitmaps:
                    bitmaps[key] = decode_drawing(content, f"{name} in {archive}")
    return bitmaps, run_files


def require_all_drawings(bitmaps: dict[DrawingKey, Bitmap], root: Path) -> None:
    """Raise InputError unless all 20 drawings of every character of the 50 alphabets are present.

    Raises:
        InputError: an alphabet has another number of drawings.
    """
    n_drawings = Counter(alphabet for alphabet, _, _ in bitmaps)
    for part, counts in OMNIGLOT.items():
        archive = "images_background" if part == "train" else "images_evaluation"
        for alphabet, n_characters in counts.items():
            if n_drawings[alphabet] != n_characters * N_DRAWERS:
                raise InputError(
                    f"Alphabet '{alphabet}' of {archive} must have {n_characters} × {N_DRAWERS} "
                    f"drawings, but {n_drawings[alphabet]} were found under {root}. Download "
                    f"{archive_url(archive)} into {archive_folder(root)}."
                )


def stack_drawings(bitmaps: dict[DrawingKey, Bitmap]) -> Drawings:
    """Return decoded drawings as one sorted array, with the digest of names and pixels."""
    keys = sorted(bitmaps)
    alphabets = sorted({alphabet for alphabet, _, _ in keys})
    characters = sorted({(alphabet, character) for alphabet, character, _ in keys})
    alphabet_number = {name: i for i, name in enumerate(alphabets)}
    character_number = {name: i for i, name in enumerate(characters)}
    images = np.stack([bitmaps[key] for key in keys])
    digest = hashlib.sha256("\n".join("/".join(map(str, key)) for key in keys).encode())
    digest.update(np.packbits(images > 0).tobytes())
    return Drawings(
        name="omniglot",
        digest=digest.hexdigest(),
        alphabets=tuple(alphabets),
        images_NHW=torch.from_numpy(images),
        alphabet_N=torch.tensor([alphabet_number[a] for a, _, _ in keys]),
        character_N=torch.tensor([character_number[a, c] for a, c, _ in keys]),
        drawer_N=torch.tensor([drawer for _, _, drawer in keys]),
        classes=tuple("/".join(key) for key in characters),
    )


def official_episodes(run_files: dict[str, bytes], drawings: Drawings) -> Episodes:
    """Return Lake's 400 episodes as positions in ``drawings``.

    The correct candidate is read from ``class_labels.txt`` and verified: it must show the same
    character as the query.

    Args:
        run_files: files of ``all_runs.zip`` by name, ``run01/…`` to ``run20/…``.
        drawings: full-size drawings of all alphabets.

    Raises:
        InputError: a run is missing, a drawing is unknown, or a label is wrong.

    Source: Koch 2015 §4.2; Lake et al. 2015, one-shot classification.
    """
    position_of: dict[bytes, int] = {
        drawings.images_NHW[i].numpy().tobytes(): i
        for i in drawings.positions(OMNIGLOT["test"]).tolist()
    }

    def find_position(name: str) -> int:
        if name not in run_files:
            raise InputError(f"all_runs.zip must hold {name}, but does not. Download it again.")
        position = position_of.get(decode_drawing(run_files[name], name).tobytes())
        if position is None:
            raise InputError(
                f"{name} of all_runs.zip is not a drawing of Omniglot. Download it again."
            )
        return position

    query, support, target = [], [], []
    for run in range(1, N_LAKE_RUNS + 1):
        queries, classes, answers = _read_class_labels(run, run_files)
        query.append([find_position(name) for name in queries])
        support.append([find_position(name) for name in classes])
        target.append([classes.index(name) for name in answers])
    episodes = Episodes(torch.tensor(query), torch.tensor(support), torch.tensor(target))
    correct_RQ = episodes.first_support(episodes.target_RQ)
    if not torch.equal(drawings.character_N[episodes.query_RQ], drawings.character_N[correct_RQ]):
        raise InputError("class_labels.txt of all_runs.zip has a wrong label. Download it again.")
    return episodes


def _read_class_labels(
    run: int, run_files: dict[str, bytes]
) -> tuple[list[str], list[str], list[str]]:
    """Return the file names of a run's queries, its support set and its correct candidates."""
    name = f"run{run:02}/class_labels.txt"
    fields = run_files.get(name, b"").decode(errors="replace").split()
    queries, answers = fields[0::2], fields[1::2]
    classes = [f"run{run:02}/training/class{i:02}.png" for i in range(1, N_WAY + 1)]
    if len(fields) != 2 * N_WAY or not set(answers) <= set(classes):
        raise InputError(f"{name} of all_runs.zip is incomplete. Download it again.")
    return queries, classes, answers
