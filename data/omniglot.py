"""Omniglot as one array, checked against what it must contain, and Lake's 20 official runs."""

import hashlib
from collections import Counter
from pathlib import Path

import numpy as np
import torch

from data.alphabets import OMNIGLOT
from data.archive import DRAWING, RUN, Bitmap, decode_drawing, find_containers, read_entries
from data.drawings import N_DRAWERS, Drawings
from data.episodes import N_WAY, Dataset, Episodes
from data.errors import InputError

Key = tuple[str, str, int]  # alphabet, character, drawer from 0

N_RUNS = 20


def collect_files(root: Path) -> tuple[dict[Key, Bitmap], dict[str, bytes]]:
    """Decode every drawing under ``root`` and gather the files of the official runs."""
    counts = {name: n for part in OMNIGLOT.values() for name, n in part.items()}
    drawings: dict[Key, Bitmap] = {}
    runs: dict[str, bytes] = {}
    for container in find_containers(root):
        for name, content in read_entries(container):
            if match := RUN.search(name):
                runs[match[1]] = content
            elif (match := DRAWING.search(name)) and match[1] in counts:
                key = (match[1], match[2], int(match[3]) - 1)
                if key not in drawings:
                    drawings[key] = decode_drawing(content, f"{name} in {container}")
    return drawings, runs


def require_complete(drawings: dict[Key, Bitmap], root: Path) -> None:
    """Raise unless every drawer's drawing of every character of the 50 alphabets is there."""
    found = Counter(alphabet for alphabet, _, _ in drawings)
    for part, counts in OMNIGLOT.items():
        archive = "images_background" if part == "train" else "images_evaluation"
        for alphabet, n_characters in counts.items():
            if found[alphabet] != n_characters * N_DRAWERS:
                raise InputError(
                    f"Alphabet '{alphabet}' of {archive} has {n_characters} × {N_DRAWERS} drawings,"
                    f" but {found[alphabet]} were found under {root}. Put the whole "
                    f"{archive}.zip, or all of its folders, there."
                )


def to_drawings(drawings: dict[Key, Bitmap]) -> Drawings:
    """Return decoded drawings as one sorted array, with the digest of names and pixels."""
    keys = sorted(drawings)
    alphabets = sorted({alphabet for alphabet, _, _ in keys})
    characters = sorted({(alphabet, character) for alphabet, character, _ in keys})
    alphabet_number = {name: i for i, name in enumerate(alphabets)}
    character_number = {name: i for i, name in enumerate(characters)}
    images = np.stack([drawings[key] for key in keys])
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
    )


def official_runs(runs: dict[str, bytes], drawings: Drawings) -> Episodes:
    """Return Lake's 400 episodes as positions in ``drawings``, where all their drawings occur.

    The right answer is read from ``class_labels.txt`` and verified: query and right support must
    be drawings of one character.

    Args:
        runs: files of ``all_runs.zip`` by name, ``run01/…`` to ``run20/…``.
        drawings: full-size, all alphabets.

    Raises:
        InputError: a run is missing, a drawing is unknown, or a label is wrong.

    Source: Koch 2015 §4.2; Lake et al. 2015, one-shot classification.
    """
    if not runs:
        raise InputError(
            "Lake's official runs are missing. Put all_runs, as a zip or folder, there."
        )
    where: dict[bytes, int] = {}
    for alphabet in OMNIGLOT["test"]:
        for at in drawings.positions([alphabet]).tolist():
            where[drawings.images_NHW[at].numpy().tobytes()] = at

    def find(name: str) -> int:
        if name not in runs:
            raise InputError(f"all_runs.zip must hold {name}, but it does not. Get it anew.")
        at = where.get(decode_drawing(runs[name], name).tobytes())
        if at is None:
            raise InputError(f"{name} of all_runs.zip is no drawing of Omniglot. Get it anew.")
        return at

    query, support, target = [], [], []
    for run in range(1, N_RUNS + 1):
        labels = runs.get(f"run{run:02}/class_labels.txt", b"").decode(errors="replace").split()
        tests, answers = labels[0::2], labels[1::2]
        classes = [f"run{run:02}/training/class{i:02}.png" for i in range(1, N_WAY + 1)]
        if len(tests) != N_WAY or not set(answers) <= set(classes):
            raise InputError(
                f"run{run:02}/class_labels.txt of all_runs.zip is not whole. Get it anew."
            )
        query.append([find(name) for name in tests])
        support.append([find(name) for name in classes])
        target.append([classes.index(name) for name in answers])
    episodes = Episodes(torch.tensor(query), torch.tensor(support), torch.tensor(target))
    right = episodes.support_RS.gather(1, episodes.target_RQ)
    if not torch.equal(drawings.character_N[episodes.query_RQ], drawings.character_N[right]):
        raise InputError("class_labels.txt of all_runs.zip names a wrong answer. Get it anew.")
    return episodes


def read_omniglot(root: Path) -> Dataset:
    """Return all 32,460 drawings at 105×105 and the official 400 episodes found under ``root``.

    Raises:
        InputError: something is missing, torn or not Omniglot.
    """
    drawings, runs = collect_files(root)
    if not drawings:
        raise InputError(
            f"No drawing of Omniglot lies under {root}. Put images_background, images_evaluation "
            "and all_runs there, as zips or folders, or name another --data-root."
        )
    require_complete(drawings, root)
    every = to_drawings(drawings)
    return Dataset(every, official_runs(runs, every))
