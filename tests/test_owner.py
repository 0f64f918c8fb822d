import subprocess
import sys
from pathlib import Path

import optuna
import pytest
from optuna.trial import TrialState
from tiny import TINY, opened

from data.splits import Split
from hpo.runtime.requeue import OWNER, requeue, requeue_orphans, sign
from hpo.space.configuration import suggest_config
from hpo.study.budget import count_finished, count_started
from hpo.study.settings import base_config


def test_a_dead_owners_trial_is_ended_and_put_back_once(tmp_path: Path, parts: Split) -> None:
    study = opened(tmp_path, parts)
    trial = study.ask({"x": optuna.distributions.FloatDistribution(0, 1)})
    gone = subprocess.Popen([sys.executable, "-c", "pass"])
    gone.wait()
    sign(trial)
    host, _, started = study.trials[trial.number].user_attrs[OWNER]
    assert requeue_orphans(study, tmp_path / "lock") == [], "we are alive"
    trial.set_user_attr(OWNER, [host, gone.pid, started])
    assert requeue_orphans(study, tmp_path / "lock") == [trial.number]
    assert requeue_orphans(study, tmp_path / "lock") == []
    waiting = [t for t in study.trials if t.user_attrs.get("retry_of") == trial.number]
    assert [t.system_attrs["fixed_params"]["x"] for t in waiting] == [trial.params["x"]]
    assert count_finished(study) == count_started(study) == 0


@pytest.mark.parametrize("max_retries", [0, 2])
def test_parameters_that_kill_their_process_each_time_are_given_up(
    max_retries: int, tmp_path: Path, parts: Split
) -> None:
    study = opened(tmp_path, parts)
    params = []
    for _ in range(max_retries + 2):
        trial = study.ask()
        suggest_config(trial, base_config(TINY), TINY.search)
        params.append(trial.params)
        sign(trial)
        host, pid, _ = study.trials[trial.number].user_attrs[OWNER]
        trial.set_user_attr(OWNER, [host, pid, "1"])
        assert requeue_orphans(study, tmp_path / "lock", max_retries) == [trial.number]
    assert all(p == params[0] for p in params[: max_retries + 1])
    assert params[-1] != params[0]
    assert count_finished(study) == (1 if max_retries else 2), "the last is put back if it may be"


def test_a_reused_process_id_is_not_taken_for_the_owner(tmp_path: Path, parts: Split) -> None:
    study = opened(tmp_path, parts)
    trial = study.ask()
    sign(trial)
    host, pid, _ = study.trials[trial.number].user_attrs[OWNER]
    trial.set_user_attr(OWNER, [host, pid, "1"])
    assert requeue_orphans(study, tmp_path / "lock") == [trial.number]


def test_a_trial_is_put_back_however_often_its_process_is_told_to_end(
    tmp_path: Path, parts: Split
) -> None:
    study = opened(tmp_path, parts)
    for number in range(5):
        assert study.ask().number == number
        requeue(study, number)
        requeue(study, number)
        study.tell(number, state=TrialState.FAIL)
    requeue(study, 4, max_retries=0)
    assert len(study.trials) == 6, "each once"
    assert study.ask().number == 5
    requeue(study, 5, max_retries=0)
    assert len(study.trials) == 6, "a death is no interruption"
    requeue(study, 5, max_retries=1)
    assert len(study.trials) == 7, "those before it were no deaths"
