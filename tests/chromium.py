"""A headless browser, if there is one: CHROMIUM names it, else it is looked for on the PATH."""

import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import pytest

NAMES = ("chromium", "chromium-browser", "google-chrome")


def find() -> str:
    """Return the browser's path; without one, skip the test loudly."""
    found = os.environ.get("CHROMIUM") or next(filter(None, map(shutil.which, NAMES)), None)
    if not found:
        pytest.skip("PAGES ARE UNTESTED HERE: install chromium, or name it in CHROMIUM")
    return found


@contextmanager
def browser() -> Iterator[Any]:
    """Start the browser and end it."""
    from playwright.sync_api import sync_playwright

    with sync_playwright() as playwright:
        started = playwright.chromium.launch(executable_path=find(), args=["--no-sandbox"])
        try:
            yield started
        finally:
            started.close()


class Watched:
    """A page whose errors, requests and dialogs are noted."""

    def __init__(self, page: Any) -> None:
        self.page = page
        self.errors: list[str] = []
        self.requests: list[str] = []
        page.on("console", self._note)
        page.on("pageerror", lambda error: self.errors.append(str(error)))
        page.on("dialog", self._dismiss)
        page.on("request", lambda request: self.requests.append(request.url))

    def _dismiss(self, dialog: Any) -> None:
        self.errors.append("a dialog was opened")
        dialog.dismiss()

    def _note(self, message: Any) -> None:
        if message.type == "error":
            self.errors.append(message.text)

    def foreign(self, *own: str) -> list[str]:
        """Return the addresses that were asked for, but for one's own."""
        return [url for url in self.requests if not url.startswith((*own, "data:", "blob:"))]
