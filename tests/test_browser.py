"""The pages in a real browser: what is written, what is served, what is refused."""

import os
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import made
import pytest
from chromium import Watched, browser

from hpo.report.html_page import write_page
from hpo.report.study.page import study_page

ROOT = Path(__file__).parents[1]
STUDY = ["--data", "glyphs", "--image-size", "20", "--validation", "paper", "--finalists", "0"]
STUDY += ["--steps-per-epoch", "2", "--max-epochs", "3", "--n-trials", "500"]
WIDTHS = {"desktop": (1200, 900), "phone": (390, 844)}


@pytest.fixture(scope="module")
def chromium() -> Iterator[Any]:
    with browser() as started:
        yield started


@pytest.fixture(scope="module")
def reports(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """Reports of studies large, mixed, empty, and of an evil name."""
    folder = tmp_path_factory.mktemp("reports")
    studies = {
        "large": made.large(60),
        "empty": made.study(),
        "pruned": made.large(3, ("PRUNED",)),
        "evil": made.mixed("</script><script>alert(1)</script><img src=x onerror=alert(1)>"),
    }
    paths = {name: folder / f"{name}.html" for name in studies}
    for name, study in studies.items():
        storage: Any = study._storage
        write_page(paths[name], study_page(storage, study, "sqlite:///study.db"))
    return paths


@pytest.mark.parametrize("width", list(WIDTHS))
@pytest.mark.parametrize("name", ["large", "empty", "pruned", "evil"])
def test_an_exported_report_needs_no_network(
    name: str, width: str, chromium: Any, reports: dict[str, Path], tmp_path: Path
) -> None:
    size = dict(zip(("width", "height"), WIDTHS[width], strict=True))
    context = chromium.new_context(viewport=size, offline=True)
    watched = Watched(context.new_page())
    page = watched.page
    page.goto(reports[name].as_uri())
    n_figures = page.locator(".plotly-graph-div").count()
    page.wait_for_function(f"document.querySelectorAll('.main-svg').length >= {n_figures}")
    assert n_figures >= 9
    assert watched.errors == []
    assert watched.foreign(reports[name].as_uri()) == []
    assert page.evaluate("document.documentElement.scrollWidth <= innerWidth"), "it overflows"
    if name == "evil":
        assert "<script>alert(1)</script>" in page.inner_text("h1")
    page.screenshot(path=tmp_path / "page.png", full_page=True)
    assert (tmp_path / "page.png").stat().st_size > 20_000
    context.close()


@pytest.fixture(scope="module")
def live(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """A study that is being written, and the address of its dashboard."""
    home = tmp_path_factory.mktemp("live")
    environment = {**os.environ, "PYTHONUNBUFFERED": "1", "OMP_NUM_THREADS": "1"}
    environment.pop("OMNIGLOT_ROOT", None)

    def start(*words: str) -> subprocess.Popen[str]:
        command = [sys.executable, str(ROOT / words[0]), *words[1:]]
        with (home / f"{words[0]}.log").open("w") as log:
            return subprocess.Popen(
                command, cwd=home, env=environment, stdout=log, stderr=log, text=True
            )

    def told(script: str, text: str) -> str:
        for _ in range(900):
            said = (home / f"{script}.log").read_text()
            if text in said:
                return said
            time.sleep(0.1)
        raise AssertionError(said)

    study = start("run_study.py", *STUDY)
    try:
        told("run_study.py", "trial   2")
        dashboard = start("dashboard.py", "--no-browser", "--port", "0")
        try:
            yield told("dashboard.py", "(Ctrl-C").split(" on ")[1].split(",")[0].rstrip("/")
        finally:
            dashboard.terminate()
            assert dashboard.wait(timeout=20) == 130
    finally:
        study.terminate()
        study.wait(timeout=60)


def n_trials(page: Any, url: str) -> int:
    found = page.evaluate(f"fetch('{url}/api/studies/1').then(a => a.json())")
    return len(found["trials"])


def test_the_live_page_shows_a_study_while_it_is_being_written(chromium: Any, live: str) -> None:
    watched = Watched(chromium.new_page())
    page = watched.page
    page.goto(f"{live}/dashboard")
    page.wait_for_selector("text=glyphs-20-episode")
    page.goto(f"{live}/dashboard/studies/1")
    page.wait_for_function("document.querySelectorAll('.js-plotly-plot').length >= 6")
    page.wait_for_selector("text=Progress against training time")
    before = n_trials(page, live)
    for _ in range(300):
        if n_trials(page, live) > before:
            break
        time.sleep(0.1)
    assert n_trials(page, live) > before, "no trial was written meanwhile"
    assert watched.errors == []
    assert watched.foreign(live) == []


def test_a_trial_shows_its_note_and_its_pictures(chromium: Any, live: str) -> None:
    watched = Watched(chromium.new_page())
    page = watched.page
    page.set_viewport_size({"width": 1300, "height": 2400})
    page.goto(f"{live}/dashboard/studies/1/trials?numbers=0")
    page.wait_for_selector("text=curve.png")
    assert page.locator("text=filters.png").count() == 1
    for _ in range(60):  # notes are written now and then, and read when a page is loaded
        if page.locator("text=Cost: ").count():
            break
        time.sleep(1)
        page.reload()
        page.wait_for_selector("text=curve.png")
    assert page.locator("td:has-text('conv1.filters')").count() == 1
    page.wait_for_function(
        "[...document.images].some(i => i.src.includes('/artifacts/') && i.naturalWidth > 100)"
    )
    assert page.evaluate("document.documentElement.scrollWidth <= innerWidth"), "it overflows"
    assert watched.errors == []


def status(request: urllib.request.Request) -> int:
    try:
        with urllib.request.urlopen(request) as answer:
            return int(answer.status)
    except urllib.error.HTTPError as error:
        return error.code


def test_the_guard_stands_before_the_live_page(live: str) -> None:
    studies = f"{live}/api/studies"
    ask = urllib.request.Request
    assert status(ask(studies)) == 200
    assert status(ask(studies, headers={"Host": "evil.example"})) == 403
    assert status(ask(studies, data=b"{}", headers={"Origin": live})) == 403
    assert status(ask(f"{studies}/1", method="DELETE", headers={"Origin": live})) == 403
    assert status(ask(f"{studies}/1")) == 200
