"""Take the screenshots in docs/images: the live dashboard, the reports and the page of compare.py.

``uv run docs/screenshots.py --retrain var/retrain/…`` runs in the folder of a study and its
retraining. It needs Chromium, on the PATH or named in CHROMIUM.
"""

import argparse
import io
import os
import shutil
import threading
from collections.abc import Iterator
from contextlib import chdir, contextmanager
from pathlib import Path
from typing import Any

from PIL import Image
from playwright.sync_api import sync_playwright

from data.paths import ARTIFACTS, PRETRAINED, VAR
from data.preparation import Preparation
from hpo.cli.entry_point import run_command
from hpo.cli.flags import add_storage
from hpo.dashboard.server import HOST, export_report, make_dashboard_server
from hpo.report.comparison import comparison_page
from hpo.report.html_page import write_page
from hpo.study.open import open_stored_study
from model.comparison import compare_images
from model.device import choose_compute

WIDTH, QUALITY = 1200, 80  # pixels; quality of the WebP files, in percent
SETTLE_MILLISECONDS = 3000  # until the plots no longer move


def parse() -> argparse.Namespace:
    """Return the parsed flags."""
    parser = argparse.ArgumentParser(description="Take the screenshots in docs/images.")
    add_storage(parser)
    parser.add_argument(
        "--retrain", type=Path, required=True, metavar="DIR", help="folder of a retraining"
    )
    parser.add_argument(
        "--out",
        type=Path,
        default=Path("docs/images"),
        metavar="DIR",
        help="folder of the screenshots (default: %(default)s)",
    )
    return parser.parse_args()


@contextmanager
def open_browser() -> Iterator[Any]:
    """Start Chromium, and close it at the end."""
    with sync_playwright() as playwright:
        chromium = os.environ.get("CHROMIUM") or shutil.which("chromium")
        browser = playwright.chromium.launch(executable_path=chromium, args=["--no-sandbox"])
        yield browser
        browser.close()


def take_screenshot(
    browser: Any, url: str, path: Path, height: int, heading: str | None = None
) -> None:
    """Write the part of a page that a window shows as WebP.

    Args:
        browser: browser of Playwright.
        url: address of the page.
        path: file that is written.
        height: height of the window in pixels.
        heading: heading at the top of the window; None for the top of the page.
    """
    page = browser.new_page(viewport={"width": WIDTH, "height": height})
    page.goto(url)
    page.wait_for_selector(".js-plotly-plot, img")
    page.wait_for_timeout(SETTLE_MILLISECONDS)
    if heading:
        page.get_by_role("heading", name=heading).evaluate("h => h.scrollIntoView()")
    with Image.open(io.BytesIO(page.screenshot())) as image:
        image.convert("RGB").save(path, quality=QUALITY, method=6)
    page.close()
    print(f"wrote    {path}, {path.stat().st_size / 1e3:.0f} kB")


def write_comparison(folder: Path) -> Path:
    """Write the page of compare.py for the three drawings of the tutorial; return its path."""
    preparation, compute = Preparation(), choose_compute("cpu", "float32")
    queries, support = [Path("a.jpg")], [Path("b.png"), Path("c.jpg")]
    with chdir(folder):  # the page shows the paths as they are given
        comparison = compare_images(
            queries, support, PRETRAINED, preparation=preparation, compute=compute
        )
    path = folder / "compare.html"
    write_page(path, comparison_page(comparison, PRETRAINED, len(support)))
    return path


def take_screenshots(
    dashboard_url: str, trial: int, report: Path, retraining: Path, comparison: Path, out: Path
) -> None:
    """Take all screenshots in one browser.

    Args:
        dashboard_url: address of the study in the live dashboard.
        trial: number of the trial whose page is shown.
        report: report of the study.
        retraining: report of the retraining.
        comparison: page of compare.py.
        out: folder of the screenshots.
    """
    study_url, retraining_url, comparison_url = (
        path.resolve().as_uri() for path in (report, retraining, comparison)
    )
    with open_browser() as browser:
        take_screenshot(browser, dashboard_url, out / "live.webp", 2200)
        trial_url = f"{dashboard_url}/trials?numbers={trial}"
        take_screenshot(browser, trial_url, out / "trial.webp", 2110)
        take_screenshot(browser, study_url, out / "study.webp", 1500, "Optimisation history")
        take_screenshot(browser, retraining_url, out / "retrain.webp", 1700)
        take_screenshot(browser, retraining_url, out / "errors.webp", 900, "official error")
        take_screenshot(browser, comparison_url, out / "compare.webp", 480)


def main() -> None:
    """Write the pages, serve the dashboard and take the screenshots."""
    args = parse()
    args.out.mkdir(parents=True, exist_ok=True)
    report, comparison = args.out / "study.html", write_comparison(args.out)
    export_report(args.storage, args.study_name, report)
    with open_stored_study(args.storage, args.study_name) as (storage, study, _):
        server = make_dashboard_server(storage, 0, VAR / ARTIFACTS)
        threading.Thread(target=server.serve_forever, daemon=True).start()
        url = f"http://{HOST}:{server.server_port}/dashboard/studies/{study._study_id}"
        retraining = args.retrain / "report.html"
        take_screenshots(url, study.best_trial.number, report, retraining, comparison, args.out)
        server.shutdown()
    report.unlink()
    comparison.unlink()


if __name__ == "__main__":
    run_command(main, "Some screenshots may be old; run the same command again.")
