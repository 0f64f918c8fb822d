"""The course of fits for TensorBoard."""

import math
from collections.abc import Iterator
from pathlib import Path

import pytest
from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

from data.errors import InputError
from model.fit_state import EpochResult
from model.tensorboard_log import log_epochs


def results(n: int, accuracy: float = 0.5) -> Iterator[EpochResult]:
    for epoch in range(1, n + 1):
        yield EpochResult(epoch, 1 / epoch, accuracy, epoch, 0.1, None)


def read(folder: Path, name: str) -> list[tuple[int, float]]:
    events = EventAccumulator(str(folder)).Reload()
    return [(event.step, event.value) for event in events.Scalars(name)]


def test_every_epoch_is_written_and_passed_on(tmp_path: Path) -> None:
    assert list(log_epochs(results(3), tmp_path / "a")) == list(results(3))
    assert read(tmp_path / "a", "loss") == [(1, 1.0), (2, 0.5), (3, pytest.approx(1 / 3))]
    assert len(read(tmp_path / "a", "validation accuracy")) == 3


def test_a_fit_that_is_broken_off_and_goes_on_is_written_once(tmp_path: Path) -> None:
    for n_seen, result in enumerate(log_epochs(results(5), tmp_path), 1):
        assert result.epoch == n_seen
        if n_seen == 2:
            break
    list(log_epochs(results(5), tmp_path))
    assert [step for step, _ in read(tmp_path, "loss")] == [1, 2, 3, 4, 5]


def test_without_validation_there_is_no_accuracy(tmp_path: Path) -> None:
    list(log_epochs(results(2, math.nan), tmp_path))
    assert EventAccumulator(str(tmp_path)).Reload().Tags()["scalars"] == [
        "loss",
        "seconds per epoch",
    ]


def test_without_a_folder_nothing_is_written(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    assert list(log_epochs(results(2), None)) == list(results(2))
    assert list(tmp_path.iterdir()) == []


def test_a_folder_that_cannot_be_is_named(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(InputError, match="--tensorboard cannot be written"):
        list(log_epochs(results(1), tmp_path / "file" / "a"))
