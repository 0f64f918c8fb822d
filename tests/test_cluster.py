"""A real Ray cluster of several nodes on this machine, with a real PostgreSQL beside it."""

import os
import subprocess
import sys
import time
import warnings
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import optuna
import pytest
from optuna.trial import TrialState
from test_postgresql import ROOT, STUDY, Opener, server, storage_at, url  # noqa: F401

from hpo.runtime.requeue import worker_of


@pytest.fixture
def cluster() -> Iterator[Any]:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # Ray's own
        from ray.cluster_utils import Cluster

        made = Cluster(initialize_head=True, head_node_args={"num_cpus": 0})
        nodes = [made.add_node(num_cpus=1) for _ in range(2)]
    yield made, nodes
    made.shutdown()


def test_a_killed_node_costs_no_trial(
    cluster: Any,
    url: str,  # noqa: F811
    tmp_path: Path,
    storage_at: Opener,  # noqa: F811
) -> None:
    made, nodes = cluster
    flags = [*STUDY, "--max-epochs", "12", "--n-trials", "6", "--checkpoint-interval", "0"]
    command = [sys.executable, str(ROOT / "run_study.py"), *flags, "--storage", url]
    process = subprocess.Popen(
        [*command, "--ray", made.address, "--workers", "2"],
        cwd=tmp_path,
        env={**os.environ, "OMNIGLOT_ROOT": ""},
        text=True,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
    )
    storage = storage_at(url)
    running = wait_for_two(storage)
    made.remove_node(nodes[0], allow_graceful=False)
    said, _ = process.communicate(timeout=240)
    assert process.returncode == 0, said
    assert "another takes its place" in said
    assert "goes on as trial" in said
    study = optuna.load_study(study_name="glyphs-20-episode-lr", storage=storage)
    owners = {worker_of(trial)[1] for trial in running}
    states = [trial.state for trial in study.trials]
    assert len(owners) == 2, "two actors"
    assert states.count(TrialState.FAIL) == 1, "the killed node's"
    assert all(state.is_finished() for state in states), "none runs for ever"
    assert states.count(TrialState.COMPLETE) + states.count(TrialState.PRUNED) >= 6
    assert not [p for p in owners if Path(f"/proc/{p}").exists() and is_ours(p)]


def wait_for_two(storage: Any) -> list[optuna.trial.FrozenTrial]:
    for _ in range(900):
        time.sleep(0.1)
        try:
            study = optuna.load_study(study_name="glyphs-20-episode-lr", storage=storage)
        except KeyError:
            continue
        running = study.get_trials(states=(TrialState.RUNNING,))
        if len(running) == 2 and all(trial.intermediate_values for trial in running):
            return running
    raise AssertionError("never two trials at once")


def is_ours(pid: int) -> bool:
    return b"ray::_Worker" in Path(f"/proc/{pid}/cmdline").read_bytes()


def test_ray_with_a_sqlite_file_or_without_a_cluster_is_one_line(
    tmp_path: Path,
) -> None:
    environment = {**os.environ, "OMNIGLOT_ROOT": ""}
    for flags, message in (
        (["--ray"], "error: --ray needs a storage that every node reaches"),
        (
            ["--ray", "127.0.0.1:9", "--storage", "postgresql+psycopg://127.0.0.1:9/x"],
            "error: No Ray cluster answers at '127.0.0.1:9'",
        ),
    ):
        done = subprocess.run(
            [sys.executable, str(ROOT / "run_study.py"), *STUDY, *flags],
            cwd=tmp_path,
            env=environment,
            capture_output=True,
            text=True,
            timeout=120,
        )
        assert done.returncode == 2
        assert done.stderr.startswith(message), done.stderr
        assert len(done.stderr.splitlines()) == 1, done.stderr
