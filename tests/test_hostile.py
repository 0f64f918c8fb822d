"""Hostile input: files from elsewhere are not executed, names are text, passwords are hidden."""

import html
import io
import json
import os
import pickle
import zipfile
from pathlib import Path

import pytest
import torch
from commands import run_in_process
from made_studies import mixed, study
from PIL import Image

import hpo.study.dataset
from data.episodes import Dataset
from data.errors import InputError
from data.files import write_atomically
from data.image_files import expand_folders
from data.load import cache_path
from data.omniglot import read_drawings_and_runs
from data.paths import PRETRAINED, VAR
from data.pictures import to_image
from data.text import make_printable
from hpo.dashboard.server import export_report
from hpo.refit.folder import default_folder, folder_name
from hpo.refit.result import TrialOrigin
from hpo.refit.settings import RetrainConfig
from hpo.search.trial_files import TrialFiles
from model import checkpoint
from model.checkpoint import load_network, save_network
from model.comparison import load_comparison_network
from model.device import ComputeConfig

CPU = ComputeConfig(torch.device("cpu"))
NAMES = [
    "</script><img src=x onerror=alert(1)>",
    "' OR 1=1; DROP TABLE studies; --",
    "../../outside",
    "a\nb\x1b[31m",
    "%s {0} ${HOME} ‮",
]
FILE_NAME = "<img src=y onerror=alert(1)>\n.png"


class Exploit:
    """Makes a folder when it is unpickled."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def __reduce__(self) -> tuple[object, tuple[str]]:
        return os.mkdir, (str(self.path),)


def test_a_pickled_checkpoint_is_refused_and_not_executed(tmp_path: Path) -> None:
    exploit = Exploit(tmp_path / "executed")
    (tmp_path / "plain.pt").write_bytes(pickle.dumps(exploit))
    torch.save({"format": checkpoint.NETWORK_FORMAT, "about": exploit}, tmp_path / "torch.pt")
    for name in ("plain.pt", "torch.pt"):
        with pytest.raises(InputError, match=name):
            load_network(tmp_path / name)
    assert not (tmp_path / "executed").exists()
    pickle.loads((tmp_path / "plain.pt").read_bytes())
    assert (tmp_path / "executed").exists(), "otherwise this test could not fail"


@pytest.mark.parametrize(
    "facts",
    [
        {"threshold": "x"},
        {"threshold": 10**400},
        {"threshold": float("nan")},
        {"verification": "x"},
        {"verification": {"threshold": [1]}},
        {"data": ["omniglot"]},
        {"data": "a\0b+class"},
        {"data": "x+colour"},
        {"seed": "1"},
        "ab",
    ],
    ids=lambda facts: str(facts)[:30],
)
def test_a_checkpoint_with_facts_of_wrong_types_is_refused(facts: object, tmp_path: Path) -> None:
    net, config, _ = load_network(PRETRAINED)
    about = json.dumps({"config": config.to_dict(), "facts": facts})
    content = {"about": about, "net": net.state_dict()}
    checkpoint.save_checkpoint(tmp_path / "a.pt", checkpoint.NETWORK_FORMAT, content)
    with pytest.raises(InputError, match=r"a\.pt"):
        load_comparison_network(tmp_path / "a.pt", CPU)


def test_a_checkpoint_with_weights_that_are_no_numbers_is_refused(tmp_path: Path) -> None:
    net, config, facts = load_network(PRETRAINED)
    torch.nn.init.constant_(net.head.bias, float("nan"))
    save_network(tmp_path / "a.pt", net, config, facts)
    with pytest.raises(InputError, match=r"a\.pt.* finite"):
        load_network(tmp_path / "a.pt")


@pytest.mark.parametrize("name", ["../../outside+class", "/outside+class", "..+class"])
def test_the_name_of_a_data_set_leads_to_no_other_folder(name: str) -> None:
    assert cache_path(name, 52).parent == VAR / "cache"


def test_a_pipe_is_not_replaced_and_a_link_stays_a_link(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe")
    with pytest.raises(InputError, match="pipe"):
        write_atomically(tmp_path / "pipe", lambda path: path.write_text("x"))
    (tmp_path / "link").symlink_to(tmp_path / "file")
    write_atomically(tmp_path / "link", lambda path: path.write_text("x"))
    assert (tmp_path / "link").is_symlink()
    assert (tmp_path / "file").read_text() == "x"


def test_a_pipe_is_read_neither_as_an_image_nor_as_a_checkpoint(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "a.png")
    with pytest.raises(InputError, match=r"a\.png"):
        expand_folders([tmp_path / "a.png"])
    with pytest.raises(InputError, match=r"a\.png"):
        load_network(tmp_path / "a.png")


def test_reading_an_archive_writes_no_files(tmp_path: Path) -> None:
    drawing = io.BytesIO()
    Image.new("1", (105, 105), 1).save(drawing, "PNG")
    root = tmp_path / "root"
    root.mkdir()
    with zipfile.ZipFile(root / "images_background.zip", "w") as archive:
        for name in ("../../Greek/character01/0001_01.png", "/etc/Greek/character01/0001_02.png"):
            archive.writestr(name, drawing.getvalue())
    before = sorted(tmp_path.rglob("*"))
    bitmaps, _ = read_drawings_and_runs(root)
    assert sorted(bitmaps) == [("Greek", "character01", 0), ("Greek", "character01", 1)]
    assert sorted(tmp_path.rglob("*")) == before


@pytest.mark.parametrize("name", NAMES)
def test_the_name_of_a_study_leads_to_no_other_folder(name: str, tmp_path: Path) -> None:
    origin = TrialOrigin("study.db", name, 0, 0.7, 60.0, "train")
    folder = default_folder(folder_name(origin, RetrainConfig(), "float32", [1, 2]), "storage")
    assert folder.parent == Path("var/retrain")
    assert folder.name not in (".", "..")
    log = TrialFiles(tmp_path, tensorboard=tmp_path / "logs").tensorboard_folder(study(name).ask())
    assert log is not None
    assert log.parent.parent == tmp_path / "logs"


def test_the_name_of_a_study_is_text_in_its_report(in_tmp: Path) -> None:
    name = " ".join(NAMES)
    mixed(name, "sqlite:///study.db")
    export_report("sqlite:///study.db", name, Path("report.html"))
    text = Path("report.html").read_text()
    assert "<img src=x" not in text
    assert name.split("\n")[0] in html.unescape(text)


def test_an_error_is_one_line_whatever_a_file_is_called() -> None:
    assert make_printable("a\nb\x1b[31mc") == "a?b?[31mc"
    assert make_printable("38.8 % – × …") == "38.8 % – × …"


@pytest.fixture
def drawings(packed_105: Dataset, in_tmp: Path) -> Path:
    """Return a folder with a support set of three drawings and a query with a hostile name."""
    (in_tmp / "support").mkdir()
    for c in range(3):
        first = int(packed_105.drawings.first_C[c])
        image = to_image(packed_105.drawings.images_NHW[first])
        image.save(in_tmp / f"support/c{c}.png")
    (in_tmp / "support/c0.png").rename(in_tmp / FILE_NAME)
    return in_tmp


def test_a_hostile_file_name_is_text(
    drawings: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    flags = [FILE_NAME, "--support", "support"]
    end = run_in_process(drawings, monkeypatch, "compare.py", *flags, "--html", "page.html")
    assert end is None
    lines = capsys.readouterr().out.splitlines()
    assert len(lines) == 1 + 2, "one for the query, one for each class"
    assert "<img src=y" not in (drawings / "page.html").read_text()
    (drawings / FILE_NAME).write_text("no image")
    end = run_in_process(drawings, monkeypatch, "compare.py", *flags)
    assert end is not None
    assert end.code == 2
    assert len(capsys.readouterr().err.splitlines()) == 1


@pytest.mark.parametrize("script", ["run_study.py", "dashboard.py", "retrain_best.py"])
def test_a_password_is_printed_by_no_command(
    script: str,
    packed: Dataset,
    in_tmp: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.setattr(hpo.study.dataset, "load_dataset", lambda *_, **__: packed)
    address = "postgresql+psycopg://tuner:s3cret@127.0.0.1:1/db"
    flags = ["--data", "glyphs"] if script == "run_study.py" else []
    end = run_in_process(in_tmp, monkeypatch, script, "--storage", address, *flags)
    text = capsys.readouterr()
    assert end is not None
    assert end.code == 2
    assert "s3cret" not in text.out + text.err
    assert "127.0.0.1:1/db" in text.err
    assert len(text.err.splitlines()) == 1
