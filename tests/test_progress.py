"""What the terminal shows while a study runs."""

import sys
from types import SimpleNamespace
from typing import Any

import made_studies
import optuna
import pytest
from optuna.trial import TrialState

from hpo.runtime import progress as module
from hpo.runtime.progress import Progress, finalist_label, trial_label
from hpo.study.trials import summarize_trial

pytestmark = pytest.mark.usefixtures("console")


def printed(capsys: pytest.CaptureFixture[str]) -> list[str]:
    return capsys.readouterr().out.splitlines()


def test_one_line_per_finished_trial(capsys: pytest.CaptureFixture[str]) -> None:
    study = made_studies.study()
    progress = Progress(study, 12, 8)
    assert not progress.update()
    study.add_trials(made_studies.mixed().trials)
    assert progress.update()
    lines = printed(capsys)
    assert len(lines) == 8, "not the running one"
    assert lines[0].startswith("trial   0 ·  70.0% validation · 2 epochs in 30 s")
    assert "pruned" in lines[1]
    assert "· 1 epoch in 30 s" in lines[1]
    assert "– diverged" in lines[2]
    assert "5.0%" not in lines[2], "it was not measured"
    assert "queued again as trial 4" in lines[3]
    assert "trial   5 · failed" in lines[5]
    assert all("best 80.0% (trial 4)" in line for line in lines)
    assert not progress.update()
    assert printed(capsys) == [], "each once"
    progress.close()


def test_earlier_trials_are_not_printed(capsys: pytest.CaptureFixture[str]) -> None:
    study = made_studies.mixed()
    Progress(study, 12, 8).update()
    assert printed(capsys) == []


def test_a_failed_trial_is_no_news() -> None:
    study = made_studies.study()
    progress = Progress(study, 12, 8)
    study.add_trial(made_studies.trial("FAIL", []))
    assert not progress.update()


def test_the_time_left_follows_from_the_trials_of_this_run(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    now = 0.0
    monkeypatch.setattr(module, "time", SimpleNamespace(monotonic=lambda: now))
    study = made_studies.study()
    study.add_trial(made_studies.trial("COMPLETE", [0.5]))
    progress = Progress(study, 4, 8, next_phase="10 fits of finalists")
    now = 60.0
    study.add_trial(made_studies.trial("COMPLETE", [0.6], minute=1))
    progress.update()
    assert "about 2 min left, then 10 fits of finalists" in printed(capsys)[0]
    study.add_trials([made_studies.trial("COMPLETE", [0.6], minute=i) for i in (2, 3)])
    progress.update()
    assert "left" not in "".join(printed(capsys))


def test_a_terminal_gets_a_bar(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys.stderr, "isatty", lambda: True, raising=False)
    study = made_studies.mixed()
    study.add_trial(optuna.trial.create_trial(state=TrialState.RUNNING))
    progress = Progress(study, 12, 8)
    bar: Any = progress._bar
    progress.update()
    assert bar.n == 7, "the retry and the interrupted trial count once"
    assert bar.desc == "trial   8 epoch 1/8 10.0% · trial   9 epoch 0/8"
    assert "best 80.0%" in bar.postfix
    progress.close()


def test_labels_name_the_trial_and_the_seed_of_a_finalist() -> None:
    distribution = optuna.distributions.IntDistribution(0, 2000)
    fit = optuna.trial.create_trial(
        value=0.5,
        params={"trial": 7, "seed": 1000},
        distributions={"trial": distribution, "seed": distribution},
    )
    fit.number = 12
    summary = summarize_trial(fit, {})
    assert finalist_label(summary).split() == ["final", "trial", "7", "seed", "1000"]
    assert trial_label(summary) == "trial  12"
    waiting = summarize_trial(optuna.trial.create_trial(state=TrialState.WAITING), {})
    assert finalist_label(waiting).split() == ["final", "trial", "?", "seed", "?"]
