"""A headless browser: the one named by CHROMIUM, or the first one on the PATH."""

import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import pytest

NAMES = ("chromium", "chromium-browser", "google-chrome")


def find() -> str:
    """Return the path of the browser; skip the test if there is none."""
    path = os.environ.get("CHROMIUM") or next(filter(None, map(shutil.which, NAMES)), None)
    if not path:
        pytest.skip("NO PAGE IS TESTED: install chromium, or set CHROMIUM to its path")
    return path


@contextmanager
def browser() -> Iterator[Any]:
    """Run the browser until the end of the block."""
    from playwright.sync_api import sync_playwright

    with sync_playwright() as playwright:
        started = playwright.chromium.launch(executable_path=find(), args=["--no-sandbox"])
        try:
            yield started
        finally:
            started.close()


class RecordedPage:
    """A page whose errors, requests and dialogs are recorded."""

    def __init__(self, page: Any) -> None:
        self.page = page
        self.errors: list[str] = []
        self.requests: list[str] = []
        page.on("console", self._record_error)
        page.on("pageerror", lambda error: self.errors.append(str(error)))
        page.on("dialog", self._dismiss)
        page.on("request", lambda request: self.requests.append(request.url))

    def _dismiss(self, dialog: Any) -> None:
        self.errors.append("a dialog was opened")
        dialog.dismiss()

    def _record_error(self, message: Any) -> None:
        if message.type == "error":
            self.errors.append(message.text)

    def foreign(self, *own: str) -> list[str]:
        """Return the requested URLs that do not begin with one of ours."""
        return [url for url in self.requests if not url.startswith((*own, "data:", "blob:"))]
