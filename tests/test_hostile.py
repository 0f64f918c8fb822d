"""What comes from elsewhere is neither run nor believed: archives, checkpoints, names."""

import html
import io
import json
import os
import pickle
import zipfile
from pathlib import Path

import pytest
import torch
from commands import here
from PIL import Image
from test_matching import Compare, compare, drawn  # noqa: F401
from tiny import objective, opened, url

from data.errors import InputError
from data.files import write_atomically
from data.images import expand_folders
from data.load import packed_path
from data.omniglot import collect_files
from data.paths import PRETRAINED, VAR
from data.splits import Split
from data.text import printable
from hpo.dashboard.server import export_report
from hpo.refit.plan import RetrainRequest, default_out
from hpo.search.trial_files import TrialFiles
from model import checkpoint
from model.checkpoint import load_network, save_network
from model.comparison import load_for_comparison
from model.device import ComputeConfig

CPU = ComputeConfig(torch.device("cpu"))
NAMES = [
    "</script><img src=x onerror=alert(1)>",
    "' OR 1=1; DROP TABLE studies; --",
    "../../outside",
    "a\nb\x1b[31m",
    "%s {0} ${HOME} ‮",
]


class Evil:
    """Runs a command when it is unpickled."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def __reduce__(self) -> tuple[object, tuple[str]]:
        return os.mkdir, (str(self.path),)


def test_a_pickled_checkpoint_is_refused_and_not_run(tmp_path: Path) -> None:
    evil = Evil(tmp_path / "struck")
    (tmp_path / "plain.pt").write_bytes(pickle.dumps(evil))
    torch.save({"format": checkpoint.NETWORK_FORMAT, "about": evil}, tmp_path / "torch.pt")
    for name in ("plain.pt", "torch.pt"):
        with pytest.raises(InputError, match="torn or not one of ours"):
            load_network(tmp_path / name)
    assert not (tmp_path / "struck").exists()
    pickle.loads((tmp_path / "plain.pt").read_bytes())
    assert (tmp_path / "struck").exists(), "else this test could not fail"


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
def test_a_checkpoint_that_says_nonsense_is_refused(facts: object, tmp_path: Path) -> None:
    net, config, _ = load_network(PRETRAINED)
    about = json.dumps({"config": config.to_dict(), "facts": facts})
    content = {"about": about, "net": net.state_dict()}
    checkpoint.save_checkpoint(tmp_path / "a.pt", checkpoint.NETWORK_FORMAT, content)
    with pytest.raises(InputError, match=r"a\.pt"):
        load_for_comparison(tmp_path / "a.pt", CPU)


def test_a_checkpoint_of_no_numbers_is_refused(tmp_path: Path) -> None:
    net, config, facts = load_network(PRETRAINED)
    torch.nn.init.constant_(net.head.bias, float("nan"))
    save_network(tmp_path / "a.pt", net, config, facts)
    with pytest.raises(InputError, match="not every weight is a finite number"):
        load_network(tmp_path / "a.pt")


@pytest.mark.parametrize("name", ["../../outside+class", "/outside+class", "..+class"])
def test_the_name_of_a_data_set_leads_nowhere_else(name: str) -> None:
    assert packed_path(name, 52).parent == VAR / "cache"


def test_a_device_is_not_replaced_and_a_link_stays_one(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe")
    with pytest.raises(InputError, match="no file"):
        write_atomically(tmp_path / "pipe", lambda path: path.write_text("x"))
    (tmp_path / "link").symlink_to(tmp_path / "file")
    write_atomically(tmp_path / "link", lambda path: path.write_text("x"))
    assert (tmp_path / "link").is_symlink()
    assert (tmp_path / "file").read_text() == "x"


def test_a_pipe_is_no_image_and_no_checkpoint(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "a.png")
    with pytest.raises(InputError, match="neither a file nor a folder"):
        expand_folders([tmp_path / "a.png"])
    with pytest.raises(InputError, match="is no file"):
        load_network(tmp_path / "a.png")


def test_an_archive_writes_nothing(tmp_path: Path) -> None:
    drawing = io.BytesIO()
    Image.new("1", (105, 105), 1).save(drawing, "PNG")
    root = tmp_path / "root"
    root.mkdir()
    with zipfile.ZipFile(root / "images_background.zip", "w") as archive:
        for name in ("../../Greek/character01/0001_01.png", "/etc/Greek/character01/0001_02.png"):
            archive.writestr(name, drawing.getvalue())
    before = sorted(tmp_path.rglob("*"))
    found, _ = collect_files(root)
    assert sorted(found) == [("Greek", "character01", 0), ("Greek", "character01", 1)]
    assert sorted(tmp_path.rglob("*")) == before


@pytest.mark.parametrize("name", NAMES)
def test_a_study_may_be_called_anything(name: str, tmp_path: Path, parts: Split) -> None:
    study = opened(tmp_path, parts)
    study.optimize(objective(parts, tmp_path), n_trials=1)
    import optuna

    optuna.copy_study(
        from_study_name="s",
        from_storage=url(tmp_path),
        to_storage=url(tmp_path),
        to_study_name=name,
    )
    out = tmp_path / "out"
    out.mkdir()
    export_report(url(tmp_path), name, out / "report.html")
    text = (out / "report.html").read_text()
    assert "<img src=x" not in text
    assert name.split("\n")[0] in html.unescape(text)
    request = RetrainRequest(
        url(tmp_path),
        name,
        None,
        None,
        1,
        1,
        "train",
        False,
        None,
        None,
        "cpu",
        "auto",
        False,
        None,
    )
    folder = default_out(name, 0, request)
    assert folder.parent == Path("var/retrain")
    assert folder.name not in (".", "..")
    files = TrialFiles(tmp_path, tensorboard=tmp_path / "courses")
    copied = optuna.load_study(study_name=name, storage=url(tmp_path))
    tensorboard_folder = files.tensorboard_folder(copied.ask())
    assert tensorboard_folder is not None
    assert tensorboard_folder.parent.parent == tmp_path / "courses"


def test_an_error_is_one_line_whatever_a_file_is_called() -> None:
    assert printable("a\nb\x1b[31mc") == "a?b?[31mc"
    assert printable("38.8 % – × …") == "38.8 % – × …"


def test_a_hostile_file_name_is_text(drawn: Path, compare: Compare) -> None:  # noqa: F811
    name = "<img src=y onerror=alert(1)>\n.png"
    (drawn / "queries/c3.png").rename(drawn / name)
    status, said, _ = compare(name, "--support", "support", "--html", "page.html")
    assert status == 0
    assert len(said.splitlines()) == 6, "the name is one line"
    assert "<img src=y" not in (drawn / "page.html").read_text()
    (drawn / name).write_text("no image")
    status, _, error = compare(name, "--support", "support")
    assert status == 2
    assert len(error.splitlines()) == 1


def test_a_password_is_shown_by_no_command(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    address = "postgresql+psycopg://tuner:s3cret@127.0.0.1:1/db"
    for script in ("run_study.py", "dashboard.py", "retrain_best.py"):
        flags = ["--data", "glyphs"] if script == "run_study.py" else []
        end = here(tmp_path, monkeypatch, script, "--storage", address, *flags)
        said = capsys.readouterr()
        assert end is not None
        assert end.code == 2
        assert "s3cret" not in said.out + said.err
        assert len(said.err.splitlines()) == 1
