"""What run_study.py makes of its flags, and what it prints before and after its trials."""

import runpy
import sys
from dataclasses import replace
from pathlib import Path

import optuna
import pytest
from commands import ROOT
from made_studies import mixed, trial
from made_studies import study as made_study
from tiny import TINY

from data.episodes import Dataset
from data.errors import InputError
from hpo.cli.study import load_study_data, make_launcher, stop_study, study_config
from hpo.cli.study_output import next_commands, print_start, print_summary
from hpo.runtime import ray_launcher
from hpo.runtime.launcher import ProcessLauncher
from hpo.settings.study_settings import StudyConfig
from hpo.space.files import built_in_space
from hpo.study.budget import STOP_REQUESTS, Budget, study_budget
from hpo.study.open import FOLDER
from hpo.study.plan import EPOCH_SECONDS
from hpo.study.trials import FINALISTS

RUN = StudyConfig.from_settings(TINY, study_name=TINY.default_name)
CLUSTER = ["--ray", "--gpus-per-worker", "0.5"]
POSTGRESQL = ["--storage", "postgresql+psycopg://host/db"]


def parsed(*flags: str) -> StudyConfig:
    parser = runpy.run_path(str(ROOT / "run_study.py"), run_name="docs")["flags"]()
    return study_config(parser.parse_args(flags))


@pytest.fixture
def finished(tmp_path: Path) -> tuple[optuna.Study, StudyConfig]:
    """Return a study whose finalists have been fitted: trial 1 won, trial 0 was the best."""
    study = made_study()
    study.set_user_attr(FOLDER, "folder")
    study.add_trials([trial("COMPLETE", [0.8]), trial("COMPLETE", [0.7]), trial("PRUNED", [0.2])])
    accuracies = {"0": [0.5, 0.6], "1": [0.6, 0.7]}
    study.set_user_attr(FINALISTS, {"accuracies": accuracies, "winner": 1, "first": 0})
    return study, replace(RUN, n_trials=3, var=tmp_path)


def test_the_flags_become_a_run_configuration() -> None:
    flags = ["--data", "glyphs", "--image-size", "20", "--space", "recipe", "--sampler", "gp"]
    flags += ["--time-budget", "2h", "--heartbeat", "90s", "--checkpoint-interval", "0"]
    flags += ["--n-finalists", "2", "--n-networks", "7", "--n-trials", "4", "--workers", "3"]
    run, _ = load_study_data(parsed(*flags))
    assert run.settings.data == "glyphs"
    assert run.settings.space == built_in_space("recipe")
    assert run.settings.pruner == "none", "the Gaussian process cannot use pruned trials"
    assert run.settings.max_epochs == 54
    assert run.name == "glyphs-20-episode-recipe"
    study = optuna.create_study()
    study.set_user_attr(EPOCH_SECONDS, 7.2)
    known = replace(run, max_epochs=54)
    assert study_budget(known, study) == Budget(4, 1000, n_fits=3, max_epochs=54)
    assert (run.heartbeat, run.epoch_timeout, run.checkpoint_interval) == (90, 3600.0, 0.0)
    assert (run.n_finalists, run.n_networks, run.workers) == (2, 7, 3)


def test_workers_are_processes_unless_ray_is_requested(monkeypatch: pytest.MonkeyPatch) -> None:
    assert isinstance(make_launcher(parsed()), ProcessLauncher)
    with pytest.raises(InputError, match="--storage"):
        make_launcher(parsed(*CLUSTER))
    with pytest.raises(InputError, match="has no effect without Ray"):
        make_launcher(parsed("--gpus-per-worker", "0.5"))
    calls: list[tuple[str, float]] = []
    monkeypatch.setattr(ray_launcher, "RayLauncher", lambda *args: calls.append(args))
    make_launcher(parsed(*CLUSTER, *POSTGRESQL))
    assert calls == [("auto", 0.5)]


def test_stop_asks_the_processes_of_the_latest_study(
    in_tmp: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(sys, "argv", ["run_study.py"])
    study = made_study("mine", "sqlite:///study.db")
    stop_study(parsed("--stop"))
    assert study.user_attrs[STOP_REQUESTS] == 1
    assert "'mine'" in capsys.readouterr().out


def test_the_start_names_study_settings_and_data_but_no_password(
    packed: Dataset, capsys: pytest.CaptureFixture[str]
) -> None:
    print_start(replace(RUN, storage="postgresql://me:secret@host/db"), packed.drawings)
    lines = capsys.readouterr().out.splitlines()
    assert lines[0] == "study    glyphs-35-episode-paper-lr-units in postgresql://me:***@host/db"
    assert lines[1].startswith("settings data glyphs · image_size 35 · ")
    assert " · space paper-lr-units · " in lines[1]
    assert lines[2].startswith("data     glyphs: 8 alphabets, ")
    assert lines[3].startswith("note     ")
    assert len(lines) == 4


def test_the_summary_of_a_finished_study_shows_finalists_and_winner(
    finished: tuple[optuna.Study, StudyConfig], capsys: pytest.CaptureFixture[str]
) -> None:
    study, run = finished
    print_summary(study, run, 90.0)
    lines = capsys.readouterr().out.splitlines()
    assert lines[0] == "finished: 3 of 3 trials (2 complete, 1 pruned), 1.5 min in this run"
    assert lines[2].endswith(
        "highest mean replaces the default if its new fits are clearly better:"
    )
    assert [line.split() for line in lines[3:6]] == [
        ["trial", "mean", "search", "new", "fits"],
        ["1", "66.7%", "70.0%", "60.0%", "70.0%"],
        ["0", "63.3%", "80.0%", "50.0%", "60.0%"],
    ]
    assert lines[6].startswith("winner   trial 1: 65.0%")
    assert lines[7].split(maxsplit=1)[1].endswith("in the search")
    params = dict(line.split() for line in lines[8 : 8 + len(study.trials[1].params)])
    assert params == {name: f"{value:.4g}" for name, value in study.trials[1].params.items()}
    assert lines[-3].startswith("files    0 networks")
    assert "--n-trials" in lines[-2]
    assert lines[-1] == "next     uv run dashboard.py · uv run retrain_best.py"


def test_the_summary_of_a_paused_study_shows_the_best_and_running_trials(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    study = mixed()
    study.set_user_attr(FOLDER, "folder")
    print_summary(study, replace(RUN, var=tmp_path), 6.0)
    text = capsys.readouterr().out
    states = "4 complete, 1 pruned, 1 diverged, 1 interrupted, 1 failed, 1 running"
    assert text.startswith(f"paused: 7 of 20 trials ({states}), 0.1 min")
    assert "\nbest     trial 4: 80.0%" in text
    assert "\nrunning  trial 8 on " in text
    assert "same command" in text
    assert "No finalists have been fitted yet" in text


def test_a_study_whose_time_budget_is_spent_asks_for_a_larger_budget(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    study = made_study()
    study.set_user_attr(FOLDER, "folder")
    study.add_trial(trial("COMPLETE", [0.5]))
    study.set_user_attr(EPOCH_SECONDS, 2.0)
    seconds, run = 2.0, replace(RUN, n_finalists=0, var=tmp_path)
    print_summary(study, replace(run, time_budget=seconds), 6.0)
    text = capsys.readouterr().out
    assert text.startswith("finished: 1 of 1 trials")
    assert "--time-budget" in text
    assert "same command" not in text
    print_summary(study, replace(run, time_budget=2 * seconds), 6.0)
    text = capsys.readouterr().out
    assert "same command" in text
    assert "--time-budget" not in text


def test_a_study_without_improvement_is_finished(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    study = made_study()
    study.set_user_attr(FOLDER, "folder")
    study.add_trials([trial("COMPLETE", [0.6]), trial("COMPLETE", [0.5], minute=1)])
    run = replace(RUN, n_finalists=0, patience_trials=1, var=tmp_path)
    print_summary(study, run, 6.0)
    text = capsys.readouterr().out
    assert text.startswith("finished: 2 of 2 trials")
    assert "raise --patience-trials" in text


@pytest.mark.parametrize(
    ("n_finalists", "seconds", "repair"),
    [(5, None, "same command"), (5, 120.0, "--time-budget"), (0, None, "--n-trials")],
)
def test_a_study_is_not_finished_before_its_finalists_are_fitted(
    n_finalists: int,
    seconds: float | None,
    repair: str,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
) -> None:
    study = made_study()
    study.set_user_attr(FOLDER, "folder")
    study.set_user_attr(EPOCH_SECONDS, 60.0)
    study.add_trials([trial("COMPLETE", [0.5]), trial("COMPLETE", [0.6], minute=1)])
    run = replace(RUN, n_trials=2, time_budget=seconds, n_finalists=n_finalists, var=tmp_path)
    print_summary(study, run, 6.0)
    assert repair in capsys.readouterr().out.splitlines()[-2]


def test_the_summary_of_a_study_without_complete_trials_has_no_best_trial(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    study = made_study()
    study.set_user_attr(FOLDER, "folder")
    study.add_trial(trial("FAIL", []))
    print_summary(study, replace(RUN, var=tmp_path), 6.0)
    text = capsys.readouterr().out
    assert text.startswith("paused: 1 of 20 trials (1 failed)")
    assert "best" not in text.partition("next")[0]


def test_the_next_commands_have_the_flags_that_they_need() -> None:
    assert next_commands(RUN) == ["uv run dashboard.py", "uv run retrain_best.py"]
    run = replace(RUN, study_name="my study", data_root=Path("my images"))
    assert next_commands(run) == [
        "uv run dashboard.py --study-name 'my study'",
        "uv run retrain_best.py --study-name 'my study' --data-root 'my images'",
    ]
    remote = replace(RUN, storage="postgresql://me:secret@host/db")
    assert "--storage postgresql://me:***@host/db" in next_commands(remote)[0].replace("'", "")
    assert "secret" not in "".join(next_commands(remote))
