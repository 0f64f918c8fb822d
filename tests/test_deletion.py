"""The deletion of a study: what it deletes, what it refuses, and that it can be repeated."""

import io
import sys
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import made_studies
import optuna
import pytest
from optuna.artifacts import FileSystemArtifactStore, upload_artifact
from tiny import url

from data.errors import InputError
from data.paths import ARTIFACTS, REFERENCE_STUDY, VAR
from hpo.dashboard.deletion import delete_study
from hpo.runtime.requeue import WORKER, host_id, own_id
from hpo.study.open import FOLDER, IDENTITY
from hpo.study.optuna_internals import set_trial_attribute
from hpo.study.storage import Storage, open_storage


@pytest.fixture
def storage(in_tmp: Path) -> Iterator[Storage]:
    with closing(open_storage(url(in_tmp))) as opened:
        yield opened


class Terminal(io.StringIO):
    """Standard input on which a user has typed something."""

    def isatty(self) -> bool:
        return True


def add_study(storage: Storage, name: str, folder: str) -> optuna.Study:
    """A study with a finalist's fit, a checkpoint and a network of each, and an image."""
    study = made_studies.mixed(name, storage)
    study.set_user_attr(FOLDER, folder)
    fits = optuna.create_study(storage=storage, study_name=f"{name} finalists 0-4 x1")
    fits.set_user_attr(FOLDER, f"{folder}-0-4")
    for part in (folder, f"{folder}-0-4"):
        (VAR / "trials" / part).mkdir(parents=True)
        for file in ("0.fit.pt", "0.network.pt", ".1.fit.pt.tmp"):
            (VAR / "trials" / part / file).write_text("x")
    (VAR / ARTIFACTS).mkdir(exist_ok=True)
    Path("image.png").write_text("x")
    upload_artifact(
        artifact_store=FileSystemArtifactStore(VAR / ARTIFACTS),
        file_path="image.png",
        study_or_trial=study.get_trials()[8],
        storage=storage,
    )
    Path("image.png").unlink()
    return study


def files() -> list[str]:
    return sorted(str(path.relative_to(VAR)) for path in VAR.rglob("*") if path.is_file())


def names(storage: Storage) -> list[str]:
    return optuna.get_all_study_names(storage)


def test_a_study_is_deleted_with_its_finalists_and_its_files_and_no_other(
    in_tmp: Path, storage: Storage, capsys: pytest.CaptureFixture[str]
) -> None:
    add_study(storage, "b", "22")
    kept = files()
    add_study(storage, "a", "11")
    assert len(files()) == 2 * len(kept) == 14
    delete_study(url(in_tmp), "a", confirmed=True)
    assert names(storage) == ["b", "b finalists 0-4 x1"]
    assert files() == kept
    assert sorted(path.name for path in (VAR / "trials").iterdir()) == ["22", "22-0-4"]
    printed = capsys.readouterr().out
    assert "'a' (9 trials), 1 set of finalists" in printed
    assert "7 files" in printed


@pytest.mark.parametrize(
    ("typed", "is_deleted"), [("y\n", True), ("YES\n", True), ("\n", False), ("", False)]
)
def test_the_user_is_asked(
    typed: str,
    is_deleted: bool,
    in_tmp: Path,
    storage: Storage,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    made_studies.mixed("a", storage)
    monkeypatch.setattr(sys, "stdin", Terminal(typed))
    delete_study(url(in_tmp), "a", confirmed=False)
    assert "Delete study 'a' (9 trials) and its files? [y/N]" in capsys.readouterr().out
    assert names(storage) == ([] if is_deleted else ["a"])


def test_without_a_terminal_yes_is_required(
    in_tmp: Path, storage: Storage, monkeypatch: pytest.MonkeyPatch
) -> None:
    made_studies.mixed("a", storage)
    monkeypatch.setattr(sys, "stdin", io.StringIO("y\n"))
    with pytest.raises(InputError, match="--yes"):
        delete_study(url(in_tmp), "a", confirmed=False)
    assert names(storage) == ["a"]


@pytest.mark.parametrize("part", ["a", "a finalists 0-4 x1"])
def test_a_running_study_is_refused(part: str, in_tmp: Path, storage: Storage) -> None:
    add_study(storage, "a", "11")
    study = optuna.load_study(study_name=part, storage=storage)
    study.add_trial(made_studies.trial("RUNNING", []))
    trial = study.get_trials()[-1]
    set_trial_attribute(study, trial, WORKER, own_id())
    kept = files()
    with pytest.raises(InputError, match=r"run_study\.py --stop --study-name a --storage sqlite"):
        delete_study(url(in_tmp), "a", confirmed=True)
    assert (len(names(storage)), files()) == (2, kept)
    set_trial_attribute(study, trial, WORKER, [host_id(), 2**22 + 1, 1.0])
    delete_study(url(in_tmp), "a", confirmed=True)
    assert names(storage) == []


@pytest.mark.parametrize("calls_before", [0, 1])
def test_an_interrupted_deletion_can_be_repeated(
    calls_before: int, in_tmp: Path, storage: Storage, monkeypatch: pytest.MonkeyPatch
) -> None:
    add_study(storage, "a", "11")
    delete, n_calls = optuna.delete_study, iter(range(9))

    def kill(**arguments: object) -> None:
        if next(n_calls) == calls_before:
            raise KeyboardInterrupt
        delete(**arguments)  # type: ignore[arg-type]

    monkeypatch.setattr(optuna, "delete_study", kill)
    with pytest.raises(KeyboardInterrupt):
        delete_study(url(in_tmp), "a", confirmed=True)
    assert "a" in names(storage), "the study itself is deleted last"
    monkeypatch.undo()
    monkeypatch.chdir(in_tmp)
    delete_study(url(in_tmp), "a", confirmed=True)
    assert (names(storage), files()) == ([], [])


def test_a_file_that_cannot_be_deleted_is_named_and_the_study_is_kept(
    in_tmp: Path, storage: Storage, monkeypatch: pytest.MonkeyPatch
) -> None:
    add_study(storage, "a", "11")

    def refuse(path: Path, missing_ok: bool = False) -> None:
        raise PermissionError(path)

    with monkeypatch.context() as patch:
        patch.setattr(Path, "unlink", refuse)
        with pytest.raises(InputError, match="cannot be deleted"):
            delete_study(url(in_tmp), "a", confirmed=True)
    assert len(names(storage)) == 2


@pytest.mark.parametrize("folder", ["..", "../outside", "", "."])
def test_a_stored_path_cannot_lead_outside_var(folder: str, in_tmp: Path, storage: Storage) -> None:
    (VAR / "trials").mkdir(parents=True)
    outside = [Path("outside/file"), VAR / "file", VAR / "trials/file", VAR / "outside/file"]
    for path in outside:
        path.parent.mkdir(exist_ok=True)
        path.write_text("x")
    study = made_studies.mixed("a", storage)
    study.set_user_attr(FOLDER, folder)
    text = '{"artifact_id": "../file", "filename": "x", "mimetype": "x", "encoding": null}'
    storage.set_study_system_attr(study._study_id, "artifacts:x", text)
    delete_study(url(in_tmp), "a", confirmed=True)
    assert names(storage) == []
    assert all(path.exists() for path in outside)


def test_a_copy_of_a_study_keeps_the_files_that_both_use(in_tmp: Path, storage: Storage) -> None:
    add_study(storage, "a", "11")
    kept = files()
    optuna.copy_study(
        from_study_name="a", from_storage=storage, to_storage=storage, to_study_name="copy"
    )
    delete_study(url(in_tmp), "copy", confirmed=True)
    assert names(storage) == ["a", "a finalists 0-4 x1"]
    assert files() == kept


@pytest.mark.parametrize("name", ["a finalists 0-4 x1", "missing"])
def test_only_studies_of_run_study_are_deleted(name: str, in_tmp: Path, storage: Storage) -> None:
    add_study(storage, "a", "11")
    with pytest.raises(InputError, match=name):
        delete_study(url(in_tmp), name, confirmed=True)
    assert len(names(storage)) == 2
    assert IDENTITY in optuna.load_study(study_name="a", storage=storage).user_attrs


@pytest.mark.skipif(not REFERENCE_STUDY.exists(), reason="needs the reference study")
def test_the_reference_study_is_refused(in_tmp: Path) -> None:
    before = REFERENCE_STUDY.read_bytes()
    Path("link.db").symlink_to(REFERENCE_STUDY)
    for storage_url in ("sqlite:///study.db", f"sqlite:///{REFERENCE_STUDY}", "sqlite:///link.db"):
        with pytest.raises(InputError, match="reference study"):
            delete_study(storage_url, "omniglot-35-episode", confirmed=True)
    assert REFERENCE_STUDY.read_bytes() == before
