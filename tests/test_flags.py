"""Flags: their values, defaults and former names."""

import argparse
import re
import runpy
import subprocess
import sys
from pathlib import Path

import pytest
from commands import ROOT, run_in_process

from hpo.cli import flags
from hpo.cli.study import study_config
from hpo.settings.value_types import parse_duration

SCRIPTS = ("run_study", "dashboard", "retrain_best", "reproduce", "compare")
SLOW_IMPORTS = ("torch", "optuna", "pandas", "plotly", "numpy")
HELP = f"""
import runpy, sys
for name in {SCRIPTS}:
    sys.argv = [f"{{name}}.py", "--help"]
    try:
        runpy.run_path(f"{{name}}.py", run_name="__main__")
    except SystemExit as end:
        assert end.code == 0
print(sys.modules.keys() & {set(SLOW_IMPORTS)})
"""
RENAMED = [
    ("run_study", "--timeout", "--time-budget"),
    ("run_study", "--trial-timeout", "--epoch-timeout"),
    ("run_study", "--checkpoint-seconds", "--checkpoint-interval"),
    ("run_study", "--epoch-steps", "--steps-per-epoch"),
    ("run_study", "--finalist-seeds", "--n-finalist-seeds"),
    ("run_study", "--finalists", "--n-finalists"),
    ("run_study", "--keep-networks", "--n-networks"),
    ("run_study", "--pairs", "--n-pairs"),
    ("run_study", "--search", "--space"),
    ("retrain_best", "--seeds", "--n-seeds"),
    ("reproduce", "--seeds", "--n-seeds"),
    ("compare", "--greys", "--no-binarize"),
    ("compare", "--as-is", "--no-preprocess"),
    ("dashboard", "--writable", "--allow-edits"),
]


def parser_of(script: str) -> argparse.ArgumentParser:
    parser = runpy.run_path(str(ROOT / f"{script}.py"), run_name="docs")["flags"]()
    assert isinstance(parser, argparse.ArgumentParser)
    return parser


def test_help_needs_neither_torch_nor_optuna() -> None:
    """With them, the help of a script would take seconds."""
    done = subprocess.run(
        [sys.executable, "-c", HELP], cwd=ROOT, capture_output=True, text=True, check=True
    )
    assert done.stdout.count("usage:") == len(SCRIPTS)
    assert done.stdout.splitlines()[-1] == "set()"


@pytest.mark.parametrize(("script", "old", "new"), RENAMED)
def test_a_renamed_flag_is_one_line_that_names_the_new_one(
    script: str,
    old: str,
    new: str,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    for given in ([old, "3"], [f"{old}=3"], [old]):
        end = run_in_process(tmp_path, monkeypatch, f"{script}.py", *given)
        assert end is not None
        assert end.code == 2
        output, error = capsys.readouterr()
        assert (output, error) == ("", f"error: {old} was renamed. Use {new}.\n")
    text = parser_of(script).format_help()
    assert new in text
    assert f"{old} " not in text


def test_every_renamed_flag_is_tested() -> None:
    assert {(old, new) for _, old, new in RENAMED} == set(flags.RENAMED_FLAGS.items())


def test_a_former_flag_of_another_script_is_unknown(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    end = run_in_process(tmp_path, monkeypatch, "run_study.py", "--seeds", "3")
    assert end is not None
    assert end.code == 2
    assert "--n-seeds" not in capsys.readouterr().err


@pytest.mark.parametrize(
    ("text", "seconds"),
    [("90", 90), ("90s", 90), ("15m", 900), ("2h", 7200), ("1.5h", 5400), ("0", 0), ("1e3", 1000)],
)
def test_a_duration_is_seconds_or_has_a_unit(text: str, seconds: float) -> None:
    assert parse_duration(text) == seconds


@pytest.mark.parametrize("text", ["", "h", "nan", "inf", "-1", "-1m", "2 days", "1h30m", "2d"])
def test_other_durations_are_refused(text: str) -> None:
    with pytest.raises(ValueError, match="15m"):
        parse_duration(text)


def test_the_default_durations() -> None:
    config = study_config(parser_of("run_study").parse_args([]))
    assert (config.time_budget, config.epoch_timeout) == (None, 3600.0)
    assert (config.checkpoint_interval, config.heartbeat) == (10.0, 60)
    assert isinstance(config.heartbeat, int), "Optuna wants whole seconds"


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--epoch-timeout", "0"], "--epoch-timeout must be .* above 0, but is 0"),
        (["--time-budget", "nan"], "--time-budget must be .* nan"),
        (["--time-budget", "0s"], "--time-budget must be .* 0s"),
        (["--checkpoint-interval", "inf"], "--checkpoint-interval must be .* inf"),
        (["--heartbeat", "1.5s"], "--heartbeat must be a whole number .* 1.5s"),
        (["--n-trials", "0"], "--n-trials must be greater than or equal to 1, but is 0"),
        (["--n-trials", "many"], "--n-trials must be an integer.* many"),
        (["--n-networks", "-1"], "--n-networks must be .* -1"),
        (["--gpus-per-worker", "-1"], "--gpus-per-worker must be .* -1"),
        (["--gpus-per-worker", "inf"], "--gpus-per-worker must be .* inf"),
        (["--seed", "-1"], "--seed must be .* -1"),
        (["--step-cost", "fast"], "--step-cost must be reference or five numbers.* fast"),
        (["--study-name", "n" * 401], "--study-name must have 1 to 400 characters"),
    ],
)
def test_values_out_of_range_are_one_line(
    arguments: list[str],
    message: str,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    end = run_in_process(tmp_path, monkeypatch, "run_study.py", *arguments)
    assert end is not None
    assert end.code == 2
    error = capsys.readouterr().err
    assert error.startswith("error: ")
    assert error.count("\n") == 1
    assert re.search(message, error)


@pytest.mark.parametrize(
    ("name", "arguments", "message"),
    [
        ("retrain_best.py", ["--checkpoint", "x.pt", "--n-seeds", "2"], "--n-seeds"),
        ("retrain_best.py", ["--checkpoint", "x.pt", "--no-mirrors"], "--mirrors"),
    ],
)
def test_values_out_of_range_are_refused_with_the_usage(
    name: str,
    arguments: list[str],
    message: str,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    end = run_in_process(tmp_path, monkeypatch, name, *arguments)
    assert end is not None
    assert end.code == 2
    error = capsys.readouterr().err
    assert error.startswith("usage: ")
    assert re.search(message, error)


def test_a_study_name_fits_into_every_database(capsys: pytest.CaptureFixture[str]) -> None:
    parser = parser_of("dashboard")
    assert parser.parse_args(["--study-name", "é" * 400]).study_name == "é" * 400
    with pytest.raises(SystemExit) as end:
        parser.parse_args(["--study-name", "n" * 401])
    assert end.value.code == 2
    assert "--study-name: must have 1 to 400 characters" in capsys.readouterr().err
