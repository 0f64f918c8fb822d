"""A signal may strike at any moment, also inside the database's library."""

import signal
import time
from collections.abc import Iterator
from pathlib import Path

import optuna
import pytest
from optuna.exceptions import StorageInternalError
from optuna.study import Study

from hpo.runtime.processes import MAX_DELAYS, handle_signals
from hpo.study import storage
from hpo.study.storage import open_storage, storage_errors


@pytest.fixture
def study(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Study]:
    """Return a study whose lock nobody waits for long; the handlers are put back afterwards."""
    monkeypatch.setattr(storage, "BUSY_SECONDS", 1)
    numbers = (signal.SIGINT, signal.SIGTERM, signal.SIGALRM)
    handlers = [(number, signal.getsignal(number)) for number in numbers]
    opened = open_storage(f"sqlite:///{tmp_path / 'study.db'}")
    yield optuna.create_study(storage=opened)
    signal.setitimer(signal.ITIMER_REAL, 0)
    for number, handler in handlers:
        signal.signal(number, handler)
    opened.close()


def strike_after(seconds: float) -> None:
    signal.signal(signal.SIGALRM, lambda *_: signal.raise_signal(signal.SIGTERM))
    signal.setitimer(signal.ITIMER_REAL, seconds)


def write_until_struck(study: Study, seconds: float) -> None:
    strike_after(seconds)
    until = time.monotonic() + 10
    while time.monotonic() < until:
        time.sleep(0.001)
        study.set_user_attr("written", until)


@storage_errors("sqlite:///study.db")
def close_amid_a_commit() -> None:
    try:
        raise KeyboardInterrupt
    except KeyboardInterrupt:
        raise StorageInternalError("closed while it commits")  # noqa: B904


def test_a_signal_ends_what_runs_and_leaves_the_database_usable(study: Study) -> None:
    for i in range(300):
        handle_signals()
        with pytest.raises(KeyboardInterrupt):  # neither lost nor turned into another error
            write_until_struck(study, 0.0005 + 0.000035 * i)
        study.set_user_attr("after", i)  # no transaction was left open
        assert study.user_attrs["after"] == i


def strike() -> None:
    strike_after(0.01)


def test_a_library_that_never_returns_does_not_hold_up_a_signal(
    study: Study, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(MAX_DELAYS, "sqlalchemy", 0.2)
    handle_signals()
    began = time.monotonic()
    with pytest.raises(KeyboardInterrupt):
        exec("strike()\nwhile True: pass", {"__name__": "sqlalchemy.waits", "strike": strike})
    assert 0.2 <= time.monotonic() - began < 5


def import_and_wait(code: str, names: dict[str, object]) -> None:
    exec(code, names)
    time.sleep(10)


def test_a_signal_that_strikes_an_import_waits_for_its_end(study: Study) -> None:
    handle_signals()
    seen: list[int] = []
    code = "strike()\nfor i in range(10**5): seen.append(i)"
    names = {"__name__": "importlib._bootstrap", "strike": strike, "seen": seen}
    with pytest.raises(KeyboardInterrupt):
        import_and_wait(code, names)
    assert len(seen) == 10**5


def test_an_interruption_that_a_library_could_not_bear_is_still_one() -> None:
    with pytest.raises(KeyboardInterrupt):
        close_amid_a_commit()
