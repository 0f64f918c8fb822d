"""The exported report and the live dashboard in a real browser."""

import io
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import made_studies
import optuna
import pytest
from chromium import RecordedPage, browser
from PIL import Image

from hpo.dashboard.plots import save_dashboard
from hpo.dashboard.server import make_dashboard_server
from hpo.report.html_page import write_page
from hpo.report.studies.page import studies_page
from hpo.report.study.page import study_page
from hpo.search.trial_images import attach_images
from hpo.study.storage import open_storage

pytestmark = pytest.mark.slow

WIDTHS = {"desktop": (1200, 900), "phone": (390, 844)}


@pytest.fixture(scope="module")
def chromium() -> Iterator[Any]:
    with browser() as started:
        yield started


@pytest.fixture(scope="module")
def reports(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """Reports of a large study, two without complete trials and one with a hostile name."""
    folder = tmp_path_factory.mktemp("reports")
    studies = {
        "large": made_studies.large(60),
        "empty": made_studies.study(),
        "pruned": made_studies.large(3, ("PRUNED",)),
        "hostile": made_studies.mixed(
            "</script><script>alert(1)</script><img src=x onerror=alert(1)>"
        ),
    }
    paths = {name: folder / f"{name}.html" for name in studies}
    for name, study in studies.items():
        storage: Any = study._storage
        write_page(paths[name], study_page(storage, study, "sqlite:///study.db"))
    return paths


@pytest.mark.parametrize("width", list(WIDTHS))
@pytest.mark.parametrize("name", ["large", "empty", "pruned", "hostile"])
def test_an_exported_report_needs_no_network(
    name: str, width: str, chromium: Any, reports: dict[str, Path], tmp_path: Path
) -> None:
    size = dict(zip(("width", "height"), WIDTHS[width], strict=True))
    context = chromium.new_context(viewport=size, offline=True)
    recorded = RecordedPage(context.new_page())
    page = recorded.page
    page.goto(reports[name].as_uri())
    n_figures = page.locator(".plotly-graph-div").count()
    page.wait_for_function(f"document.querySelectorAll('.main-svg').length >= {n_figures}")
    assert n_figures >= {"empty": 5, "pruned": 5, "hostile": 8, "large": 10}[name]
    assert recorded.errors == []
    assert recorded.foreign(reports[name].as_uri()) == []
    assert page.evaluate("document.documentElement.scrollWidth <= innerWidth"), "it scrolls"
    if name == "hostile":
        assert "<script>alert(1)</script>" in page.inner_text("h1")
    page.screenshot(path=tmp_path / "page.png", full_page=True)
    assert (tmp_path / "page.png").stat().st_size > 20_000
    context.close()


def test_a_comparison_of_studies_needs_no_network(chromium: Any, tmp_path: Path) -> None:
    storage: Any = optuna.storages.InMemoryStorage()
    hostile = "</script><script>alert(1)</script><img src=x onerror=alert(1)>%{x}"
    studies = [made_studies.study(f"s-{i}", storage, seed=i) for i in range(2)]
    studies.append(made_studies.study(hostile, storage))
    for i, study in enumerate(studies):
        trials = [made_studies.trial("COMPLETE", [0.1 * i + 0.1 * m], minute=m) for m in range(4)]
        study.add_trials(trials)
    path = tmp_path / "comparison.html"
    write_page(path, studies_page(storage, studies))
    context = chromium.new_context(viewport={"width": 390, "height": 844}, offline=True)
    recorded = RecordedPage(context.new_page())
    recorded.page.goto(path.as_uri())
    recorded.page.wait_for_selector(".plotly-graph-div .fills path", state="attached")
    assert recorded.page.locator(".plotly-graph-div .legendtext").count() == 2
    assert recorded.errors == []
    assert recorded.foreign(path.as_uri()) == []
    assert recorded.page.evaluate("document.documentElement.scrollWidth <= innerWidth"), (
        "it scrolls"
    )
    context.close()


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("live")


@pytest.fixture(scope="module")
def study(folder: Path) -> optuna.Study:
    """A stored study whose last trial has an image."""
    study = made_studies.mixed("made", open_storage(f"sqlite:///{folder}/study.db"))
    trial = study.ask(made_studies.SPACE)
    image = io.BytesIO()
    Image.new("L", (200, 100)).save(image, "PNG")
    attach_images(trial, {"curve.png": image.getvalue()}, folder / "artifacts")
    for name, value in made_studies.trial("COMPLETE", [0.5]).user_attrs.items():
        trial.set_user_attr(name, value)
    study.tell(trial, 0.5)
    save_dashboard(study)
    return study


@pytest.fixture(scope="module")
def live(folder: Path, study: optuna.Study) -> Iterator[str]:
    """The address of the live dashboard of the study."""
    storage = open_storage(f"sqlite:///{folder}/study.db", create=False, read_only=True)
    server = make_dashboard_server(storage, 0, folder / "artifacts")
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    yield f"http://127.0.0.1:{server.server_port}"
    server.shutdown()
    thread.join()
    server.server_close()


def n_trials(page: Any, url: str) -> int:
    study = page.evaluate(f"fetch('{url}/api/studies/1').then(a => a.json())")
    return len(study["trials"])


def test_the_live_page_shows_a_running_study(chromium: Any, live: str, study: optuna.Study) -> None:
    recorded = RecordedPage(chromium.new_page())
    page = recorded.page
    page.goto(f"{live}/dashboard")
    page.wait_for_selector("text=made")
    page.goto(f"{live}/dashboard/studies/1")
    page.wait_for_function("document.querySelectorAll('.js-plotly-plot').length >= 6")
    page.wait_for_selector("text=Progress against training time")
    before = n_trials(page, live)
    study.add_trial(made_studies.trial("COMPLETE", [0.5], minute=20))
    for _ in range(60):  # optuna-dashboard reads the trials again after ten seconds
        if n_trials(page, live) > before:
            break
        page.wait_for_timeout(500)
    assert n_trials(page, live) == before + 1
    assert recorded.errors == []
    assert recorded.foreign(live) == []


def test_a_trial_shows_its_note_and_its_image(chromium: Any, live: str) -> None:
    recorded = RecordedPage(chromium.new_page())
    page = recorded.page
    page.set_viewport_size({"width": 1300, "height": 2400})
    page.goto(f"{live}/dashboard/studies/1/trials?numbers=9")
    page.wait_for_selector("text=curve.png")
    page.wait_for_selector("text=Cost: ")
    assert page.locator("td:has-text('conv1.filters')").count() == 1
    page.wait_for_function(
        "[...document.images].some(i => i.src.includes('/artifacts/') && i.naturalWidth > 100)"
    )
    assert page.evaluate("document.documentElement.scrollWidth <= innerWidth"), "it scrolls"
    assert recorded.errors == []
