import os
from pathlib import Path

import made_studies
import optuna
import pytest

from data.errors import InputError
from hpo.search.trial_files import (
    PARTIAL_FILE_SECONDS,
    TrialFiles,
    trial_files,
)
from hpo.study.open import FOLDER


def test_only_files_that_are_needed_remain(tmp_path: Path) -> None:
    """Trial 8 is running; trials 4 and 0 are the best."""
    study = made_studies.mixed()
    files = TrialFiles(tmp_path, n_networks=2)
    needed = {"8.fit.pt", "8.network.pt", "4.network.pt", "0.network.pt"}
    obsolete = {"0.fit.pt", "7.network.pt", "99.network.pt", "unknown"}
    for name in needed | obsolete:
        (tmp_path / name).touch()
    files.delete_obsolete(study)
    assert {path.name for path in tmp_path.iterdir()} == needed


def test_a_retry_has_the_checkpoint_of_its_original(tmp_path: Path) -> None:
    study = made_studies.study()
    study.add_trial(made_studies.trial("FAIL", [0.3]))
    study.enqueue_trial({}, user_attrs={"retry_of": 0})
    (tmp_path / "0.fit.pt").touch()
    files = TrialFiles(tmp_path)
    files.delete_obsolete(study)
    assert files.checkpoint(study.ask()) == tmp_path / "0.fit.pt"
    assert files.checkpoint(study.ask()) == tmp_path / "2.fit.pt"
    assert (tmp_path / "0.fit.pt").exists()


def test_a_temporary_file_is_deleted_only_when_its_writer_must_be_dead(tmp_path: Path) -> None:
    for name in (".new", ".old"):
        (tmp_path / name).touch()
    age = PARTIAL_FILE_SECONDS + 60
    stat = (tmp_path / ".old").stat()
    os.utime(tmp_path / ".old", (stat.st_atime - age, stat.st_mtime - age))
    TrialFiles(tmp_path).delete_obsolete(made_studies.study())
    assert [path.name for path in tmp_path.iterdir()] == [".new"]


def test_a_file_that_cannot_be_deleted_is_named(tmp_path: Path) -> None:
    (tmp_path / "0.fit.pt").mkdir()
    with pytest.raises(InputError, match=r"0\.fit\.pt.*permissions"):
        TrialFiles(tmp_path).delete_obsolete(made_studies.study())


@pytest.mark.parametrize(
    ("n_networks", "value", "expected"),
    [(0, 1.0, False), (1, 0.8, False), (1, 0.81, True), (2, 0.75, True), (99, 0.0, True)],
)
def test_a_network_is_saved_if_its_trial_is_among_the_best(
    n_networks: int, value: float, expected: bool, tmp_path: Path
) -> None:
    assert (
        TrialFiles(tmp_path, n_networks=n_networks).is_among_best(made_studies.mixed(), value)
        == expected
    )


def test_the_network_of_the_default_is_kept(tmp_path: Path) -> None:
    study, files = made_studies.mixed(), TrialFiles(tmp_path, n_networks=1, keep_default=True)
    for number in range(8):
        files.network(number).touch()
    files.delete_obsolete(study)
    assert {path.name for path in tmp_path.iterdir()} == {"0.network.pt", "4.network.pt"}


def test_only_the_default_needs_a_network_whatever_its_accuracy(tmp_path: Path) -> None:
    study, files = made_studies.study(), TrialFiles(tmp_path, keep_default=True)
    first = study.ask()
    assert files.needs_network(first, 0.1)
    study.tell(first, 0.3)
    assert not files.needs_network(study.ask(), 0.9)


def test_the_files_of_finalists_are_counted(tmp_path: Path) -> None:
    for folder in ("a", "a-0-1", "a-winner-0", "b"):
        (tmp_path / folder).mkdir()
        (tmp_path / folder / "0.network.pt").write_bytes(b"x" * 1_000_000)
    assert TrialFiles(tmp_path / "a").describe().startswith("3 networks and checkpoints, 3 MB")


def test_the_files_of_a_study_lie_in_a_folder_of_its_own(tmp_path: Path) -> None:
    studies = [made_studies.study("a"), made_studies.study("a / b")]
    for number, study in enumerate(studies):
        study.set_user_attr(FOLDER, f"folder{number}")
    first, second = (
        trial_files(study, tmp_path, tensorboard=tmp_path / "logs") for study in studies
    )
    assert first.folder == tmp_path / "trials" / "folder0"
    assert first.folder.is_dir()
    assert first.lock != second.lock
    assert first.artifacts == second.artifacts == tmp_path / "artifacts"
    log = first.tensorboard_folder(studies[0].ask())
    assert log == tmp_path / "logs" / "a" / "0000"
    assert TrialFiles(tmp_path).tensorboard_folder(studies[0].ask()) is None
    assert first.describe().startswith("0 networks")


def test_each_user_of_a_host_has_a_lock(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    lock = TrialFiles(tmp_path).lock
    assert TrialFiles(tmp_path).lock == lock
    monkeypatch.setattr("os.getuid", lambda: 12345)
    assert TrialFiles(tmp_path).lock != lock
    assert "12345" in TrialFiles(tmp_path).lock.name


def test_a_study_whose_folder_cannot_be_created_is_refused(tmp_path: Path) -> None:
    (tmp_path / "trials").write_text("not a folder")
    study = optuna.create_study()
    study.set_user_attr(FOLDER, "x")
    with pytest.raises(InputError, match="trials"):
        trial_files(study, tmp_path)
