"""Flags that cannot be, or that would be left unheeded, are refused with the usage."""

from pathlib import Path

import pytest
from commands import here


@pytest.mark.parametrize(
    ("name", "flags", "message"),
    [
        ("retrain_best.py", ["--checkpoint", "x.pt", "--n-seeds", "2"], "leave out --n-seeds"),
        ("retrain_best.py", ["--checkpoint", "x.pt", "--no-mirrors"], "leave out --mirrors"),
        ("run_study.py", ["--epoch-timeout", "-1"], "must be above 0 and finite"),
        ("run_study.py", ["--time-budget", "nan"], "must be above 0 and finite"),
        ("run_study.py", ["--checkpoint-interval", "inf"], "must be at least 0 and finite"),
    ],
)
def test_flags_that_cannot_be_are_refused_with_the_usage(
    name: str,
    flags: list[str],
    message: str,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    end = here(tmp_path, monkeypatch, name, *flags)
    assert end is not None
    assert end.code == 2
    assert message in capsys.readouterr().err
