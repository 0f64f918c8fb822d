"""Logs of the epochs of fits for TensorBoard."""

import math
import sys
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


def read_scalars(folder: Path, name: str) -> list[tuple[int, float]]:
    events = EventAccumulator(str(folder)).Reload()
    return [(event.step, event.value) for event in events.Scalars(name)]


def test_every_epoch_is_logged_and_yielded(tmp_path: Path) -> None:
    assert list(log_epochs(results(3), tmp_path / "a")) == list(results(3))
    assert read_scalars(tmp_path / "a", "loss") == [(1, 1.0), (2, 0.5), (3, pytest.approx(1 / 3))]
    assert len(read_scalars(tmp_path / "a", "validation accuracy")) == 3


def test_each_epoch_of_a_resumed_fit_is_logged_once(tmp_path: Path) -> None:
    for n_yielded, result in enumerate(log_epochs(results(5), tmp_path), 1):
        assert result.epoch == n_yielded
        if n_yielded == 2:
            break
    list(log_epochs(results(5), tmp_path))
    assert [step for step, _ in read_scalars(tmp_path, "loss")] == [1, 2, 3, 4, 5]


def test_without_validation_no_accuracy_is_logged(tmp_path: Path) -> None:
    list(log_epochs(results(2, math.nan), tmp_path))
    names = EventAccumulator(str(tmp_path)).Reload().Tags()["scalars"]
    assert names == ["loss", "seconds per epoch"]


def test_without_a_folder_nothing_is_logged(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    assert list(log_epochs(results(2), None)) == list(results(2))
    assert list(tmp_path.iterdir()) == []


def test_a_folder_that_cannot_be_created_is_an_input_error(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(InputError, match=r"--tensorboard .*file/a"):
        list(log_epochs(results(1), tmp_path / "file" / "a"))


def test_a_missing_library_is_an_input_error(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "torch.utils.tensorboard", None)
    with pytest.raises(InputError, match="--extra tensorboard"):
        list(log_epochs(results(1), tmp_path))
