"""A miniature Omniglot, written by the tests: three alphabets, two official runs, 3-way."""

import io
import shutil
import zipfile
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image
from shapes import write_image_folder

from data.alphabets import OMNIGLOT
from data.archive import archive_url
from data.errors import InputError
from data.load import resolve_dataset_name
from data.omniglot import read_omniglot

N_WAY, N_RUNS = 3, 2
ALPHABETS = {"train": {"Greek": 2}, "val": {"Oriya": 2}, "test": {"Tengwar": 4}}
SUPPORT_DRAWER, QUERY_DRAWER = 4, 7
TARGETS = (2, 0, 1)


def png(number: int) -> bytes:
    """Return a drawing whose ink writes a number in binary."""
    paper = np.full((105, 105), 255, dtype=np.uint8)
    paper[50, :16] = 255 * (1 - np.array([number >> bit & 1 for bit in range(16)]))
    buffer = io.BytesIO()
    Image.fromarray(paper).convert("1").save(buffer, "PNG")
    return buffer.getvalue()


def number_of(alphabet: str, character: int, drawer: int) -> int:
    names = [name for part in ALPHABETS.values() for name in part]
    return 1000 * (names.index(alphabet) + 1) + 20 * character + drawer


def write_omniglot(root: Path) -> Path:
    """Write the miniature as folders."""
    for part, counts in ALPHABETS.items():
        base = root / ("images_background" if part == "train" else "images_evaluation")
        for alphabet, n_characters in counts.items():
            for character in range(n_characters):
                folder = base / alphabet / f"character{character + 1:02}"
                folder.mkdir(parents=True)
                for drawer in range(20):
                    content = png(number_of(alphabet, character, drawer))
                    (folder / f"0001_{drawer + 1:02}.png").write_bytes(content)
    for run in range(1, N_RUNS + 1):
        write_run(root / f"all_runs/run{run:02}", first_character=run - 1)
    return root


def write_run(folder: Path, first_character: int) -> None:
    (folder / "training").mkdir(parents=True)
    (folder / "test").mkdir()
    lines = []
    for i, target in enumerate(TARGETS):
        item, label = f"test/item{i + 1:02}.png", f"training/class{i + 1:02}.png"
        support = number_of("Tengwar", first_character + i, SUPPORT_DRAWER)
        query = number_of("Tengwar", first_character + target, QUERY_DRAWER)
        (folder / label).write_bytes(png(support))
        (folder / item).write_bytes(png(query))
        lines.append(f"{folder.name}/{item} {folder.name}/training/class{target + 1:02}.png\n")
    (folder / "class_labels.txt").write_text("".join(lines))


@pytest.fixture
def root(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    for part, counts in ALPHABETS.items():
        monkeypatch.setitem(OMNIGLOT, part, counts)
    monkeypatch.setattr("data.omniglot.N_LAKE_RUNS", N_RUNS)
    monkeypatch.setattr("data.omniglot.N_WAY", N_WAY)
    return write_omniglot(tmp_path / "root")


def test_drawings_are_sorted_with_their_alphabets_characters_and_drawers(root: Path) -> None:
    drawings = read_omniglot(root).drawings
    assert drawings.alphabets == ("Greek", "Oriya", "Tengwar")
    assert drawings.count_A.tolist() == [2, 2, 4]
    assert drawings.count_C.tolist() == [20] * 8
    assert drawings.drawer_N.tolist() == [*range(20)] * 8
    bits = (drawings.images_NHW[:, 50, :16] > 0) * 2 ** torch.arange(16)
    expected = [
        number_of(alphabet, character, drawer)
        for alphabet, n_characters in zip(drawings.alphabets, (2, 2, 4), strict=True)
        for character in range(n_characters)
        for drawer in range(20)
    ]
    assert bits.sum(1).tolist() == expected


def test_official_episodes_are_those_of_the_runs(root: Path) -> None:
    dataset = read_omniglot(root)
    official, character = dataset.official, dataset.drawings.character_N
    assert official.target_RQ.tolist() == [[*TARGETS]] * N_RUNS
    assert character[official.support_RS].tolist() == [[4, 5, 6], [5, 6, 7]]
    assert character[official.query_RQ].tolist() == [[6, 4, 5], [7, 5, 6]]
    assert set(dataset.drawings.drawer_N[official.support_RS].flatten().tolist()) == {
        SUPPORT_DRAWER
    }
    assert set(dataset.drawings.drawer_N[official.query_RQ].flatten().tolist()) == {QUERY_DRAWER}


def test_zips_give_the_same_data_as_folders(root: Path, tmp_path: Path) -> None:
    (tmp_path / "zips").mkdir()
    for folder in root.iterdir():
        with zipfile.ZipFile(tmp_path / f"zips/{folder.name}-repacked.zip", "w") as archive:
            for file in folder.rglob("*.*"):
                archive.write(file, file.relative_to(root))
    unpacked, zipped = read_omniglot(root), read_omniglot(tmp_path / "zips")
    assert unpacked.drawings.digest == zipped.drawings.digest
    assert torch.equal(unpacked.drawings.images_NHW, zipped.drawings.images_NHW)
    assert torch.equal(unpacked.official.query_RQ, zipped.official.query_RQ)


def zip_folder(folder: Path, file: Path) -> None:
    file.parent.mkdir(parents=True, exist_ok=True)
    shutil.make_archive(str(file.with_suffix("")), "zip", folder.parent, folder.name)


@pytest.mark.parametrize("start", ["repository", "repository/python"])
def test_the_tree_of_the_official_repository_is_read(
    start: str, root: Path, tmp_path: Path
) -> None:
    python = tmp_path / "repository/python"
    for folder in root.iterdir():
        subfolder = "one-shot-classification" if folder.name == "all_runs" else ""
        zip_folder(folder, python / subfolder / f"{folder.name}.zip")
    Image.new("L", (9, 9)).save(python / "demo_strokes.png")
    assert resolve_dataset_name("omniglot", tmp_path / start, None, False) == "omniglot"
    dataset = read_omniglot(tmp_path / start)
    assert dataset.drawings.digest == read_omniglot(root).drawings.digest
    assert len(dataset.official.target_RQ) == N_RUNS


def test_torchvisions_folder_says_what_is_missing_and_where(root: Path, tmp_path: Path) -> None:
    folder = tmp_path / "torchvision/omniglot-py"
    zip_folder(root / "images_background", folder / "images_background.zip")
    with pytest.raises(InputError, match=rf"/images_evaluation\.zip into {folder}\."):
        read_omniglot(folder.parent)
    zip_folder(root / "images_evaluation", folder / "images_evaluation.zip")
    with pytest.raises(InputError, match=rf"runs.*{archive_url('all_runs')} into {folder}\."):
        read_omniglot(folder.parent)
    zip_folder(root / "all_runs", folder / "all_runs.zip")
    assert len(read_omniglot(folder.parent).drawings) == 160


def test_only_runs_of_omniglot_are_omniglot(root: Path, tmp_path: Path) -> None:
    groups = ["run01", "run02", "run03"]
    mine = write_image_folder(tmp_path / "sessions", groups, n_classes=2, n_images=2)
    assert resolve_dataset_name("omniglot", mine, None, False) == "sessions"
    assert resolve_dataset_name("omniglot", root / "all_runs", None, False) == "omniglot"


def test_a_folder_without_omniglot_is_refused(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"images_background.*--data-root"):
        read_omniglot(tmp_path)


def test_an_incomplete_alphabet_is_refused_by_name(root: Path) -> None:
    (root / "images_evaluation/Oriya/character01/0001_07.png").unlink()
    with pytest.raises(InputError, match=r"'Oriya' of images_evaluation .*39 were found"):
        read_omniglot(root)


def swap_labels(run: Path) -> None:
    text = (run / "class_labels.txt").read_text()
    swapped = text.replace("class01", "class99").replace("class02", "class01")
    (run / "class_labels.txt").write_text(swapped.replace("class99", "class02"))


def truncate_labels(run: Path) -> None:
    text = (run / "class_labels.txt").read_text()
    (run / "class_labels.txt").write_text(text[: text.rindex(" ")])


@pytest.mark.parametrize(
    ("damage", "message"),
    [
        (swap_labels, "class_labels.txt"),
        (truncate_labels, "run01/class_labels.txt"),
        (lambda run: (run / "class_labels.txt").unlink(), "run01/class_labels.txt"),
        (lambda run: (run / "test/item02.png").unlink(), "run01/test/item02.png"),
        (lambda run: (run / "test/item02.png").write_bytes(png(1)), "run01/test/item02.png"),
        (lambda run: (run.parent).rename(run.parent.with_name("renamed")), "all_runs"),
    ],
    ids=["wrong label", "truncated labels", "no labels", "no query", "unknown query", "no runs"],
)
def test_damaged_runs_are_refused_by_name(damage, message: str, root: Path) -> None:  # type: ignore[no-untyped-def]
    damage(root / "all_runs/run01")
    with pytest.raises(InputError, match=message):
        read_omniglot(root)
