"""The action of dashboard.py that deletes a study, the fits of its finalists and its files.

The files are deleted first and the study last. The files are found by the attributes of the study,
so that a deletion that was interrupted can be repeated.
"""

import shlex
import sys
from collections.abc import Iterator, Sequence
from contextlib import suppress
from pathlib import Path

import optuna
import sqlalchemy
from optuna.artifacts import get_all_artifact_meta
from optuna.storages import RDBStorage
from optuna.study import Study

from data.errors import InputError
from data.paths import ARTIFACTS, DEFAULT_STORAGE, REFERENCE_STUDY, VAR
from data.text import hide_password, make_printable
from hpo.dashboard.activity import live_trials
from hpo.runtime.requeue import worker_of
from hpo.search.finalists import finalist_studies
from hpo.search.trial_files import delete_file, trials_folder
from hpo.study.open import FOLDER, open_stored_study, storage_or_reference
from hpo.study.optuna_internals import storage_of


def delete_study(url: str, name: str, *, confirmed: bool, var: Path = VAR) -> None:
    """Delete a study, the studies of its finalists and its files, after a question.

    Args:
        url: database address.
        name: name of the study.
        confirmed: whether to delete without a question.
        var: folder of the files of the trials.

    Raises:
        InputError: the study does not exist, is running or is the reference study, a file cannot be
            deleted, or there is no terminal for the question.
    """
    if not confirmed and not (sys.stdin and sys.stdin.isatty()):
        raise InputError(
            f"The deletion of study '{name}' must be confirmed, but there is no terminal to ask "
            "on. Add --yes to delete it without a question."
        )
    url = storage_or_reference(url, allow_edits=True)
    _refuse_reference(url)
    with open_stored_study(url, name, read_only=False) as (storage, study, _):
        _require_not_running(storage, study, url)
        n_trials = len(study.get_trials(deepcopy=False))
        if not confirmed and not _ask(name, n_trials):
            print("Nothing was deleted.")
            return
        _require_not_running(storage, study, url)  # the answer may have taken long
        n_studies, n_files = _delete(storage, study, var)
    print(
        f"deleted  study '{make_printable(name)}' ({_count(n_trials, 'trial')}), "
        f"{_count(n_studies, 'set')} of finalists and {_count(n_files, 'file')} in {var}"
    )


def _refuse_reference(url: str) -> None:
    path = Path(sqlalchemy.make_url(url).database or "")
    if url.startswith("sqlite") and path.resolve() == REFERENCE_STUDY.resolve():
        raise InputError(
            f"The reference study must not be deleted, but --storage is {path}. Choose another "
            "--storage."
        )


def _require_not_running(storage: RDBStorage, study: Study, url: str) -> None:
    """Raise InputError if the process of a trial of the study or of its finalists is alive."""
    for part in (study, *_own_finalists(storage, study)):
        for trial in live_trials(storage, part):
            worker = worker_of(trial)
            flags = [] if url == DEFAULT_STORAGE else ["--storage", hide_password(url)]
            command = ["uv", "run", "run_study.py", "--stop", "--study-name", study.study_name]
            raise InputError(
                f"Study '{study.study_name}' must not run when it is deleted, but trial "
                f"{trial.number} of '{part.study_name}' is running on {worker.host} (process "
                f"{worker.pid}). Run `{shlex.join([*command, *flags])}` and wait until it has "
                "ended."
            )


def _ask(name: str, n_trials: int) -> bool:
    """Return whether the user agrees on the terminal; the end of the input means no."""
    trials = _count(n_trials, "trial")
    question = f"Delete study '{make_printable(name)}' ({trials}) and its files? [y/N] "
    try:
        return input(question).strip().lower() in ("y", "yes")
    except EOFError:
        print()
        return False


def _count(n: int, noun: str) -> str:
    return f"{n} {noun}{'s' * (n != 1)}"


def _delete(storage: RDBStorage, study: Study, var: Path) -> tuple[int, int]:
    """Delete files, then the finalists' studies, then the study; return how many of the first two.

    Another process may delete the same study at the same time.
    """
    finalists = _own_finalists(storage, study)
    n_files = 0
    if not _is_copied(storage, study):
        n_files = sum(_delete_files(part, var) for part in (*finalists, study))
    for part in (*finalists, study):
        with suppress(KeyError):
            optuna.delete_study(study_name=part.study_name, storage=storage)
    return len(finalists), n_files


def _own_finalists(storage: RDBStorage, study: Study) -> list[Study]:
    """Return the studies of the finalists, unless a copy of the study needs them."""
    return [] if _is_copied(storage, study) else finalist_studies(storage, study)


def _is_copied(storage: RDBStorage, study: Study) -> bool:
    """Return whether another study has the same files, as after ``optuna.copy_study``."""
    folder = study.user_attrs.get(FOLDER)
    summaries = optuna.get_all_study_summaries(storage, include_best_trial=False)
    folders = [s.user_attrs.get(FOLDER) for s in summaries if s.study_name != study.study_name]
    return folder is not None and folder in folders


def _delete_files(study: Study, var: Path) -> int:
    """Delete checkpoints, networks and images of the trials of a study; return their number."""
    paths = [var / ARTIFACTS / name for name in _artifact_names(study) if _is_plain(name)]
    folder = trials_folder(study, var) if _is_plain(study.user_attrs.get(FOLDER)) else None
    if folder and folder.is_dir() and not folder.is_symlink():
        paths += [path for path in folder.iterdir() if path.is_file()]
    existing = [path for path in paths if path.is_file()]
    for path in existing:
        delete_file(path)
    if folder:
        with suppress(OSError):  # it does not exist, or contains a folder of the user's
            folder.rmdir()
    return len(existing)


def _artifact_names(study: Study) -> Iterator[str]:
    """Yield the file names of the images of the trials, and of files that a user has attached."""
    owners: Sequence[Study | optuna.trial.FrozenTrial] = (study, *study.get_trials(deepcopy=False))
    for owner in owners:
        for artifact in get_all_artifact_meta(owner, storage=storage_of(study)):
            yield artifact.artifact_id


def _is_plain(name: object) -> bool:
    """Return whether a stored text is the name of a file, not a path that leads elsewhere."""
    return isinstance(name, str) and name not in ("", ".", "..") and Path(name).name == name
