"""Make the README's pictures of the pages: the live dashboard, and the two reports.

Run it where a study and its retraining lie: ``uv run docs/screenshots.py --retrain var/retrain/…``.
It needs Chromium, on the PATH or named in CHROMIUM.
"""

import argparse
import io
import os
import shutil
import threading
from contextlib import chdir
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

WIDTH, QUALITY = 1200, 80


def parse() -> argparse.Namespace:
    """Return the command line's flags."""
    parser = argparse.ArgumentParser(description="Make the README's pictures of the pages.")
    add_storage(parser)
    parser.add_argument("--retrain", type=Path, required=True, metavar="DIR", help="its report's")
    parser.add_argument("--out", type=Path, default=Path("docs/images"), metavar="DIR")
    return parser.parse_args()


def shoot(browser: Any, address: str, path: Path, height: int, heading: str | None = None) -> None:
    """Write a page, from its top or from a heading on, as WebP."""
    page = browser.new_page(viewport={"width": WIDTH, "height": height})
    page.goto(address)
    page.wait_for_selector(".js-plotly-plot, img")
    page.wait_for_timeout(3000)  # until the figures stand still
    if heading:
        page.get_by_role("heading", name=heading).evaluate("h => h.scrollIntoView()")
    with Image.open(io.BytesIO(page.screenshot())) as image:
        image.convert("RGB").save(path, quality=QUALITY, method=6)
    page.close()
    print(f"wrote    {path}, {path.stat().st_size / 1e3:.0f} kB")


def comparison(folder: Path) -> Path:
    """Write what compare.py shows of the three drawings that the tutorial compares."""
    how, compute = Preparation(), choose_compute("cpu", "float32")
    support = [Path("b.png"), Path("c.jpg")]
    with chdir(folder):  # files are shown as they are named
        found = compare_images([Path("a.jpg")], support, PRETRAINED, how=how, on=compute)
    path = folder / "compare.html"
    write_page(path, comparison_page(found, PRETRAINED, len(support)))
    return path


def shoot_all(
    live: str, best: int, report: Path, retrained: Path, compared: Path, out: Path
) -> None:
    """Take every picture in one browser."""
    found = retrained.resolve().as_uri()
    with sync_playwright() as playwright:
        chromium = os.environ.get("CHROMIUM") or shutil.which("chromium")
        browser = playwright.chromium.launch(executable_path=chromium, args=["--no-sandbox"])
        shoot(browser, live, out / "live.webp", 2200)
        shoot(browser, f"{live}/trials?numbers={best}", out / "trial.webp", 2110)
        shoot(browser, report.resolve().as_uri(), out / "study.webp", 1500, "Optimisation history")
        shoot(browser, found, out / "retrain.webp", 1700)
        shoot(browser, found, out / "errors.webp", 900, "official error")
        shoot(browser, compared.resolve().as_uri(), out / "compare.webp", 480)
        browser.close()


def main() -> None:
    """Serve, export, and take the pictures."""
    args = parse()
    args.out.mkdir(parents=True, exist_ok=True)
    report, compared = args.out / "study.html", comparison(args.out)
    export_report(args.storage, args.study_name, report)
    with open_stored_study(args.storage, args.study_name) as (storage, study, _):
        server = make_dashboard_server(storage, 0, VAR / ARTIFACTS)
        threading.Thread(target=server.serve_forever, daemon=True).start()
        live = f"http://{HOST}:{server.server_port}/dashboard/studies/{study._study_id}"
        best = study.best_trial.number
        shoot_all(live, best, report, args.retrain / "report.html", compared, args.out)
        server.shutdown()
    report.unlink()
    compared.unlink()


if __name__ == "__main__":
    run_command(main, "Some pictures may be old.")
