"""A signal may arrive at any moment, even inside SQLAlchemy or an import."""

import os
import signal
import time
from collections.abc import Iterator
from pathlib import Path
from typing import NoReturn

import optuna
import pytest
from optuna.exceptions import StorageInternalError
from optuna.study import Study

from hpo.runtime import processes
from hpo.runtime.processes import INTERRUPTED, MAX_DELAY_SECONDS, handle_signals, start_forkserver
from hpo.study import storage
from hpo.study.storage import open_storage, storage_errors


@pytest.fixture(autouse=True)
def _restored_handlers() -> Iterator[None]:
    numbers = (signal.SIGINT, signal.SIGTERM, signal.SIGALRM)
    handlers = [(number, signal.getsignal(number)) for number in numbers]
    yield
    signal.setitimer(signal.ITIMER_REAL, 0)
    for number, handler in handlers:
        signal.signal(number, handler)


@pytest.fixture
def study(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Study]:
    """A study whose lock is not waited for."""
    monkeypatch.setattr(storage, "LOCK_TIMEOUT_SECONDS", 1)
    opened = open_storage(f"sqlite:///{tmp_path / 'study.db'}")
    yield optuna.create_study(storage=opened)
    opened.close()


def send_after(seconds: float) -> None:
    """Send SIGTERM to this process after some time."""
    signal.signal(signal.SIGALRM, lambda *_: signal.raise_signal(signal.SIGTERM))
    signal.setitimer(signal.ITIMER_REAL, seconds)


def write_until_interrupted(study: Study, seconds: float) -> None:
    send_after(seconds)
    end = time.monotonic() + 10
    while time.monotonic() < end:
        time.sleep(0.001)
        study.set_user_attr("written", end)


def interrupt_at_moments(study: Study, n: int) -> None:
    """Interrupt writing at ``n`` moments between 0.5 and 11 milliseconds."""
    for i in range(n):
        handle_signals()
        with pytest.raises(KeyboardInterrupt):  # neither lost nor replaced by another error
            write_until_interrupted(study, 0.0005 + 0.0105 * i / n)
        study.set_user_attr("after", i)  # no transaction was left open
        assert study.user_attrs["after"] == i


def test_a_signal_interrupts_and_leaves_the_database_usable(study: Study) -> None:
    interrupt_at_moments(study, 40)


@pytest.mark.slow
def test_a_signal_at_many_moments_leaves_the_database_usable(study: Study) -> None:
    interrupt_at_moments(study, 400)


LOOP = "send_after(0.01)\nwhile True: pass"


def test_a_library_that_never_returns_postpones_a_signal_for_a_limited_time(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setitem(MAX_DELAY_SECONDS, "sqlalchemy", 0.2)
    handle_signals()
    start = time.monotonic()
    with pytest.raises(KeyboardInterrupt):
        exec(LOOP, {"__name__": "sqlalchemy.loop", "send_after": send_after})
    assert 0.2 <= time.monotonic() - start < 5


def test_a_second_signal_does_not_interrupt_the_clean_up() -> None:
    handle_signals()
    with pytest.raises(KeyboardInterrupt):
        signal.raise_signal(signal.SIGTERM)
    signal.raise_signal(signal.SIGTERM)
    signal.raise_signal(signal.SIGINT)


def import_and_wait(code: str, names: dict[str, object]) -> None:
    exec(code, names)
    end = time.monotonic() + 10
    while time.monotonic() < end:
        time.sleep(0.001)  # a postponed signal does not end a long sleep


def test_a_signal_in_an_import_waits_for_its_end() -> None:
    handle_signals()
    numbers: list[int] = []
    code = "send_after(0.001)\nfor i in range(10**5): numbers.append(i)"
    names = {"__name__": "importlib._bootstrap", "send_after": send_after, "numbers": numbers}
    with pytest.raises(KeyboardInterrupt):
        import_and_wait(code, names)
    assert len(numbers) == 10**5


def test_an_import_that_takes_too_long_ends_the_process(
    monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    def fake_exit(status: int) -> NoReturn:
        raise SystemExit(status)

    monkeypatch.setattr(os, "_exit", fake_exit)
    monkeypatch.setitem(MAX_DELAY_SECONDS, "importlib", 0.05)
    handle_signals("stopped in an import")
    with pytest.raises(SystemExit) as ended:
        exec(LOOP, {"__name__": "importlib._bootstrap", "send_after": send_after})
    assert ended.value.code == INTERRUPTED
    assert capfd.readouterr().err == "stopped in an import"


def test_an_interrupt_that_a_library_replaced_is_still_one() -> None:
    @storage_errors("sqlite:///study.db")
    def interrupted_commit() -> None:
        try:
            raise KeyboardInterrupt
        except KeyboardInterrupt:
            raise StorageInternalError("closed while it commits")  # noqa: B904

    with pytest.raises(KeyboardInterrupt):
        interrupted_commit()


def test_the_forkserver_starts_with_signals_ignored(monkeypatch: pytest.MonkeyPatch) -> None:
    seen: list[object] = []

    def ensure_running() -> None:
        seen.extend(signal.getsignal(number) for number in processes.GROUP_SIGNALS)

    handlers = [signal.getsignal(number) for number in processes.GROUP_SIGNALS]
    monkeypatch.setattr("multiprocessing.forkserver.ensure_running", ensure_running)
    monkeypatch.setattr(processes, "FORKSERVER", False)
    start_forkserver()
    assert seen == []
    monkeypatch.setattr(processes, "FORKSERVER", True)
    start_forkserver()
    assert seen == [signal.SIG_IGN] * 2
    assert [signal.getsignal(number) for number in processes.GROUP_SIGNALS] == handlers
